"""Losses and metrics."""

import jax
import jax.numpy as jnp
import optax

from jax_impl.divergences.activations import derivative, pair, same


def cross_entropy(logits, y):
    """One value per example."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, y)


def cross_entropy_of_probabilities(logits, y):
    p = jax.nn.softmax(logits)
    return -jnp.log(p[jnp.arange(len(y)), y])


def smoothed(logits, y):
    """Cross-entropy with label smoothing 0.1, one value per example."""
    one_hot = jax.nn.one_hot(y, logits.shape[1])
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(one_hot, alpha=0.1))


def mean(losses, weights):
    return (weights * losses).sum() / weights.sum()


def decayed(w, weight_decay):
    """Where w is after a step with rate 1 and no gradient but that of the penalty."""
    decay = optax.chain(optax.add_decayed_weights(weight_decay), optax.sgd(1.0))
    step, _ = decay.update(jnp.zeros_like(w), decay.init(w), w)
    return optax.apply_updates(w, step)


ROWS = {
    "S01a": pair(
        "l2_loss is half of it",
        naive=lambda p, y: optax.l2_loss(p, y).mean(),
        aligned=lambda p, y: optax.squared_error(p, y).mean(),
    ),
    "S02a": same("logits", lambda logits, y, w: cross_entropy(logits, y).mean()),
    "S02b": pair(
        "60; gradient 1",
        naive=lambda logits, y: {
            "loss": cross_entropy_of_probabilities(logits, y).mean(),
            "gradient": derivative(
                lambda logits: cross_entropy_of_probabilities(logits, y), logits
            ),
        },
        aligned=lambda logits, y: {
            "loss": cross_entropy(logits, y).mean(),
            "gradient": derivative(lambda logits: cross_entropy(logits, y), logits),
        },
    ),
    "S03": pair(
        "the formula: infinite",
        naive=lambda p, logits, y: -(y * jnp.log(p) + (1 - y) * jnp.log1p(-p)).mean(),
        aligned=lambda p, logits, y: optax.sigmoid_binary_cross_entropy(logits, y).mean(),
    ),
    "S04": same("y (1 - a) + a / K", lambda logits, y, w: smoothed(logits, y).mean()),
    "S04b": pair(
        "none: formula",
        naive=lambda logits, y, w: (w[y] * smoothed(logits, y)).mean(),
        aligned=lambda logits, y, w: mean(smoothed(logits, y), w[y]),
    ),
    "S11": pair(
        "none: formula",
        naive=lambda logits, y, w: (w[y] * cross_entropy(logits, y)).mean(),
        aligned=lambda logits, y, w: mean(cross_entropy(logits, y), w[y]),
    ),
    "S12": pair(
        "none: a mask",
        naive=lambda logits, y, w: jnp.where(y != 2, cross_entropy(logits, y), 0.0).mean(),
        aligned=lambda logits, y, w: mean(cross_entropy(logits, y), y != 2),
    ),
    "S05a": pair(
        "takes 0 and 1 as they are",
        naive=lambda s, y: optax.hinge_loss(s, y).mean(),
        aligned=lambda s, y: optax.hinge_loss(s, 2 * y - 1).mean(),
    ),
    "S05b": same(
        "Crammer-Singer",
        lambda s, y: optax.losses.multiclass_hinge_loss(s, y).mean(),
    ),
    "S05c": same(
        "3, as it should be",
        lambda s, y: optax.losses.multiclass_hinge_loss(s, y).mean(),
    ),
    "S06": same(
        "one value per example; log q",
        lambda p, q: optax.kl_divergence(jnp.log(q), p).mean(),
    ),
    "S07": same("Huber", lambda p, y: optax.huber_loss(p, y, delta=2.0).mean()),
    "S09": pair(
        "1 - cos",
        naive=lambda p, y, ones: optax.cosine_distance(p, y).mean(),
        aligned=lambda p, y, ones: optax.cosine_distance(p, y, epsilon=0.0).mean(),
    ),
    "S15": pair(
        "add_decayed_weights adds wd w",
        naive=lambda w: decayed(w, 1 / 128),
        aligned=lambda w: decayed(w, 2 / 128),
    ),
}
