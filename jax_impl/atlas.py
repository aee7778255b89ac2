"""The rows of the divergence atlas that JAX and optax can run."""

import jax

from jax_impl.divergences import (
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

jax.config.update("jax_enable_x64", True)  # of the whole process: it is the atlas's own

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
