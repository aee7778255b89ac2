"""Textbooks against frameworks."""

import jax
import jax.numpy as jnp
import optax

from jax_impl.divergences.activations import derivative, pair, same


def prelu(z, a):
    """As flax.linen.PReLU writes it."""
    return jnp.where(z >= 0, z, a * z)


def form_derivative(u, X, v):
    return derivative(lambda X: u @ X @ v, X)


def stepped(p, y, lr):
    return p - lr * derivative(lambda p: optax.squared_error(p, y).mean(), p)


def cross_entropy(logits, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


ROWS = {
    "T01": same("0", lambda z: derivative(jax.nn.relu, z)),
    "T02": pair(
        "1: flax has z >= 0, written out here",
        naive=lambda z, a: derivative(lambda z: prelu(z, a), z),
        aligned=lambda z, a: derivative(lambda z: jnp.where(z > 0, z, a * z), z),
    ),
    "T03": same("(n, k)", form_derivative),
    "T04": pair(
        "mean over all elements; l2_loss: half of it",
        naive=stepped,
        aligned=lambda p, y, lr: stepped(p, y, lr * p.size / 2),
    ),
    "T05": pair(
        "h = 1",
        naive=lambda a, h: jax.nn.sigmoid(a),
        aligned=lambda a, h: jax.nn.sigmoid(h * a),
    ),
    "T06": pair(
        "sign(0) = 0",
        naive=lambda a, threshold: jnp.sign(a - threshold),
        aligned=lambda a, threshold: jnp.where(a >= threshold, 1.0, -1.0),
    ),
    "T07": same("one step from logits", cross_entropy),
    "T08": pair("x W", naive=lambda x, W: x @ W, aligned=lambda x, W: x @ W.T),
}
