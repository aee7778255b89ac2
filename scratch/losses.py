"""Losses: forward returns (loss, cache), backward returns dloss/dprediction.

``logits`` are what the last layer says before softmax or sigmoid. K classes or outputs, B
examples. Every loss is a mean over the examples, or with ``weight`` (B,) the weighted mean
sum_i w_i l_i / sum_i w_i. What l_i, the loss of one example, is, each docstring says.
"""

from functools import cache, partial

import numpy as np

from scratch.names import choose

# -- a class for each example --------------------------------------------------------------


def softmax_cross_entropy_forward(logits, y, weight=None):
    """The loss -log softmax(logits)[y]; y (B,) holds class indices.

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
    total = B if weight is None else weight.sum()         # not differentiated
    loss = -np.add.reduce(log_p if weight is None else weight * log_p) / total
    return loss, (at, e, s, weight, total)


def softmax_cross_entropy_backward(cache):
    """All adjoints together are (softmax(logits) - onehot(y)) / B."""
    at, e, s, weight, total = cache
    # loss = -np.add.reduce(log_p if weight is None else weight * log_p) / total
    dlog_p = (s.dtype.type(-1) if weight is None else -weight) / total  # unweighted: one number
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


def multiclass_hinge_forward(scores, y, weight=None):
    """Weston & Watkins (1999): 1/K sum over the wrong classes j of max(0, 1 - s_y + s_j).

    Source: Support vector machines for multi-class pattern recognition, ESANN.
    """
    B, K = scores.shape                                   # not differentiated
    w, total = _weights(weight, scores)                   # not differentiated
    wrong = y[:, None] != np.arange(K)                    # (B, K)  not differentiated
    true = scores[np.arange(B), y][:, None]               # (B, 1)
    margin = 1 - true + scores                            # (B, K)
    on = wrong & (margin.real > 0)                        # (B, K)  not differentiated
    losses = np.where(on, margin, 0)                      # (B, K)
    loss = (w * losses).sum() / (total * K)
    return loss, (margin, on, wrong, w, total)


def multiclass_hinge_backward(cache):
    """A wrong class within the margin is pushed down, the true one up as often."""
    margin, on, wrong, w, total = cache
    # loss = (w * losses).sum() / (total * K)
    dlosses = w * np.ones_like(margin) / (total * margin.shape[1])  # (B, K)
    # losses = np.where(on, margin, 0)
    dmargin = np.where(on, dlosses, 0)                    # (B, K)
    # margin = 1 - true + scores
    dtrue = -dmargin.sum(axis=1, keepdims=True)           # (B, 1)
    dscores = dmargin                                     # (B, K)
    # true = scores[np.arange(B), y][:, None]
    dscores = dscores + np.where(wrong, 0, dtrue)         # (B, K)
    return dscores


# -- probabilities for each example ----------------------------------------------------------


def log_softmax_forward(logits):
    """The logarithm of softmax, finite wherever the logits are."""
    z = logits - logits.max(axis=1, keepdims=True)        # (B, K)
    e = np.exp(z)                                         # (B, K)
    s = e.sum(axis=1, keepdims=True)                      # (B, 1)
    log_p = z - np.log(s)                                 # (B, K)
    return log_p, (e, s)


def log_softmax_backward(dlog_p, cache):
    e, s = cache
    # log_p = z - np.log(s)
    dz = dlog_p                                           # (B, K)
    ds = -dlog_p.sum(axis=1, keepdims=True) / s           # (B, 1)
    # s = e.sum(axis=1, keepdims=True)
    de = ds                                               # (B, 1)  the same for every class
    # e = np.exp(z)
    dz = dz + de * e                                      # (B, K)
    # z = logits - logits.max(axis=1, keepdims=True)
    dlogits = dz                                          # (B, K)  a shift changes no softmax
    return dlogits


def softmax_cross_entropy_one_hot_forward(logits, y, weight=None):
    """The loss -sum_k y_k log softmax(logits)_k; rows of y (B, K) are probabilities."""
    _same_shape(logits, y)
    w, total = _weights(weight, y)                        # not differentiated
    log_p, cache = log_softmax_forward(logits)            # (B, K)
    loss = -(w * y * log_p).sum() / total
    return loss, (cache, y, w, total)


def softmax_cross_entropy_one_hot_backward(cache):
    cache, y, w, total = cache
    # loss = -(w * y * log_p).sum() / total
    dlog_p = -w * y / total                               # (B, K)
    # log_p, cache = log_softmax_forward(logits)
    dlogits = log_softmax_backward(dlog_p, cache)         # (B, K)
    return dlogits


def kl_divergence_forward(logits, y, weight=None):
    """Sum_k y_k (log y_k - log softmax(logits)_k), where 0 log 0 is 0; y as above."""
    _same_shape(logits, y)
    w, total = _weights(weight, y)                        # not differentiated
    log_y = np.log(y + (y == 0))                          # (B, K)  not differentiated
    log_p, cache = log_softmax_forward(logits)            # (B, K)
    loss = (w * y * (log_y - log_p)).sum() / total
    return loss, (cache, y, w, total)


def kl_divergence_backward(cache):
    """The entropy of y is a constant: the gradient is cross-entropy's."""
    cache, y, w, total = cache
    # loss = (w * y * (log_y - log_p)).sum() / total
    dlog_p = -w * y / total                               # (B, K)
    # log_p, cache = log_softmax_forward(logits)
    dlogits = log_softmax_backward(dlog_p, cache)         # (B, K)
    return dlogits


