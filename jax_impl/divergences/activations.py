"""Activations and subgradients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jax_impl.divergences.pair import Pair


def on_arrays(f):
    """Make f, of JAX arrays, a function of the row's: their names are its arguments."""

    def run(given):
        result = f(**{name: jnp.asarray(array) for name, array in given.items()})
        return jax.tree.map(np.asarray, result)

    return run


def pair(does, naive, aligned):
    """A Pair of functions of JAX arrays; ``aligned`` may be None."""
    return Pair(does, on_arrays(naive), aligned and on_arrays(aligned))


def same(does, f):
    """A Pair of a side that needs no setting."""
    return pair(does, f, f)


def derivative(f, at):
    """The gradient of the sum of f's values."""
    return jax.grad(lambda z: f(z).sum())(at)


DEFAULTS = {
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "celu": jax.nn.celu,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_swish": jax.nn.hard_swish,
    "relu6": jax.nn.relu6,
    "softsign": jax.nn.soft_sign,
    "log_sigmoid": jax.nn.log_sigmoid,
    "glu": jax.nn.glu,
    "hard_tanh": jax.nn.hard_tanh,
    "tanhshrink": lambda z: z - jnp.tanh(z),
    "softshrink": lambda z: jnp.sign(z) * jax.nn.relu(jnp.abs(z) - 0.5),
    "hardshrink": lambda z: jnp.where(jnp.abs(z) > 0.5, z, 0.0),
}


def at_defaults(z):
    return {name: f(z) for name, f in DEFAULTS.items()}


def bounded(z, low, high):
    """Hold z between two bounds; the derivative is 0 at the bounds, too."""
    return jnp.where(z <= low, low, jnp.where(z >= high, high, z))


def safe_sqrt(z):
    """The root where z > 0, else 0, and so for the derivative."""
    return jnp.where(z > 0, jnp.sqrt(jnp.where(z > 0, z, 1.0)), 0.0)


def max_pool(image):
    window = (1, 2, 2, 1)
    return jax.lax.reduce_window(image, -jnp.inf, jax.lax.max, window, window, "VALID")


def max_pool_by_reshape(image):
    B, H, W, C = image.shape
    return image.reshape(B, H // 2, 2, W // 2, 2, C).max(axis=(2, 4))


def without_nan(z):
    return jnp.nan_to_num(z, nan=-jnp.inf)


ROWS = {
    "A01": pair(
        "tanh",
        naive=lambda z: jax.nn.gelu(z),
        aligned=lambda z: jax.nn.gelu(z, approximate=False),
    ),
    "A02": same("exact", lambda z: jax.nn.softplus(z)),
    "A03": pair(
        "0.01",
        naive=lambda z: jax.nn.leaky_relu(z),
        aligned=lambda z: jax.nn.leaky_relu(z, negative_slope=0.125),
    ),
    "A04": same("agrees; the shrinks are formulas", at_defaults),
    "A07": pair(
        "relu 0; maximum, clip 0.5",
        naive=lambda z: {
            "relu": derivative(jax.nn.relu, z),
            "maximum": derivative(lambda z: jnp.maximum(z, 0.0), z),
            "clip": derivative(lambda z: jnp.clip(z, 0.0, None), z),
        },
        aligned=lambda z: derivative(jax.nn.relu, z),
    ),
    "A07b": pair(
        "relu6 0; clip 0.5; hard_tanh 1",
        naive=lambda z: {
            "relu6": derivative(jax.nn.relu6, 6 * z),
            "clip": derivative(lambda z: jnp.clip(z, -1.0, 1.0), z),
            "hard_tanh": derivative(jax.nn.hard_tanh, z),
        },
        aligned=lambda z: {
            "relu6": derivative(lambda z: bounded(z, 0.0, 6.0), 6 * z),
            "hard_tanh": derivative(lambda z: bounded(z, -1.0, 1.0), z),
        },
    ),
    "A08": pair(
        "1",
        naive=lambda z: derivative(jnp.abs, z),
        aligned=lambda z: derivative(lambda z: z * jnp.sign(z), z),
    ),
    "A18": pair(
        "1",
        naive=lambda z: derivative(lambda z: jax.nn.leaky_relu(z, 0.1), z),
        aligned=lambda z: derivative(lambda z: jnp.where(z > 0, z, 0.1 * z), z),
    ),
    "A09a": same("shares", lambda z: derivative(jnp.max, z)),
    "A09b": pair(
        "reduce_window the first; reshape and max share",
        naive=lambda image: derivative(max_pool_by_reshape, image),
        aligned=lambda image: derivative(max_pool, image),
    ),
    "A09d": pair(
        "0.5 to each",
        naive=lambda a, b: derivative(lambda a: jnp.maximum(a, b), a),
        aligned=lambda a, b: derivative(lambda a: jnp.where(a >= b, a, b), a),
    ),
    "A11a": pair(
        "NaN; optax.safe_norm 0",
        naive=lambda z: derivative(jnp.linalg.norm, z),
        aligned=lambda z: derivative(lambda z: optax.safe_norm(z, min_norm=0.0), z),
    ),
    "A11b": pair(
        "NaN",
        naive=lambda z: derivative(lambda z: jnp.where(z > 0, jnp.sqrt(z), 0.0), z),
        aligned=lambda z: derivative(safe_sqrt, z),
    ),
    "A13b": pair(
        "NaN",
        naive=lambda z: derivative(jnp.std, z),
        aligned=lambda z: derivative(lambda z: safe_sqrt(jnp.var(z)), z),
    ),
    "N05": same("0", lambda z: derivative(lambda z: (z >= 0).astype(z.dtype), z)),
    "N10": pair(
        "flushes denormal numbers to 0",
        naive=lambda z: jnp.exp(z).astype("float64") * 2.0**137,
        aligned=lambda z: jnp.exp(z.astype("float64")) * 2.0**137,
    ),
    "N19": pair(
        "NaN; argmax 0",
        naive=lambda image, scores: {
            "max_pool": max_pool_by_reshape(image),
            "argmax": jnp.argmax(scores),
        },
        aligned=lambda image, scores: {
            "max_pool": max_pool_by_reshape(without_nan(image)),
            "argmax": jnp.argmax(without_nan(scores)),
        },
    ),
}
