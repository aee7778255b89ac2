"""Precision traps."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jax_impl.divergences.activations import pair, same
from jax_impl.divergences.pair import Pair


def without_x64(f):
    """Run f as it runs where nobody set jax_enable_x64."""

    @functools.wraps(f)
    def run(*args, **named):
        jax.config.update("jax_enable_x64", False)
        try:
            return f(*args, **named)
        finally:
            jax.config.update("jax_enable_x64", True)

    return run


def attention(x):
    x = x[None, :, None, :]  # (batch, time, heads, elements)
    return jax.nn.dot_product_attention(x, x, x)[0, :, 0]


def attention_by_formula(x):
    return jax.nn.softmax(x @ x.T / math.sqrt(x.shape[1]), axis=-1) @ x


def resize(image, R):
    return jax.image.resize(image, (len(R), len(R)), "bilinear", antialias=False)


def cosine(t):
    return optax.cosine_decay_schedule(0.5, decay_steps=8, alpha=0.125)(t)


def row_alone(x, others, W):
    return (x @ W)[0] - (x[:1] @ W)[0]


def row_in_company(x, others, W):
    return (x @ W)[0] - (others @ W)[0]


def layer(x, W):
    return jnp.tanh(x @ W)


def elementary(z, size):
    return jnp.stack(
        [
            jnp.exp(z),
            jnp.tanh(z),
            jax.nn.sigmoid(z),
            jax.scipy.special.erf(z),
            jnp.log(size),
            jax.nn.softplus(z),
            jax.lax.rsqrt(size),
        ]
    )


def worst(values, truth, unit):
    return (jnp.abs(values.astype("float32") - truth) / unit).max(axis=1)


def double(x):
    return x.astype("float64")


def gelu_by_erfc(z):
    return z * jax.scipy.special.erfc(-z / math.sqrt(2)) / 2


ROWS = {
    "P01": same("exact under x64", lambda: jnp.asarray(0.9, "float64")),
    "P04": same("exact", lambda z, truth: jax.nn.gelu(z, approximate=False) / truth),
    "P05": same("exact", lambda z, truth: jax.nn.gelu(z, approximate=True) / truth),
    "P06": pair(
        "exact",
        naive=lambda z, truth: jax.nn.leaky_relu(z, 0.1) / truth,
        aligned=lambda z, truth: jax.nn.leaky_relu(z, negative_slope=0.1) / truth,
    ),
    "P07": same("exact", lambda x: x / 255),
    "P08": same(
        "optax.log_cosh: exact",
        lambda p, y, truth: optax.log_cosh(p, y).mean() / truth,
    ),
    "P09": same("the formula", lambda w, truth: 0.01 * (w * w).sum() / truth),
    "P10": same("float64", resize),
    "P13": pair(
        "the softmax in float32, x64 or not",
        naive=attention,
        aligned=attention_by_formula,
    ),
    "P14": same("exact", cosine),
    "P15": Pair(
        "becomes float32 silently",
        naive=without_x64(lambda given: np.asarray(jnp.asarray(given["z"]))),
        aligned=lambda given: np.asarray(jnp.asarray(given["z"])),
    ),
    "P16": Pair(
        "0 without x64",
        naive=without_x64(lambda given: np.asarray(jnp.asarray(given["n"]))),
        aligned=lambda given: np.asarray(jnp.asarray(given["n"])),
    ),
    "P17": pair(
        "promotes to float64",
        naive=lambda a, b: a @ b,
        aligned=lambda a, b: double(a) @ b,
    ),
    "P18": same("1.5", lambda n: n.mean()),
    "P19": pair(
        "stays float32 without x64",
        naive=without_x64(lambda x: np.float64(0.1) * x),
        aligned=lambda x: x.dtype.type(0.1) * x,
    ),
    "P20": pair(
        "in blocks",
        naive=lambda x, truth: x.sum(axis=0) / truth,
        aligned=lambda x, truth: x.sum(axis=0, dtype="float64") / truth,
    ),
    "P21": pair("another kernel", naive=row_alone, aligned=row_in_company),
    "P23": pair(
        "jit against one operation at a time",
        naive=lambda x, W: jax.jit(layer)(x, W) - layer(x, W),
        aligned=lambda x, W: jax.jit(layer)(x, W) - jax.jit(layer)(x, W),
    ),
    "P24": pair(
        "tanh 4; erf 5",
        naive=lambda z, size, truth, unit: worst(elementary(z, size), truth, unit),
        aligned=lambda z, size, truth, unit: worst(
            elementary(double(z), double(size)), truth, unit
        ),
    ),
    "P25": pair(
        "erfc: 200 units of the last place",
        naive=lambda z, truth: jax.nn.gelu(z, approximate=False) / truth,
        aligned=lambda z, truth: gelu_by_erfc(double(z)) / truth,
    ),
}
