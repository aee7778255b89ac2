"""Loss and accuracy of given predictions, computed the same way for every framework."""

from __future__ import annotations

import numpy as np

from nn_parity.batches import BINARY_LOSSES, INDEX_LOSSES


def loss(name: str, prediction: np.ndarray, y: np.ndarray) -> float:
    """Mean loss of predictions (N, K), or of logits (N, T, V) and tokens (N, T), in float64.

    Names are those of the recipes.
    """
    from scipy.special import logsumexp

    p = prediction.astype(np.float64)
    p, y = p.reshape(-1, p.shape[-1]), y.reshape(-1, *y.shape[prediction.ndim - 1 :])
    if name == "softmax_cross_entropy":
        return float((logsumexp(p, axis=1) - p[np.arange(len(y)), y]).mean())
    if name == "multiclass_hinge":
        rows = np.arange(len(y))
        short = np.maximum(0, 1 - p[rows, y][:, None] + p)
        short[rows, y] = 0
        return float(short.mean())
    if name == "binary_cross_entropy":
        return float((np.logaddexp(0, p) - y * p).mean())
    per_example = ((p - y) ** 2).sum(axis=1)
    if name == "mse":
        return float(per_example.mean() / p.shape[1])
    return float(per_example.mean() / (2 if name == "half_squared_error" else 1))


def decisions(name: str, prediction: np.ndarray) -> np.ndarray:
    """Class of each prediction (or token): the largest logit, or the side of one half."""
    if name in INDEX_LOSSES:
        return prediction.argmax(axis=-1)
    return (prediction[:, 0] > _threshold(name)).astype(int)


def margins(name: str, prediction: np.ndarray) -> np.ndarray:
    """How far each decision is from turning over, in units of the prediction."""
    if name in INDEX_LOSSES:
        top = np.sort(prediction, axis=-1)
        return top[..., -1] - top[..., -2]
    return np.abs(prediction[:, 0] - _threshold(name))


def truths(name: str, y: np.ndarray) -> np.ndarray:
    """Class of each target."""
    return y if name in INDEX_LOSSES else (y[:, 0] > 0.5).astype(int)


def probability(name: str, prediction: np.ndarray) -> np.ndarray:
    """First output as a probability: through the sigmoid where it is a logit."""
    from scipy.special import expit

    p = prediction[:, 0]
    return expit(p) if name in BINARY_LOSSES else p


def _threshold(name: str) -> float:
    return 0.0 if name in BINARY_LOSSES else 0.5
