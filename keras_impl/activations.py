"""Activations: canonical name -> Keras' own function, every setting explicit."""

from functools import partial

from keras import activations, ops


def step(z):
    """1 where z >= 0, else 0; the derivative is 0 everywhere.

    Written with sign, whose gradient Keras knows to be 0; a comparison has none at
    all, and an optimizer that is handed no gradient refuses to move.
    """
    return ops.relu(ops.sign(ops.sign(z) + 0.5))


ACTIVATIONS = {
    "identity": activations.linear,
    "step": step,
    # Not activations.sigmoid: its result remembers z, and Keras' losses look for it.
    "sigmoid": ops.sigmoid,
    "tanh": activations.tanh,
    "relu": partial(
        activations.relu, negative_slope=0.0, max_value=None, threshold=0.0
    ),
}
