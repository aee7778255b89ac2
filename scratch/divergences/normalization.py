"""Normalization, dropout and modes."""

import numpy as np

from scratch.divergences.pair import Pair


def normalized(x, axis, eps):
    mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    return (x - mean) / np.sqrt(var + eps)


def batch_norm(given):
    """Ioffe & Szegedy (2015), Algorithm 1."""
    return normalized(given["x"], axis=0, eps=1e-5)


def running_variance(given):
    return 0.9 * 1.0 + 0.1 * given["x"].var(0)


def layer_norm(given):
    """Ba, Kiros & Hinton (2016), equation (4), in float64 even where x is not."""
    return normalized(given["x"].astype("float64"), axis=1, eps=1e-5)


def group_norm(given):
    """Wu & He (2018), equations (1)-(3), two groups of channels."""
    B, H, W, C = given["x"].shape
    groups = given["x"].reshape(B, H, W, 2, C // 2)
    return normalized(groups, axis=(1, 2, 4), eps=1e-5).reshape(B, H, W, C)


def rms_norm(given):
    """Zhang & Sennrich (2019), equation (4), with an eps."""
    x = given["x"]
    return x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)


def dropout_naive(given):
    """Inverted dropout, mask drawn here."""
    x = given["x"]
    return x * 2.0 * (np.random.default_rng(0).random(x.shape) >= 0.5)


def dropout_aligned(given):
    return given["x"] * given["mask"]


def frozen_batch_norm(given):
    x, mean = given.values()
    return (x - mean) / np.sqrt(1.0 + 1e-5)


def std(given):
    return given["x"].std()


ROWS = {
    "L08a": Pair("eps=1e-5", batch_norm, batch_norm),
    "L08b": Pair("0.9 old + 0.1 batch", running_variance, running_variance),
    "L08c": Pair("biased, / n", running_variance, running_variance),
    "L09": Pair("eps=1e-5", layer_norm, layer_norm),
    "L09b": Pair("in float64: the truth", layer_norm, layer_norm),
    "L09c": Pair("eps=1e-5", group_norm, group_norm),
    "L09d": Pair("eps=1e-6", rms_norm, rms_norm),
    "L15a": Pair("its own generator", dropout_naive, dropout_aligned),
    "L15c": Pair("running statistics", frozen_batch_norm, frozen_batch_norm),
    "L19": Pair("np.std: ddof=0", std, std),
}
