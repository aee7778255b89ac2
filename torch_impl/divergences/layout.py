"""Layout, shape and padding.

Images come as (batch, height, width, channels), kernels as (height, width, in, out), and
images go back so.
"""

import torch
import torch.nn.functional as F

from torch_impl.divergences.pair import Pair


def channels_first(x):
    return x.permute(0, 3, 1, 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1)


# -- L01 linear --------------------------------------------------------------------------


def linear_naive(given):
    x, W = map(torch.from_numpy, given.values())
    return F.linear(x, W)


def linear_aligned(given):
    x, W = map(torch.from_numpy, given.values())
    return F.linear(x, W.T)


# -- L02, L02b convolution ---------------------------------------------------------------


def conv_naive(given):
    x, W = map(torch.from_numpy, given.values())
    return channels_last(F.conv2d(channels_first(x), W))


def conv_aligned(given):
    x, W = map(torch.from_numpy, given.values())
    W = W.permute(3, 2, 0, 1)
    return channels_last(F.conv2d(channels_first(x), W, stride=1, padding=0))


# -- L03, L03b transposed convolution ----------------------------------------------------


def conv_transpose_naive(given):
    x, W = map(torch.from_numpy, given.values())
    return channels_last(F.conv_transpose2d(channels_first(x), W, stride=2))


def conv_transpose_aligned(given):
    x, W = map(torch.from_numpy, given.values())
    W = W.permute(2, 3, 0, 1)
    y = F.conv_transpose2d(channels_first(x), W, stride=2, padding=0, output_padding=0)
    return channels_last(y)


def conv_transpose_same_naive(given):
    x, W = map(torch.from_numpy, given.values())
    W = W.permute(2, 3, 0, 1)
    y = F.conv_transpose2d(channels_first(x), W, stride=2, padding=1, output_padding=1)
    return channels_last(y)


def conv_transpose_same_aligned(given):
    _, height, width, _ = given["x"].shape
    return conv_transpose_aligned(given)[:, :2 * height, :2 * width]


# -- L04 flatten -------------------------------------------------------------------------


def flatten_naive(given):
    x, W = map(torch.from_numpy, given.values())
    return channels_first(x).flatten(1) @ W


def flatten_aligned(given):
    x, W = map(torch.from_numpy, given.values())
    _, height, width, channels = x.shape
    rows = W.reshape(height, width, channels, -1).permute(2, 0, 1, 3)
    return channels_first(x).flatten(1) @ rows.flatten(0, 2)


# -- L05 'same' with stride 2 ------------------------------------------------------------


def same_stride_2_naive(given):
    x, W = map(torch.from_numpy, given.values())
    W = W.permute(3, 2, 0, 1)
    return channels_last(F.conv2d(channels_first(x), W, stride=2, padding=1))


def same_stride_2_aligned(given):
    x, W = map(torch.from_numpy, given.values())
    W = W.permute(3, 2, 0, 1)
    x = F.pad(channels_first(x), (0, 1, 0, 1), value=0.0)
    return channels_last(F.conv2d(x, W, stride=2, padding=0))


# -- L06, L06b, L07 pooling --------------------------------------------------------------


def max_pool(given):
    x = channels_first(torch.from_numpy(given["x"]))
    return channels_last(F.max_pool2d(x, 3, stride=2, padding=1))


def max_pool_same_aligned(given):
    x = channels_first(torch.from_numpy(given["x"]))
    x = F.pad(x, (0, 1, 0, 1), value=-torch.inf)
    return channels_last(F.max_pool2d(x, 3, stride=2, padding=0))


def mean_pool_naive(given):
    x = channels_first(torch.from_numpy(given["x"]))
    return channels_last(F.avg_pool2d(x, 3, stride=1, padding=1))


def mean_pool_aligned(given):
    x = channels_first(torch.from_numpy(given["x"]))
    y = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return channels_last(y)


# -- N23 depthwise and grouped -----------------------------------------------------------