# -- a number for each output ----------------------------------------------------------------


def binary_cross_entropy_forward(logits, y, weight=None):
    """Mean over outputs of softplus(z) - y z: -y log p - (1 - y) log(1 - p), p = sigmoid(z)."""
    _same_shape(logits, y)
    w, total = _weights(weight, y)                        # not differentiated
    # softplus(z) = max(z, 0) + log(1 + e^-|z|) cannot overflow
    positive = np.where(logits.real > 0, logits, 0)       # (B, K)
    e = np.exp(logits - 2 * positive)                     # (B, K)  e^-|z|
    losses = positive + np.log1p(e) - y * logits          # (B, K)
    loss = (w * losses).sum() / (total * _outputs(y))
    return loss, (logits, e, y, w, total)


def binary_cross_entropy_backward(cache):
    """All adjoints together are (sigmoid(z) - y) / (number of elements)."""
    logits, e, y, w, total = cache
    # loss = (w * losses).sum() / (total * _outputs(y))
    dlosses = w * np.ones_like(e) / (total * _outputs(y))  # (B, K)
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


def hinge_forward(scores, y, weight=None):
    """Cortes & Vapnik (1995): max(0, 1 - y s), mean over outputs; y is -1 or +1.

    Source: Machine Learning 20, 273-297.
    """
    _same_shape(scores, y)
    w, total = _weights(weight, y)                        # not differentiated
    margin = 1 - y * scores                               # (B, K)
    losses = np.where(margin.real > 0, margin, 0)         # (B, K)
    loss = (w * losses).sum() / (total * _outputs(y))
    return loss, (margin, y, w, total)


def hinge_backward(cache):
    margin, y, w, total = cache
    # loss = (w * losses).sum() / (total * _outputs(y))
    dlosses = w * np.ones_like(margin) / (total * _outputs(y))  # (B, K)
    # losses = np.where(margin.real > 0, margin, 0)
    dmargin = np.where(margin.real > 0, dlosses, 0)       # (B, K)
    # margin = 1 - y * scores
    dscores = -y * dmargin                                # (B, K)
    return dscores


def mse_forward(p, y, weight=None):
    """Mean over outputs of (p - y)^2."""
    _same_shape(p, y)
    w, total = _weights(weight, y)                        # not differentiated
    r = p - y                                             # (B, K)
    loss = (w * (r * r)).sum() / (total * _outputs(y))
    return loss, (r, w, total)


def mse_backward(cache):
    r, w, total = cache
    # loss = (w * (r * r)).sum() / (total * _outputs(y))
    dr = w * (2 * r) / (total * _outputs(r))              # (B, K)
    # r = p - y
    dp = dr                                               # (B, K)
    return dp


def squared_error_forward(p, y, weight=None):
    """(p - y)^2 as the courses write it: summed over the outputs."""
    _same_shape(p, y)
    w, total = _weights(weight, y)                        # not differentiated
    r = p - y                                             # (B, K)
    loss = (w * (r * r)).sum() / total
    return loss, (r, w, total)


def squared_error_backward(cache):
    r, w, total = cache
    # loss = (w * (r * r)).sum() / total
    dr = w * (2 * r) / total                              # (B, K)
    # r = p - y
    dp = dr                                               # (B, K)
    return dp


def half_squared_error_forward(p, y, weight=None):
    """1/2 (p - y)^2: its gradient is the plain error, which makes SGD the delta rule."""
    whole, cache = squared_error_forward(p, y, weight)
    loss = whole / 2
    return loss, cache


def half_squared_error_backward(cache):
    # loss = whole / 2
    dwhole = 0.5
    # whole, cache = squared_error_forward(p, y, weight)
    dp = dwhole * squared_error_backward(cache)           # (B, K)
    return dp


