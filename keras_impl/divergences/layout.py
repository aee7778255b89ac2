"""Layout, shape and padding.

Images are (batch, height, width, channels), kernels (height, width, in, out): mostly
Keras' own layouts, so that naive and aligned are often one function.
"""

import numpy as np
import tensorflow as tf
from keras import layers, losses, ops

from keras_impl.divergences.loading import loaded
from keras_impl.divergences.pair import Pair


def linear(given):
    x, W = given.values()
    return loaded(layers.Dense(6, use_bias=False), x, W)(x)


# -- convolution -------------------------------------------------------------------------


def conv(given):
    x, W = given.values()
    layer = layers.Conv2D(W.shape[-1], 3, strides=1, padding="valid", use_bias=False)
    return loaded(layer, x, W)(x)


def conv_transpose_naive(given):
    x, W = given.values()
    layer = layers.Conv2DTranspose(3, 3, strides=2, use_bias=False)
    return loaded(layer, x, W)(x)


def conv_transpose_aligned(given):
    x, W = given.values()
    layer = layers.Conv2DTranspose(3, 3, strides=2, padding="valid", use_bias=False)
    return loaded(layer, x, W.transpose(0, 1, 3, 2))(x)


def conv_transpose_same(given):
    x, W = given.values()
    layer = layers.Conv2DTranspose(2, 3, strides=2, padding="same", use_bias=False)
    return loaded(layer, x, W.transpose(0, 1, 3, 2))(x)


def same_stride_2(given):
    x, W = given.values()
    return loaded(layers.Conv2D(2, 3, strides=2, padding="same", use_bias=False), x, W)(x)


def depthwise_and_grouped(given):
    x, depthwise, grouped = given.values()
    by_channel = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    by_group = layers.Conv2D(6, 3, groups=2, use_bias=False)
    return {
        "depthwise": loaded(by_channel, x, depthwise)(x),
        "grouped": loaded(by_group, x, grouped)(x),
    }


def flatten(given):
    x, W = given.values()
    x = layers.Flatten()(x)
    return loaded(layers.Dense(7, use_bias=False), x, W)(x)


# -- pooling -----------------------------------------------------------------------------


def max_pool_naive(given):
    x = layers.ZeroPadding2D(1)(given["x"])
    return layers.MaxPooling2D(3, strides=2)(x)


def max_pool_aligned(given):
    frame = ((0, 0), (1, 1), (1, 1), (0, 0))
    x = ops.pad(given["x"], frame, mode="constant", constant_values=-np.inf)
    return layers.MaxPooling2D(3, strides=2, padding="valid")(x)


def max_pool_same(given):
    return layers.MaxPooling2D(3, strides=2, padding="same")(given["x"])


def mean_pool(given):
    return layers.AveragePooling2D(3, strides=1, padding="same")(given["x"])


# -- resize ------------------------------------------------------------------------------


def resize(given, size, interpolation):
    return ops.image.resize(
        given["x"],
        (size, size),
        interpolation=interpolation,
        antialias=False,
        data_format="channels_last",
    )


def bilinear_up(given):
    return resize(given, 8, "bilinear")


def bilinear_down(given):
    return resize(given, 3, "bilinear")


def nearest(given):
    return resize(given, 8, "nearest")


def bicubic(given):
    return resize(given, 8, "bicubic")


# -- the rest ----------------------------------------------------------------------------


def local_response_norm_naive(given):
    x = given["x"].astype("float32")
    return tf.nn.local_response_normalization(
        x, depth_radius=5, bias=2.0, alpha=0.5, beta=0.75
    )


def local_response_norm_aligned(given):
    x = given["x"].astype("float32")
    return tf.nn.local_response_normalization(
        x, depth_radius=2, bias=2.0, alpha=0.5, beta=0.75
    )


def squared_error_naive(given):
    y, prediction = given.values()
    return losses.MeanSquaredError()(y, prediction)


def squared_error_aligned(given):
    y, prediction = given.values()
    mean = losses.MeanSquaredError(reduction="sum_over_batch_size")
    return mean(y.reshape(prediction.shape), prediction)


ROWS = {
    "L01": Pair("(in, out)", linear, linear),
    "L02": Pair("(h, w, in, out)", conv, conv),
    "L02b": Pair("cross-correlation", conv, conv),
    "L03": Pair("(h, w, out, in)", conv_transpose_naive, conv_transpose_aligned),
    "L03b": Pair("cropped to [:2H, :2W]", conv_transpose_same, conv_transpose_same),
    "L04": Pair("height, width, channels", flatten, flatten),
    "L05": Pair("pads 0 before, 1 behind", same_stride_2, same_stride_2),
    "L06": Pair("ZeroPadding2D pads with 0", max_pool_naive, max_pool_aligned),
    "L06b": Pair("pads 0 before, 1 behind", max_pool_same, max_pool_same),
    "L07": Pair("pads are not counted", mean_pool, mean_pool),
    "N23": Pair(
        "(h, w, in, mult); (h, w, in/g, out)", depthwise_and_grouped, depthwise_and_grouped
    ),
    "L18a": Pair("half-pixel centres", bilinear_up, bilinear_up),
    "L18b": Pair("antialias=False", bilinear_down, bilinear_down),
    "L18c": Pair("half-pixel centres", nearest, nearest),
    "L18d": Pair("a = -0.5", bicubic, bicubic),
    "N30": Pair(
        "tf.nn: radius, not size", local_response_norm_naive, local_response_norm_aligned
    ),
    "S01b": Pair("squeezes (N, 1)", squared_error_naive, squared_error_aligned),
}
