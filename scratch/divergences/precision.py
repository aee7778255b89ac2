"""Precision traps."""

import math

import numpy as np

from scratch.divergences.activations import erf, gelu, pair, same
from scratch.divergences.optimizers import cosine


def keras_momentum(mu):
    """Keras' order: the buffer holds steps, v = mu v - lr g."""

    def steps(p, g, lr):
        v = np.zeros_like(p)
        for gradient, rate in zip(g, lr, strict=True):
            v = mu * v - rate * gradient
            p = p + v
        return p

    return steps


def keras_adam(beta1, beta2, *, eps):
    """Keras' order: eps before the bias correction; betas as in its powers."""

    def steps(p, g, lr):
        m, v = np.zeros_like(p), np.zeros_like(p)
        for t, (gradient, rate) in enumerate(zip(g, lr, strict=True), start=1):
            m = m + (gradient - m) * (1 - 0.9)
            v = v + (gradient * gradient - v) * (1 - 0.999)
            alpha = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
            p = p - m * alpha / (np.sqrt(v) + eps)
        return p

    return steps


def single(number):
    """A number as float32 remembers it."""
    return float(np.float32(number))


def gelu_tanh(z):
    return z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2


def attention(x):
    """The vectors of x, mixed by softmax(x x' / sqrt(d))."""
    scores = x @ x.T / math.sqrt(x.shape[1])
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) @ x


def row_alone(x, others, W):
    return (x @ W)[0] - (x[:1] @ W)[0]


def row_in_company(x, others, W):
    return (x @ W)[0] - (others @ W)[0]


def elementary(z, size):
    return np.stack(
        [
            np.exp(z),
            np.tanh(z),
            1 / (1 + np.exp(-z)),
            erf(z).astype(z.dtype),
            np.log(size),
            np.logaddexp(0, z),
            1 / np.sqrt(size),
        ]
    )


def worst(values, truth, unit):
    return (np.abs(values.astype(np.float32) - truth) / unit).max(axis=1)


def doubled(*arrays):
    return (a.astype(np.float64) for a in arrays)


ROWS = {
    "P01": same("exact", lambda: np.float64(0.9)),
    "P02": pair(
        "0.9",
        naive=keras_momentum(0.9),
        aligned=keras_momentum(single(0.9)),
    ),
    "P03": pair(
        "0.9, 0.999",
        naive=keras_adam(0.9, 0.999, eps=1e-7),
        aligned=keras_adam(single(0.9), single(0.999), eps=1e-7),
    ),
    "P04": same("exact", lambda z, truth: gelu(z) / truth),
    "P05": same("exact", lambda z, truth: gelu_tanh(z) / truth),
    "P07": same("exact", lambda x: x / 255),
    "P10": same("R X R'", lambda image, R: R @ image @ R.T),
    "P11": same("the formula", attention),
    "P12": same("the formula", attention),
    "P13": same("the formula", attention),
    "P14": same("the formula", cosine),
    "P15": same("float64", lambda z: z),
    "P16": same("2^40", lambda n: n),
    "P17": pair(
        "promotes to float64",
        naive=lambda a, b: a @ b,
        aligned=lambda a, b: a.astype(np.float64) @ b,
    ),
    "P18": same("1.5", lambda n: n.mean()),
    "P19": pair(
        "becomes float64 (NEP 50)",
        naive=lambda x: np.float64(0.1) * x,
        aligned=lambda x: x.dtype.type(0.1) * x,
    ),
    "P20": pair(
        "one after the other along axis 0",
        naive=lambda x, truth: x.sum(axis=0) / truth,
        aligned=lambda x, truth: x.sum(axis=0, dtype=np.float64) / truth,
    ),
    "P21": pair("another kernel", naive=row_alone, aligned=row_in_company),
    "P22": same("always one", lambda x: 0.0),
    "P24": pair(
        "exp, sigmoid 2",
        naive=lambda z, size, truth, unit: worst(elementary(z, size), truth, unit),
        aligned=lambda z, size, truth, unit: worst(
            elementary(*doubled(z, size)), truth, unit
        ),
    ),
    "P25": pair(
        "1 + erf is 0",
        naive=lambda z, truth: (z * (1 + erf(z).astype(z.dtype)) / 2) / truth,
        aligned=lambda z, truth: truth / truth,
    ),
}
