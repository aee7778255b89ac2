"""Normalization, dropout and modes. JAX has no layers: these are flax's, by formula."""

import jax
import jax.numpy as jnp

from jax_impl.divergences.pair import Pair


def normalized(x, axis, eps):
    mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    return (x - mean) / jnp.sqrt(var + eps)


def batch_norm(given):
    return normalized(jnp.asarray(given["x"]), axis=0, eps=1e-5)


def running_variance_naive(given):
    return 0.99 * 1.0 + 0.01 * jnp.asarray(given["x"]).var(0)


def running_variance_aligned(given):
    return 0.9 * 1.0 + 0.1 * jnp.asarray(given["x"]).var(0)


# -- L09-L09d layer, group and RMS norm --------------------------------------------------


def layer_norm_naive(given):
    return normalized(jnp.asarray(given["x"]), axis=1, eps=1e-6)


def layer_norm_aligned(given):
    return normalized(jnp.asarray(given["x"]), axis=1, eps=1e-5)


def fast_variance(given):
    """A difference of two numbers near 1e8, cut off at zero."""
    x = jnp.asarray(given["x"])
    mean, square = x.mean(1, keepdims=True), (x * x).mean(1, keepdims=True)
    var = jnp.maximum(square - mean * mean, 0.0)
    return (x - mean) / jnp.sqrt(var + 1e-6)


def group_norm(x, eps):
    B, H, W, C = x.shape
    groups = x.reshape(B, H, W, 2, C // 2)
    return normalized(groups, axis=(1, 2, 4), eps=eps).reshape(B, H, W, C)


def group_norm_naive(given):
    return group_norm(jnp.asarray(given["x"]), eps=1e-6)


def group_norm_aligned(given):
    return group_norm(jnp.asarray(given["x"]), eps=1e-5)


def rms_norm(given):
    x = jnp.asarray(given["x"])
    return x / jnp.sqrt(jnp.mean(x * x, axis=1, keepdims=True) + 1e-6)


# -- L15a dropout, L19 standard deviation ------------------------------------------------


def dropout_naive(given):
    x = jnp.asarray(given["x"])
    return jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, x.shape), x / 0.5, 0.0)


def dropout_aligned(given):
    x, mask = map(jnp.asarray, given.values())
    return x * mask


def std(given):
    return jnp.std(jnp.asarray(given["x"]))


ROWS = {
    "L08a": Pair("flax: eps=1e-5", batch_norm, batch_norm),
    "L08b": Pair("flax: 0.99", running_variance_naive, running_variance_aligned),
    "L08c": Pair("flax: biased, / n", running_variance_aligned, running_variance_aligned),
    "L09": Pair("flax: eps=1e-6", layer_norm_naive, layer_norm_aligned),
    "L09b": Pair("flax: fast variance E[x^2] - E[x]^2", fast_variance, layer_norm_aligned),
    "L09c": Pair("flax: eps=1e-6", group_norm_naive, group_norm_aligned),
    "L09d": Pair("flax: eps=1e-6", rms_norm, rms_norm),
    "L15a": Pair("a key of its own", dropout_naive, dropout_aligned),
    "L19": Pair("ddof=0", std, std),
}
