"""Losses: forward returns (loss, cache), backward returns dloss/dprediction.

``logits`` are what the last layer says before softmax or sigmoid. K classes, B examples.
"""

import numpy as np


def softmax_cross_entropy_forward(logits, y):
    """Mean over the batch of -log softmax(logits)[y]; y (B,) holds class indices.

    Softmax and logarithm are one step: the log of a rounded probability is where
    saturated logits lose everything.
    """
    B = len(y)                                            # not differentiated
    at = y * B + np.arange(B)                             # (B,)    not differentiated
    a = np.ascontiguousarray(logits.T)                    # (K, B)  sums over classes go faster
    z = a - np.maximum.reduce(a)                          # (K, B)
    e = np.exp(z)                                         # (K, B)
    s = np.add.reduce(e)                                  # (B,)
    log_p = z.take(at) - np.log(s)                        # (B,)    at: the true class of each
    loss = -np.add.reduce(log_p) / B
    return loss, (at, e, s)


def softmax_cross_entropy_backward(cache):
    """All adjoints together are (softmax(logits) - onehot(y)) / B."""
    at, e, s = cache
    # loss = -np.add.reduce(log_p) / B
    dlog_p = s.dtype.type(-1) / len(s)                    # ()  the same for every example
    # log_p = z.take(at) - np.log(s)
    ds = -dlog_p / s                                      # (B,)
    # s = np.add.reduce(e)
    de = ds                                               # (B,)  the same for every class
    # e = np.exp(z)
    dz = de * e                                           # (K, B)
    flat = dz.ravel()                                     # (K*B,)  the same memory
    flat[at] += dlog_p                                    # (B,)  z stood in log_p, too
    # z = a - np.maximum.reduce(a)
    da = dz                                               # (K, B)  a shift changes no softmax
    # a = np.ascontiguousarray(logits.T)
    dlogits = da.T                                        # (B, K)
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
    """All adjoints together are (sigmoid(z) - y) / (number of elements)."""
    logits, e, y = cache
    # loss = losses.sum() / losses.size
    dlosses = np.ones_like(e) / e.size                    # (B, K)
    # losses = positive + np.log1p(e) - y * logits
    dpositive = dlosses                                   # (B, K)
    de = dlosses / (1 + e)                                # (B, K)
    dlogits = -y * dlosses                                # (B, K)
    # e = np.exp(logits - 2 * positive)
    dlogits = dlogits + de * e                            # (B, K)
    dpositive = dpositive - 2 * de * e                    # (B, K)
    # positive = np.where(logits.real > 0, logits, 0)
    dlogits = dlogits + np.where(logits.real > 0, dpositive, 0)  # (B, K)
    return dlogits


def mse_forward(p, y):
    """Mean over all elements of (p - y)^2."""
    _same_shape(p, y)
    r = p - y                                             # (B, K)
    loss = (r * r).sum() / r.size
    return loss, r


def mse_backward(r):
    # loss = (r * r).sum() / r.size
    dr = 2 * r / r.size                                   # (B, K)
    # r = p - y
    dp = dr                                               # (B, K)
    return dp


def squared_error_forward(p, y):
    """(p - y)^2 as the courses write it: summed over the outputs, mean over the examples."""
    _same_shape(p, y)
    r = p - y                                             # (B, K)
    loss = (r * r).sum() / len(r)
    return loss, r


def squared_error_backward(r):
    # loss = (r * r).sum() / len(r)
    dr = 2 * r / len(r)                                   # (B, K)
    # r = p - y
    dp = dr                                               # (B, K)
    return dp


def half_squared_error_forward(p, y):
    """1/2 (p - y)^2: its gradient is the plain error, which makes SGD the delta rule."""
    whole, r = squared_error_forward(p, y)
    loss = whole / 2
    return loss, r


def half_squared_error_backward(r):
    # loss = whole / 2
    dwhole = 0.5
    # whole, r = squared_error_forward(p, y)
    dp = dwhole * squared_error_backward(r)               # (B, K)
    return dp


def _same_shape(p, y):
    if p.shape != y.shape:  # NumPy would broadcast (N, 1) and (N,) to (N, N)
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
