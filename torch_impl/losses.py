"""Losses: canonical name -> function(prediction, y, weight=None), PyTorch's own kernels.

``logits`` and ``scores`` are predictions before softmax or sigmoid. B examples, K
classes or outputs. With ``weight`` (B,) the mean over the examples is sum(w l) / sum(w).
Shapes that do not fit are refused, here or by PyTorch.
"""

from functools import cache, partial

import torch
import torch.nn.functional as F

from torch_impl.names import choose


def softmax_cross_entropy(logits, y, weight=None):
    """-log softmax(logits)[y]; logits (B, K), y (B,) class indices."""
    # The setting `weight` of PyTorch's function would be one number for each class.
    return _mean(partial(F.cross_entropy, logits, y, label_smoothing=0.0), weight)


def softmax_cross_entropy_one_hot(logits, y, weight=None):
    """-sum of y log softmax(logits); y (B, K) probabilities, one-hot or smoothed."""
    _same_shape(logits, y)
    return _mean(partial(F.cross_entropy, logits, y, label_smoothing=0.0), weight)


def binary_cross_entropy(logits, y, weight=None):
    """-y log p - (1 - y) log(1 - p) at p = sigmoid(logits)."""
    _same_shape(logits, y)
    return _mean(partial(F.binary_cross_entropy_with_logits, logits, y), weight)


def mse(prediction, y, weight=None):
    """(p - y)^2, mean over all elements."""
    _same_shape(prediction, y)
    return _mean(partial(F.mse_loss, prediction, y), weight)


def squared_error(prediction, y, weight=None):
    """(p - y)^2, summed over the outputs, mean over the examples."""
    _same_shape(prediction, y)
    if weight is None:
        return F.mse_loss(prediction, y, reduction="sum") / len(y)
    return _weighted(F.mse_loss(prediction, y, reduction="none").flatten(1).sum(1), weight)


def half_squared_error(prediction, y, weight=None):
    """1/2 (p - y)^2: its gradient is the plain error."""
    return squared_error(prediction, y, weight) / 2


def hinge(scores, y, weight=None):
    """max(0, 1 - y s); scores and y (B, 1), y is -1 or +1.

    PyTorch has no such loss: hinge_embedding_loss is another one, margin_ranking_loss
    the same but with derivative 1 at the kink.
    """
    _same_shape(scores, y)
    losses = torch.relu(1 - y * scores)
    return losses.mean() if weight is None else _weighted(losses.mean(1), weight)


def multiclass_hinge(scores, y, weight=None):
    """Mean over k of max(0, 1 - s_y + s_k), 0 for k = y: Weston & Watkins (1999).

    scores (B, K), y (B,) class indices.
    """
    return _mean(partial(F.multi_margin_loss, scores, y, p=1, margin=1.0), weight)


def huber(prediction, y, weight=None, *, delta):
    """r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2); mean over all elements."""
    _same_shape(prediction, y)
    return _mean(partial(F.huber_loss, prediction, y, delta=delta), weight)


def kl_divergence(logits, y, weight=None):
    """Sum of y (log y - log softmax(logits)); y (B, K) probabilities, mean over B."""
    _same_shape(logits, y)
    log_p = F.log_softmax(logits, dim=-1)
    loss = partial(F.kl_div, log_p, y, log_target=False)
    if weight is None:
        return loss(reduction="batchmean")  # "mean" divides by K, too
    return _weighted(loss(reduction="none").sum(1), weight)


def _mean(loss, weight):
    """Mean by PyTorch, or weighted, the outputs of one example averaged first."""
    if weight is None:
        return loss(reduction="mean")
    losses = loss(reduction="none")
    return _weighted(losses.flatten(1).mean(1) if losses.ndim > 1 else losses, weight)


def _weighted(losses, weight):
    """sum(w l) / sum(w), both (B,)."""
    if weight.shape != losses.shape:
        shapes = f"weight {tuple(weight.shape)}, losses {tuple(losses.shape)}"
        raise ValueError(f"{shapes}: they differ -> give one weight for each example")
    return (weight * losses).sum() / weight.sum()


def _same_shape(prediction, y):
    if prediction.shape != y.shape:  # PyTorch would broadcast (B, 1) and (B,) to (B, B)
        shapes = f"prediction {tuple(prediction.shape)}, y {tuple(y.shape)}"
        raise ValueError(f"{shapes}: they differ -> give y the shape of the prediction")


LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "softmax_cross_entropy_one_hot": softmax_cross_entropy_one_hot,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
    "squared_error": squared_error,
    "half_squared_error": half_squared_error,
    "hinge": hinge,
    "multiclass_hinge": multiclass_hinge,
    "huber(delta)": huber,
    "kl_divergence": kl_divergence,
}


@cache
def loss_function(name):
    """Return the loss of a name such as "mse" or "huber(0.5)"; ValueError for another."""
    return choose(LOSSES, "loss", name)


def of_tokens(outputs, batch, recipe):
    """The loss where the prediction (B, T, V) names a token at every position: y is (B, T).

    The mean is over all tokens, or with batch["y_mask"] (B, T) of ones and zeros over the
    real ones: for the loss a token is an example, and what stands in the padding counts 0.
    """
    prediction, y, mask = outputs["prediction"], batch["y"], batch.get("y_mask")
    loss = loss_function(recipe["loss"])
    flat = prediction.flatten(0, 1)  # (N, V)  N tokens
    return loss(flat, y.flatten(), None if mask is None else mask.flatten())
