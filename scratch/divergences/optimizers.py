"""Optimizers."""

import numpy as np

from scratch.divergences.activations import pair, same


def momentum(mu):
    """A function of p, g and lr: where p is after m = mu m + g, p = p - lr m."""

    def steps(p, g, lr):
        m = np.zeros_like(p)
        for gradient, rate in zip(g, lr, strict=True):
            m = mu * m + gradient
            p = p - rate * m
        return p

    return steps


def nesterov(mu):
    """The same with a look ahead: p = p - lr (g + mu m)."""

    def steps(p, g, lr):
        m = np.zeros_like(p)
        for gradient, rate in zip(g, lr, strict=True):
            m = mu * m + gradient
            p = p - rate * (gradient + mu * m)
        return p

    return steps


def clipped(W, b):
    factor = min(1, 1 / np.sqrt(np.sum(W * W) + np.sum(b * b)))
    return {"W": factor * W, "b": factor * b}


def cosine(t):
    """From 1/2 down to an eighth of that in 8 steps."""
    return 0.5 * (0.125 + 0.875 * (1 + np.cos(np.pi * np.minimum(t, 8) / 8)) / 2)


ROWS = {
    "O01a": same("m = mu m + g", momentum(0.9)),
    "O01b": same("the new rate acts on the whole buffer", momentum(0.9)),
    "O02": same("p - lr (g + mu m)", nesterov(0.9)),
    "O04": same("eps after the bias correction", lambda p, g, lr: np.ones_like(g)),
    "O12": same("all together", clipped),
    "O13b": pair(
        "alpha is a fraction; stays",
        naive=lambda t: cosine(t),
        aligned=lambda t: cosine(t[:9]),
    ),
    "N01": pair(
        "each update of equal gradients is lr",
        naive=lambda g: g / (g + 1e-8),
        aligned=lambda g: g.astype(np.float64) / (g + np.float64(1e-8)),
    ),
}