def depthwise_and_grouped_naive(given):
    """A reshape gives the right shape, and the wrong kernel."""
    x, depthwise, grouped = map(torch.from_numpy, given.values())
    return two_convolutions(x, depthwise.reshape(8, 1, 3, 3), grouped.reshape(6, 2, 3, 3))


def depthwise_and_grouped_aligned(given):
    x, depthwise, grouped = map(torch.from_numpy, given.values())
    depthwise = depthwise.permute(2, 3, 0, 1).reshape(8, 1, 3, 3)
    return two_convolutions(x, depthwise, grouped.permute(3, 2, 0, 1))


def two_convolutions(x, depthwise, grouped):
    x = channels_first(x)
    return {
        "depthwise": channels_last(F.conv2d(x, depthwise, groups=4)),
        "grouped": channels_last(F.conv2d(x, grouped, groups=2)),
    }


# -- L18a-L18d resize --------------------------------------------------------------------


def resize(given, size, **settings):
    x = channels_first(torch.from_numpy(given["x"]))
    return channels_last(F.interpolate(x, size=(size, size), **settings))


def bilinear_up_naive(given):
    return resize(given, 8, mode="bilinear", align_corners=True)


def bilinear_up_aligned(given):
    return resize(given, 8, mode="bilinear", align_corners=False, antialias=False)


def bilinear_down(given):
    return resize(given, 3, mode="bilinear", align_corners=False, antialias=False)


def nearest_naive(given):
    return resize(given, 8, mode="nearest")


def nearest_aligned(given):
    return resize(given, 8, mode="nearest-exact")


def bicubic(given):
    return resize(given, 8, mode="bicubic", align_corners=False)


# -- N30 local response normalization ----------------------------------------------------


def local_response_norm_naive(given):
    x = channels_first(torch.from_numpy(given["x"]).float())
    return channels_last(F.local_response_norm(x, size=5, alpha=0.5, beta=0.75, k=2.0))


def local_response_norm_aligned(given):
    x = channels_first(torch.from_numpy(given["x"]).float())
    y = F.local_response_norm(x, size=5, alpha=0.5 * 5, beta=0.75, k=2.0)
    return channels_last(y)


# -- S01b (N, 1) against (N,) ------------------------------------------------------------


def squared_error_naive(given):
    """PyTorch warns, and goes on with N x N differences."""
    y, prediction = map(torch.from_numpy, given.values())
    return F.mse_loss(prediction, y)


def squared_error_aligned(given):
    y, prediction = map(torch.from_numpy, given.values())
    return F.mse_loss(prediction, y.reshape(prediction.shape), reduction="mean")


ROWS = {
    "L01": Pair("(out, in)", linear_naive, linear_aligned),
    "L02": Pair("(out, in, h, w)", conv_naive, conv_aligned),
    "L02b": Pair("cross-correlation", conv_aligned, conv_aligned),
    "L03": Pair("(in, out, h, w)", conv_transpose_naive, conv_transpose_aligned),
    "L03b": Pair(
        "padding=1, output_padding=1", conv_transpose_same_naive, conv_transpose_same_aligned
    ),
    "L04": Pair("channels, height, width", flatten_naive, flatten_aligned),
    "L05": Pair("padding=1 on both sides", same_stride_2_naive, same_stride_2_aligned),
    "L06": Pair("pads with -inf", max_pool, max_pool),
    "L06b": Pair("padding=1 on both sides", max_pool, max_pool_same_aligned),
    "L07": Pair("pads are counted", mean_pool_naive, mean_pool_aligned),
    "N23": Pair(
        "(out, in/g, h, w)", depthwise_and_grouped_naive, depthwise_and_grouped_aligned
    ),
    "L18a": Pair("align_corners=True, often seen", bilinear_up_naive, bilinear_up_aligned),
    "L18b": Pair("antialias=False", bilinear_down, bilinear_down),
    "L18c": Pair("'nearest' rounds down", nearest_naive, nearest_aligned),
    "L18d": Pair("a = -0.75", bicubic, None),
    "N30": Pair("alpha / size", local_response_norm_naive, local_response_norm_aligned),
    "S01b": Pair("broadcasts to (N, N), warns", squared_error_naive, squared_error_aligned),
}
