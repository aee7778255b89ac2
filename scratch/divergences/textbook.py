"""Textbooks against frameworks: what courses and texts write."""

import numpy as np

from scratch.divergences.activations import pair, same
from scratch.divergences.losses import cross_entropy


def cross_entropy_in_two_steps(logits, y):
    """First softmax, then the logarithm of a probability."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        e = np.exp(logits)
        p = e / e.sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(len(y)), y]).mean()


ROWS = {
    "T01": pair(
        "1: z >= 0",
        naive=lambda z: np.where(z >= 0, 1.0, 0.0),
        aligned=lambda z: np.where(z > 0, 1.0, 0.0),
    ),
    "T02": pair(
        "1: z >= 0",
        naive=lambda z, a: np.where(z >= 0, 1.0, a),
        aligned=lambda z, a: np.where(z > 0, 1.0, a),
    ),
    "T03": pair(
        "(k, n): v u'",
        naive=lambda u, X, v: np.outer(v, u),
        aligned=lambda u, X, v: np.outer(v, u).T,
    ),
    "T04": same("1/2 sum (y - p)^2; also 1/(2n), 1/n", lambda p, y, lr: p - lr * (p - y)),
    "T05": same("1 / (1 + e^(-h a))", lambda a, h: 1 / (1 + np.exp(-h * a))),
    "T06": same(
        "fires at a >= threshold",
        lambda a, threshold: np.where(a >= threshold, 1.0, -1.0),
    ),
    "T07": pair(
        "softmax, then the logarithm: NaN or infinite",
        naive=cross_entropy_in_two_steps,
        aligned=cross_entropy,
    ),
    "T08": pair(
        "W x: rows are outputs; other courses x W",
        naive=lambda x, W: np.stack([W @ example for example in x]),
        aligned=lambda x, W: x @ W.T,
    ),
}
