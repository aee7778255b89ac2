"""Activations: JAX's own functions; their derivatives are autodiff's business."""

import jax


def step(z):
    """The threshold unit of McCulloch & Pitts (1943): it fires at z >= 0.

    A comparison has no derivative, so autodiff returns exactly 0 for this one.
    """
    return (z >= 0).astype(z.dtype)


# canonical name -> f
ACTIVATIONS = {
    "identity": jax.nn.identity,
    "step": step,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jax.nn.tanh,
    "relu": jax.nn.relu,  # its derivative at 0 is defined to be 0
}
