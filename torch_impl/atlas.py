"""The rows of the divergence atlas that PyTorch can run."""

import torch

from torch_impl.divergences import (
    activations,
    initialization,
    layout,
    losses,
    normalization,
    optimizers,
    precision,
    recurrent,
    textbook,
)

torch.set_default_dtype(torch.float64)  # of the whole process: it is the atlas's own

ROWS = (
    layout.ROWS
    | normalization.ROWS
    | recurrent.ROWS
    | activations.ROWS
    | losses.ROWS
    | optimizers.ROWS
    | precision.ROWS
    | initialization.ROWS
    | textbook.ROWS
)
