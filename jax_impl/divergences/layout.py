"""Layout, shape and padding.

Images are (batch, height, width, channels), kernels (height, width, in, out): JAX takes
any layout that is named, and flax has chosen this one.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jax_impl.divergences.pair import Pair

LAYOUT = ("NHWC", "HWIO", "NHWC")


def linear(given):
    x, W = map(jnp.asarray, given.values())
    return x @ W


# -- convolution -------------------------------------------------------------------------


def convolve(x, W, stride=1, padding="VALID", groups=1):
    return lax.conv_general_dilated(
        x,
        W,
        (stride, stride),
        padding,
        dimension_numbers=LAYOUT,
        feature_group_count=groups,
    )


def conv(given):
    x, W = map(jnp.asarray, given.values())
    return convolve(x, W)


def conv_transpose_naive(given):
    x, W = map(jnp.asarray, given.values())
    return lax.conv_transpose(x, W, (2, 2), "VALID", dimension_numbers=LAYOUT)


def conv_transpose_aligned(given):
    x, W = map(jnp.asarray, given.values())
    W = W[::-1, ::-1]
    return lax.conv_transpose(x, W, (2, 2), "VALID", dimension_numbers=LAYOUT)


def conv_transpose_same(given):
    x, W = map(jnp.asarray, given.values())
    W = W[::-1, ::-1]
    return lax.conv_transpose(x, W, (2, 2), "SAME", dimension_numbers=LAYOUT)


def same_stride_2(given):
    x, W = map(jnp.asarray, given.values())
    return convolve(x, W, stride=2, padding="SAME")


def depthwise_and_grouped(given):
    x, depthwise, grouped = map(jnp.asarray, given.values())
    return {
        "depthwise": convolve(x, depthwise.reshape(3, 3, 1, 8), groups=4),
        "grouped": convolve(x, grouped, groups=2),
    }


def flatten(given):
    x, W = map(jnp.asarray, given.values())
    return x.reshape(len(x), -1) @ W


# -- pooling -----------------------------------------------------------------------------

FRAME = ((0, 0), (1, 1), (1, 1), (0, 0))


def pool(x, start, combine, stride, padding):
    window, strides = (1, 3, 3, 1), (1, stride, stride, 1)
    return lax.reduce_window(x, start, combine, window, strides, padding)


def max_pool(given):
    return pool(jnp.asarray(given["x"]), -jnp.inf, lax.max, 2, FRAME)


def max_pool_same(given):
    return pool(jnp.asarray(given["x"]), -jnp.inf, lax.max, 2, "SAME")


def mean_pool_naive(given):
    return pool(jnp.asarray(given["x"]), 0.0, lax.add, 1, FRAME) / 9


def mean_pool_aligned(given):
    x = jnp.asarray(given["x"])
    counts = pool(jnp.ones_like(x), 0.0, lax.add, 1, FRAME)
    return pool(x, 0.0, lax.add, 1, FRAME) / counts


# -- resize ------------------------------------------------------------------------------


def resize(given, size, method, **settings):
    x = jnp.asarray(given["x"])
    return jax.image.resize(x, (1, size, size, 2), method, **settings)


def bilinear_up(given):
    return resize(given, 8, "bilinear", antialias=False)


def bilinear_down_naive(given):
    return resize(given, 3, "bilinear")


def bilinear_down_aligned(given):
    return resize(given, 3, "bilinear", antialias=False)


def nearest(given):
    return resize(given, 8, "nearest")


def bicubic(given):
    return resize(given, 8, "bicubic", antialias=False)


# -- S01b (N, 1) against (N,) ------------------------------------------------------------


def squared_error_naive(given):
    y, prediction = map(jnp.asarray, given.values())
    return jnp.mean((prediction - y) ** 2)


def squared_error_aligned(given):
    y, prediction = map(jnp.asarray, given.values())
    return jnp.mean((prediction - y.reshape(prediction.shape)) ** 2)


ROWS = {
    "L01": Pair("x @ W, (in, out)", linear, linear),
    "L02": Pair("any that is named", conv, conv),
    "L02b": Pair("cross-correlation", conv, conv),
    "L03": Pair("(h, w, in, out), not flipped", conv_transpose_naive, conv_transpose_aligned),
    "L03b": Pair("'SAME' is cropped to [:2H, :2W]", conv_transpose_same, conv_transpose_same),
    "L04": Pair("height, width, channels", flatten, flatten),
    "L05": Pair("pads 0 before, 1 behind", same_stride_2, same_stride_2),
    "L06": Pair("pads with the start value, -inf", max_pool, max_pool),
    "L06b": Pair("pads 0 before, 1 behind", max_pool_same, max_pool_same),
    "L07": Pair("flax: pads are counted", mean_pool_naive, mean_pool_aligned),
    "N23": Pair("(h, w, in/g, out)", depthwise_and_grouped, depthwise_and_grouped),
    "L18a": Pair("half-pixel centres", bilinear_up, bilinear_up),
    "L18b": Pair("antialias=True", bilinear_down_naive, bilinear_down_aligned),
    "L18c": Pair("half-pixel centres", nearest, nearest),
    "L18d": Pair("a = -0.5", bicubic, bicubic),
    "S01b": Pair("broadcasts to (N, N)", squared_error_naive, squared_error_aligned),
}
