"""Initial weights and random numbers. JAX has initializers; flax chooses among them."""

import math

import jax
import jax.numpy as jnp
from jax.nn import initializers

from jax_impl.divergences.pair import Pair


def deviations(**arrays):
    return {name: a.std() for name, a in arrays.items()}


def linear_naive(given):
    W = initializers.lecun_normal()(jax.random.key(0), (400, 300))
    return deviations(W=W, b=jnp.zeros(300))


def conv_naive(given):
    return deviations(W=initializers.lecun_normal()(jax.random.key(0), (3, 3, 16, 32)))


def loaded(given):
    return deviations(**{name: jnp.asarray(a) for name, a in given.items()})


def largest(W, deviation):
    return jnp.abs(W).max() / deviation


def he_normal(given):
    W = initializers.he_normal()(jax.random.key(0), (400, 300))
    return largest(W, math.sqrt(2 / 400))


def truncated(given):
    draw = initializers.truncated_normal(stddev=0.02, lower=-2.0, upper=2.0)
    return largest(draw(jax.random.key(0), (400, 300)), 0.02)


def lstm_naive(given):
    """Four gates, drawn one after the other."""
    keys = jax.random.split(jax.random.key(0), 8)
    W_x = [initializers.lecun_normal()(key, (28, 64)) for key in keys[:4]]
    W_h = [initializers.orthogonal()(key, (64, 64)) for key in keys[4:]]
    return deviations(W_x=jnp.hstack(W_x), W_h=jnp.hstack(W_h))


def first_normal(given):
    return jax.random.normal(jax.random.key(0), dtype=jnp.float32)


def drawn(given):
    return jnp.asarray(given["drawn"])


ROWS = {
    "I01": Pair("flax: lecun normal; bias 0", linear_naive, loaded),
    "I02": Pair("flax: lecun normal", conv_naive, loaded),
    "I03": Pair("cut off at 2.27", he_normal, he_normal),
    "I04": Pair("cut off at 2 deviations", truncated, truncated),
    "I05": Pair("flax: lecun normal; orthogonal", lstm_naive, loaded),
    "I06": Pair("key(0): 1.623", first_normal, drawn),
}
