"""Losses and metrics."""

import numpy as np

from scratch.divergences.activations import pair, same
from scratch.losses import binary_cross_entropy_forward, softmax_cross_entropy_forward


def cross_entropy(logits, y):
    loss, _ = softmax_cross_entropy_forward(logits, y)
    return loss


def cross_entropy_of_probabilities(logits, y):
    e = np.exp(logits)
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y]).mean()


def cross_entropy_gradient(logits, y):
    e = np.exp(logits)
    return e / e.sum(axis=1, keepdims=True) - np.eye(logits.shape[1])[y]


def smoothed(logits, y, *, true, other):
    """Cross-entropy where the true class is given ``true``, each other one ``other``."""
    K = logits.shape[1]
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    target = np.where(np.eye(K, dtype=bool)[y], true, other)
    return -(target * log_p).sum(axis=1).mean()


def binary_cross_entropy(logits, y):
    loss, _ = binary_cross_entropy_forward(logits, np.broadcast_to(y, logits.shape))
    return loss


def binary_cross_entropy_of_probabilities(p, y):
    with np.errstate(divide="ignore"):
        return -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()


def crammer_singer(s, y):
    """1 + the largest other score - the true score."""
    true = np.eye(s.shape[1], dtype=bool)[y]
    largest_other = np.where(true, -np.inf, s).max(axis=1)
    return np.maximum(0, 1 + largest_other - s[true]).mean()


def rank_statistic(s, y):
    """How often an example of class 1 scores higher than one of class 0."""
    return (s[y == 1][:, None] > s[y == 0]).mean()


def loss_at_rest(x, y, w):
    return np.square(x @ w - y).mean()


ROWS = {
    "S02b": pair(
        "60; gradient 1",
        naive=lambda logits, y: {
            "loss": cross_entropy_of_probabilities(logits, y),
            "gradient": cross_entropy_gradient(logits, y),
        },
        aligned=lambda logits, y: {
            "loss": cross_entropy(logits, y),
            "gradient": cross_entropy_gradient(logits, y),
        },
    ),
    "S03": pair(
        "the formula: infinite",
        naive=lambda p, logits, y: binary_cross_entropy_of_probabilities(p, y),
        aligned=lambda p, logits, y: binary_cross_entropy(logits, y),
    ),
    "S04": pair(
        "some texts: a / (K - 1) to the others",
        naive=lambda logits, y, w: smoothed(logits, y, true=0.9, other=0.1 / 3),
        aligned=lambda logits, y, w: smoothed(logits, y, true=0.9 + 0.1 / 4, other=0.1 / 4),
    ),
    "S05c": same("3", crammer_singer),
    "S08": same(
        "mean of rate - y log(rate + 1e-7)",
        lambda rate, y: (rate - y * np.log(rate + 1e-7)).mean(),
    ),
    "O15a": same("mean over the examples", loss_at_rest),
    "N20": same("exact: ranks", rank_statistic),
}
