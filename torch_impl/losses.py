"""Losses: canonical name -> function(prediction, y), PyTorch's own kernels inside.

``logits`` are predictions before softmax or sigmoid. B examples, K classes or outputs.
Shapes that do not fit are refused, here or by PyTorch.
"""

import torch.nn.functional as F


def softmax_cross_entropy(logits, y):
    """Mean of -log softmax(logits)[y]; logits (B, K), y (B,) class indices."""
    return F.cross_entropy(logits, y, reduction="mean", label_smoothing=0.0)


def binary_cross_entropy(logits, y):
    """Mean of -y log p - (1 - y) log(1 - p) at p = sigmoid(logits)."""
    _same_shape(logits, y)
    return F.binary_cross_entropy_with_logits(logits, y, reduction="mean")


def mse(prediction, y):
    """(p - y)^2, mean over all elements."""
    _same_shape(prediction, y)
    return F.mse_loss(prediction, y, reduction="mean")


def squared_error(prediction, y):
    """(p - y)^2, summed over the outputs, mean over the examples."""
    _same_shape(prediction, y)
    return F.mse_loss(prediction, y, reduction="sum") / len(y)


def half_squared_error(prediction, y):
    """1/2 (p - y)^2: its gradient is the plain error."""
    return squared_error(prediction, y) / 2


def _same_shape(prediction, y):
    if prediction.shape != y.shape:  # PyTorch would broadcast (B, 1) and (B,) to (B, B)
        shapes = f"prediction {tuple(prediction.shape)}, y {tuple(y.shape)}"
        raise ValueError(f"{shapes}: they differ -> give y the shape of the prediction")


LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
    "squared_error": squared_error,
    "half_squared_error": half_squared_error,
}
