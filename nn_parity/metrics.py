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
    """Class of each prediction (or token): the largest logit, or the side of one half.

    Of several numbers each has its side.
    """
    if name in INDEX_LOSSES:
        return prediction.argmax(axis=-1)
    return (_numbers(prediction) > _threshold(name)).astype(int)


def margins(name: str, prediction: np.ndarray) -> np.ndarray:
    """How far each decision is from turning over, in units of the prediction."""
    if name in INDEX_LOSSES:
        top = np.sort(prediction, axis=-1)
        return top[..., -1] - top[..., -2]
    return np.abs(_numbers(prediction) - _threshold(name))


def truths(name: str, y: np.ndarray) -> np.ndarray:
    """Class of each target."""
    return y if name in INDEX_LOSSES else (_numbers(y) > 0.5).astype(int)


def probability(name: str, prediction: np.ndarray) -> np.ndarray:
    """Return outputs as probabilities: through the sigmoid where they are logits."""
    from scipy.special import expit

    p = _numbers(prediction)
    return expit(p) if name in BINARY_LOSSES else p


def _numbers(outputs: np.ndarray) -> np.ndarray:
    """(N,) of one output, and all (N, K) of several."""
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs


def _threshold(name: str) -> float:
    return 0.0 if name in BINARY_LOSSES else 0.5
