"""Losses: forward returns (loss, cache), backward returns dloss/dprediction.

``logits`` are what the last layer says before softmax or sigmoid. K classes, B examples.
"""

import numpy as np


def softmax_cross_entropy_forward(logits, y):
    """Mean over the batch of -log softmax(logits)[y]; y (B,) holds class indices.

    Softmax and logarithm are one step: the log of a rounded probability is where
    saturated logits lose everything.
    """
    rows = np.arange(len(y))                              # (B,)
    z = logits - logits.max(axis=1, keepdims=True)        # (B, K)
    e = np.exp(z)                                         # (B, K)
    s = e.sum(axis=1, keepdims=True)                      # (B, 1)
    log_p = z[rows, y] - np.log(s[:, 0])                  # (B,)
    loss = -log_p.sum() / len(y)
    return loss, (rows, e, s, y)


def softmax_cross_entropy_backward(cache):
    """(softmax(logits) - onehot(y)) / B: the adjoints of the five lines, simplified."""
    rows, e, s, y = cache
    dlogits = e / s                                       # (B, K)
    dlogits[rows, y] -= 1
    dlogits /= len(y)                                     # (B, K)
    return dlogits


def binary_cross_entropy_forward(logits, y):
    """Mean of softplus(z) - y z, which is -y log p - (1 - y) log(1 - p) at p = sigmoid(z)."""
    _same_shape(logits, y)
    # softplus(z) = max(z, 0) + log(1 + e^-|z|) cannot overflow
    positive = np.where(logits.real > 0, logits, 0)       # (B, K)
    e = np.exp(logits - 2 * positive)                     # (B, K)  e^-|z|
    losses = positive + np.log1p(e) - y * logits          # (B, K)
    loss = losses.sum() / losses.size
    return loss, (logits, e, y)


def binary_cross_entropy_backward(cache):
    """(sigmoid(z) - y) / (number of elements)."""
    logits, e, y = cache
    p = np.where(logits.real > 0, 1, e) / (1 + e)         # (B, K)
    return (p - y) / y.size


def mse_forward(p, y):
    """Mean over all elements of (p - y)^2."""
    _same_shape(p, y)
    r = p - y                                             # (B, K)
    loss = (r * r).sum() / r.size
    return loss, r


def mse_backward(r):
    return 2 * r / r.size


def squared_error_forward(p, y):
    """(p - y)^2 as the courses write it: summed over the outputs, mean over the examples."""
    _same_shape(p, y)
    r = p - y                                             # (B, K)
    loss = (r * r).sum() / len(r)
    return loss, r


def squared_error_backward(r):
    return 2 * r / len(r)


def half_squared_error_forward(p, y):
    """1/2 (p - y)^2: its gradient is the plain error, which makes SGD the delta rule."""
    loss, r = squared_error_forward(p, y)
    return loss / 2, r


def half_squared_error_backward(r):
    return r / len(r)


def _same_shape(p, y):
    if p.shape != y.shape:  # (N, 1) against (N,) would broadcast to (N, N)
        raise ValueError(f"prediction {p.shape} and target {y.shape} differ in shape")


# canonical name -> (forward, backward)
LOSSES = {
    "softmax_cross_entropy": (softmax_cross_entropy_forward, softmax_cross_entropy_backward),
    "binary_cross_entropy": (binary_cross_entropy_forward, binary_cross_entropy_backward),
    "mse": (mse_forward, mse_backward),
    "squared_error": (squared_error_forward, squared_error_backward),
    "half_squared_error": (half_squared_error_forward, half_squared_error_backward),
}


def of_prediction(outputs, batch, recipe):
    """The loss of most networks: recipe["loss"] between the prediction and batch["y"].

    Returns the loss and its derivative with respect to the outputs it looks at.
    """
    forward, backward = LOSSES[recipe["loss"]]
    loss, cache = forward(outputs["prediction"], batch["y"])
    return loss, {"prediction": backward(cache)}
