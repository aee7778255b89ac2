"""The rows of the divergence atlas that plain NumPy can run."""

from scratch.divergences import (
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
