"""Layout, shape and padding: what the equations say.

Images are (batch, height, width, channels), kernels (height, width, in, out).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scratch.divergences.pair import Pair


def linear(given):
    x, W = given.values()
    return x @ W


# -- convolution -------------------------------------------------------------------------


def windows(x, size, stride):
    """Every size x size part of the images, its height and width as the last two axes."""
    return sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def correlate(x, W, stride=1):
    return np.einsum("bpqchw,hwco->bpqo", windows(x, len(W), stride), W)


def correlation(given):
    x, W = given.values()
    return correlate(x, W)


def convolution(given):
    """What mathematics calls so: the kernel is turned round."""
    x, W = given.values()
    return correlate(x, W[::-1, ::-1])


def spread(x, W, stride):
    """Adjoint of `correlate`: each pixel puts down a kernel, `stride` apart."""
    B, height, width, _ = x.shape
    size, _, _, out = W.shape
    y = np.zeros((B, (height - 1) * stride + size, (width - 1) * stride + size, out))
    for i, j in np.ndindex(size, size):
        y[:, i:i + stride * height:stride, j:j + stride * width:stride] += x @ W[i, j]
    return y


def conv_transpose(given):
    x, W = given.values()
    return spread(x, W, stride=2)


def conv_transpose_same(given):
    x, W = given.values()
    _, height, width, _ = x.shape
    return spread(x, W, stride=2)[:, :2 * height, :2 * width]


def same_stride_2(given):
    x, W = given.values()
    return correlate(np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))), W, stride=2)


def depthwise_and_grouped(given):
    x, depthwise, grouped = given.values()
    channels = [correlate(x[..., [c]], depthwise[:, :, [c]]) for c in range(4)]
    groups = [correlate(x[..., :2], grouped[..., :3]), correlate(x[..., 2:], grouped[..., 3:])]
    return {"depthwise": np.concatenate(channels, -1), "grouped": np.concatenate(groups, -1)}


def flatten(given):
    x, W = given.values()
    return x.reshape(len(x), -1) @ W


# -- pooling -----------------------------------------------------------------------------


def framed(x, value):
    return np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=value)


def max_pool_of_zeros(given):
    return windows(framed(given["x"], 0.0), 3, 2).max((-2, -1))


def max_pool(given):
    return windows(framed(given["x"], -np.inf), 3, 2).max((-2, -1))


def max_pool_same(given):
    x = np.pad(given["x"], ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
    return windows(x, 3, 2).max((-2, -1))


def mean_pool_of_zeros(given):
    return windows(framed(given["x"], 0.0), 3, 1).mean((-2, -1))


def mean_pool(given):
    return np.nanmean(windows(framed(given["x"], np.nan), 3, 1), axis=(-2, -1))


# -- the rest ----------------------------------------------------------------------------


def local_response_norm(given):
    """Krizhevsky et al. (2012), section 3.3: n = 5, k = 2, alpha = 0.5, beta = 0.75."""
    x = given["x"]
    squares = np.pad(x * x, ((0, 0), (0, 0), (0, 0), (2, 2)))
    total = sliding_window_view(squares, 5, axis=-1).sum(-1)
    return x / (2.0 + 0.5 * total) ** 0.75


def squared_error_broadcast(given):
    y, prediction = given.values()
    return np.mean((prediction - y) ** 2)


def squared_error(given):
    y, prediction = given.values()
    return np.mean((prediction - y[:, None]) ** 2)


ROWS = {
    "L01": Pair("x @ W, (in, out)", linear, linear),
    "L02": Pair("(h, w, in, out)", correlation, correlation),
    "L02b": Pair("convolution: flipped", convolution, correlation),
    "L03": Pair("(h, w, in, out)", conv_transpose, conv_transpose),
    "L03b": Pair("cropped to [:2H, :2W]", conv_transpose_same, conv_transpose_same),
    "L04": Pair("height, width, channels", flatten, flatten),
    "L05": Pair("pads 0 before, 1 behind", same_stride_2, same_stride_2),
    "L06": Pair("np.pad pads with 0", max_pool_of_zeros, max_pool),
    "L06b": Pair("pads 0 before, 1 behind", max_pool_same, max_pool_same),
    "L07": Pair("np.pad, then mean: counted", mean_pool_of_zeros, mean_pool),
    "N23": Pair("(h, w, in, mult)", depthwise_and_grouped, depthwise_and_grouped),
    "N30": Pair("alpha times the sum over 5", local_response_norm, local_response_norm),
    "S01b": Pair("broadcasts to (N, N)", squared_error_broadcast, squared_error),
}
