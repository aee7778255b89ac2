"""Layers with parameters of their own: pure functions of the parameters and the input."""

import jax
import jax.numpy as jnp


def dense(W, b, x):
    return x @ W + b                         # a row for each of x


def prelu(a, z):
    """He et al. (2015): a leaky ReLU with one trained slope a (1,), the derivative at 0."""
    return jnp.where(z > 0, z, a * z)


def logistic(a, z):
    """A sigmoid with one trained slope a (1,)."""
    return jax.nn.sigmoid(a * z)