def huber_forward(p, y, weight=None, *, delta):
    """Huber (1964): r^2/2 where |r| <= delta, else delta (|r| - delta/2); mean over outputs.

    Source: Annals of Mathematical Statistics 35, 73-101.
    """
    _same_shape(p, y)
    w, total = _weights(weight, y)                        # not differentiated
    r = p - y                                             # (B, K)
    size = np.where(r.real < 0, -r, r)                    # (B, K)  |r|
    inner = np.where(size.real < delta, size, delta)      # (B, K)  what is squared
    losses = inner * inner / 2 + delta * (size - inner)   # (B, K)
    loss = (w * losses).sum() / (total * _outputs(y))
    return loss, (r, size, inner, w, total)


def huber_backward(cache, *, delta):
    """All adjoints together are r, cut off at -delta and delta, over the elements."""
    r, size, inner, w, total = cache
    # loss = (w * losses).sum() / (total * _outputs(y))
    dlosses = w * np.ones_like(r) / (total * _outputs(r))  # (B, K)
    # losses = inner * inner / 2 + delta * (size - inner)
    dinner = dlosses * (inner - delta)                    # (B, K)
    dsize = dlosses * delta                               # (B, K)
    # inner = np.where(size.real < delta, size, delta)
    dsize = dsize + np.where(size.real < delta, dinner, 0)  # (B, K)
    # size = np.where(r.real < 0, -r, r)
    dr = np.sign(r.real) * dsize                          # (B, K)
    # r = p - y
    dp = dr                                               # (B, K)
    return dp


def huber(delta):
    """The pair of a given delta."""
    return partial(huber_forward, delta=delta), partial(huber_backward, delta=delta)


# -- what they share -------------------------------------------------------------------------


def _same_shape(p, y):
    if p.shape != y.shape:  # NumPy would broadcast (N, 1) and (N,) to (N, N)
        raise ValueError(f"prediction {p.shape} and target {y.shape} differ in shape")


def _weights(weight, y):
    """What each example counts, to be multiplied with arrays (B, ...), and the sum of that."""
    if weight is None:
        return 1, len(y)
    return weight.reshape(-1, *[1] * (y.ndim - 1)), weight.sum()


def _outputs(y):
    """How many numbers one example has."""
    return y.size // len(y)


# canonical name -> (forward, backward), or what makes such a pair of a setting
LOSSES = {
    "softmax_cross_entropy": (softmax_cross_entropy_forward, softmax_cross_entropy_backward),
    "softmax_cross_entropy_one_hot": (
        softmax_cross_entropy_one_hot_forward,
        softmax_cross_entropy_one_hot_backward,
    ),
    "kl_divergence": (kl_divergence_forward, kl_divergence_backward),
    "multiclass_hinge": (multiclass_hinge_forward, multiclass_hinge_backward),
    "binary_cross_entropy": (binary_cross_entropy_forward, binary_cross_entropy_backward),
    "hinge": (hinge_forward, hinge_backward),
    "mse": (mse_forward, mse_backward),
    "squared_error": (squared_error_forward, squared_error_backward),
    "half_squared_error": (half_squared_error_forward, half_squared_error_backward),
    "huber(delta)": huber,
}


@cache
def loss_pair(name):
    """(forward, backward) of a name such as "mse" or "huber(1.5)"; else ValueError."""
    return choose(LOSSES, "loss", name)


def of_prediction(outputs, batch, recipe):
    """The loss of most networks: recipe["loss"] between the prediction and batch["y"].

    batch["weight"], if it is there, weighs the examples. Returns the loss and its
    derivative with respect to the outputs it looks at.
    """
    forward, backward = loss_pair(recipe["loss"])
    loss, cache = forward(outputs["prediction"], batch["y"], batch.get("weight"))
    return loss, {"prediction": backward(cache)}


def of_tokens(outputs, batch, recipe):
    """The same where the prediction (B, T, V) names a token at every position: y is (B, T).

    The mean is over all tokens, or with batch["y_mask"] (B, T) of ones and zeros over the
    real ones: for the loss a token is an example, and what stands in the padding counts 0.
    """
    prediction, y, mask = outputs["prediction"], batch["y"], batch.get("y_mask")
    forward, backward = loss_pair(recipe["loss"])
    flat = prediction.reshape(y.size, -1)                 # (N, V)  N tokens
    loss, cache = forward(flat, y.ravel(), None if mask is None else mask.ravel())
    return loss, {"prediction": backward(cache).reshape(prediction.shape)}
