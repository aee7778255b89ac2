"""Activations: JAX's own functions where these are exact; autodiff knows the derivatives."""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp

from jax_impl.names import choose


def step(z):
    """The threshold unit of McCulloch & Pitts (1943): it fires at z >= 0.

    A comparison has no derivative, so autodiff returns exactly 0 for this one.
    """
    return (z >= 0).astype(z.dtype)


def leaky_relu(z, alpha):
    """jax.nn.leaky_relu tests z >= 0, so its derivative at 0 is 1; here it is alpha."""
    return jnp.where(z > 0, z, alpha * z)


def mish(z):
    """The function z tanh(softplus(z)) as a quotient of polynomials in e = e^-|z|, good to 4 u.

    The derivative of jax.nn.mish subtracts tanh^2 from 1 and is off by 247 u at z = 20.
    """
    e = jnp.exp(jnp.where(z > 0, -z, z))
    right = (1 + 2 * e) / (1 + 2 * e + 2 * e * e)
    left = (2 * e + e * e) / (2 + 2 * e + e * e)
    return z * jnp.where(z > 0, right, left)


def gelu_tanh(z):
    """Known as z (1 + tanh(y)) / 2, which is z sigmoid(2y); here the sigmoid is an exp.

    The derivative of jax.nn.gelu subtracts tanh^2 from 1 and is off by 293 u at z = -7.3.
    """
    y = math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)
    return z * jnp.exp(-jax.nn.softplus(-2 * y))


def _sloped(f):
    """The courses' f(h z): a sigmoid, tanh or ReLU with a slope h of its own."""
    return lambda z, h: f(h * z)


# canonical name -> f(z), or f(z, setting)
ACTIVATIONS = {
    "identity": jax.nn.identity,
    "step": step,
    "sign": jnp.sign,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jax.nn.tanh,
    "relu": jax.nn.relu,  # its derivative at 0 is defined to be 0
    "sigmoid(h)": _sloped(jax.nn.sigmoid),
    "tanh(h)": _sloped(jax.nn.tanh),
    "relu(h)": _sloped(jax.nn.relu),
    "arctan": jnp.arctan,
    "leaky_relu(alpha)": leaky_relu,
    "elu(alpha)": jax.nn.elu,
    "selu": jax.nn.selu,
    "softplus": jax.nn.softplus,
    "silu": jax.nn.silu,
    "mish": mish,
    "gelu": partial(jax.nn.gelu, approximate=False),  # the default is the one with tanh
    "gelu_tanh": gelu_tanh,
    "softmax": partial(jax.nn.softmax, axis=-1),
}


@cache
def activation(name):
    """The function of a name such as "tanh" or "leaky_relu(0.1)"; else ValueError."""
    return choose(ACTIVATIONS, "activation", name)
