"""Activations and subgradients."""

import math

import numpy as np

from scratch.divergences.pair import Pair


def by_name(f):
    """Make f a function of the row's arrays: their names are its arguments."""
    return lambda given: f(**given)


def pair(does, naive, aligned):
    """A Pair of functions of named arrays; ``aligned`` may be None."""
    return Pair(does, by_name(naive), aligned and by_name(aligned))


def same(does, f):
    """A Pair of a side that needs no setting."""
    return pair(does, f, f)


erf = np.vectorize(math.erf)


def gelu(z):
    return z * (1 + erf(z / math.sqrt(2))) / 2


def softplus(z):
    return np.logaddexp(0, z)


def hard_sigmoid(z):
    return np.clip(z / 6 + 0.5, 0, 1)


def hard_sigmoid_of_keras_2(z):
    return np.clip(0.2 * z + 0.5, 0, 1)


def at_defaults(z, hard_sigmoid):
    halves = np.split(z, 2, axis=-1)
    elu = np.where(z > 0, z, np.expm1(z))
    return {
        "elu": elu,
        "selu": 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * elu),
        "celu": elu,
        "silu": z / (1 + np.exp(-z)),
        "mish": z * np.tanh(softplus(z)),
        "hard_sigmoid": hard_sigmoid(z),
        "hard_swish": z * np.clip(z / 6 + 0.5, 0, 1),
        "relu6": np.clip(z, 0, 6),
        "softsign": z / (1 + np.abs(z)),
        "log_sigmoid": -softplus(-z),
        "glu": halves[0] / (1 + np.exp(-halves[1])),
        "hard_tanh": np.clip(z, -1, 1),
        "tanhshrink": z - np.tanh(z),
        "softshrink": np.sign(z) * np.maximum(np.abs(z) - 0.5, 0),
        "hardshrink": np.where(np.abs(z) > 0.5, z, 0),
    }


def first_maximum(z):
    """1 at the place that argmax names: the gradient as it is often written by hand."""
    return (np.arange(len(z)) == np.argmax(z)).astype(z.dtype)


def all_maxima(z):
    """The gradient shared by all that are largest."""
    return (z == z.max()) / (z == z.max()).sum()


def without_nan(z):
    return np.nan_to_num(z, nan=-np.inf)


ROWS = {
    "A01": same("exact", gelu),
    "A02": same("logaddexp(0, z)", softplus),
    "A04": pair(
        "Keras 2: hard sigmoid 0.2 z + 0.5",
        naive=lambda z: at_defaults(z, hard_sigmoid_of_keras_2),
        aligned=lambda z: at_defaults(z, hard_sigmoid),
    ),
    "A07": pair(
        "1 where it says z >= 0",
        naive=lambda z: dict.fromkeys(("relu", "maximum", "clip"), (z >= 0).astype(z.dtype)),
        aligned=lambda z: (z > 0).astype(z.dtype),
    ),
    "A09a": pair("argmax: the first", naive=first_maximum, aligned=all_maxima),
    "N10": pair(
        "keeps denormal numbers",
        naive=lambda z: np.exp(z).astype(np.float64) * 2.0**137,
        aligned=lambda z: np.exp(z.astype(np.float64)) * 2.0**137,
    ),
    "N19": pair(
        "NaN; argmax 0",
        naive=lambda image, scores: {
            "max_pool": image.max(axis=(1, 2), keepdims=True),
            "argmax": np.argmax(scores),
        },
        aligned=lambda image, scores: {
            "max_pool": without_nan(image).max(axis=(1, 2), keepdims=True),
            "argmax": np.argmax(without_nan(scores)),
        },
    ),
}
