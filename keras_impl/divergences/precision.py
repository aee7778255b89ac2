"""Precision traps."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from keras.optimizers import SGD, Adam
from keras.optimizers.schedules import CosineDecay

from keras_impl.divergences.activations import pair, same
from keras_impl.divergences.optimizers import rates, walk


def gelu(z):
    return z * (1 + ops.erf(z / math.sqrt(2))) / 2


def gelu_tanh(z):
    return z * (1 + ops.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2


def gelu_by_erfc(z):
    return z * tf.math.erfc(-z / math.sqrt(2)) / 2


def log_cosh(p, y):
    r = p - y
    return ops.mean(r + ops.softplus(-2 * r) - math.log(2))


def resize(image, R):
    size = (len(R), len(R))
    return ops.image.resize(image[..., None], size, interpolation="bilinear")[..., 0]


def attention(x, **settings):
    x = x[None, :, None, :]  # (batch, time, heads, elements)
    return ops.dot_product_attention(x, x, x, **settings)[0, :, 0]


def attention_with_exact_scale(x):
    return attention(x, scale=np.float64(1 / math.sqrt(x.shape[1])))


def attention_layer(x):
    """MultiHeadAttention with one head whose four matrices are the identity."""
    d = x.shape[1]
    layer = layers.MultiHeadAttention(num_heads=1, key_dim=d, use_bias=False)
    layer.build((1, *x.shape), (1, *x.shape))
    enter, leave = np.eye(d).reshape(d, 1, d), np.eye(d).reshape(1, d, d)
    layer.set_weights([enter, enter, enter, leave])
    return layer(x[None], x[None])[0]


def row_alone(x, others, W):
    return (x @ W)[0] - (x[:1] @ W)[0]


def row_in_company(x, others, W):
    return (x @ W)[0] - (others @ W)[0]


def layer(x, W):
    return ops.tanh(x @ W)


by_xla = tf.function(layer, jit_compile=True)
by_graph = tf.function(layer, jit_compile=False)


def elementary(z, size):
    return ops.stack(
        [
            ops.exp(z),
            ops.tanh(z),
            ops.sigmoid(z),
            ops.erf(z),
            ops.log(size),
            ops.softplus(z),
            ops.rsqrt(size),
        ]
    )


def worst(values, truth, unit):
    single = double(ops.cast(values, "float32"))
    return ops.max(ops.abs(single - truth) / unit, axis=1)


def double(x):
    return ops.cast(x, "float64")


ROWS = {
    "P01": pair(
        "ops.cast: 0.8999999761581421",
        naive=lambda: ops.cast(0.9, "float64"),
        aligned=lambda: ops.cast(np.float64(0.9), "float64"),
    ),
    "P02": same("momentum 0.8999999761581421", walk(SGD, momentum=0.9)),
    "P03": same("powers of float32 betas", walk(Adam, epsilon=1e-7)),
    "P04": pair(
        "TensorFlow: a float32 constant",
        naive=lambda z, truth: ops.gelu(z, approximate=False) / truth,
        aligned=lambda z, truth: gelu(z) / truth,
    ),
    "P05": pair(
        "TensorFlow: float32 constants",
        naive=lambda z, truth: ops.gelu(z, approximate=True) / truth,
        aligned=lambda z, truth: gelu_tanh(z) / truth,
    ),
    "P06": pair(
        "a float32 slope; ReLU(negative_slope), too",
        naive=lambda z, truth: ops.leaky_relu(z, negative_slope=0.1) / truth,
        aligned=lambda z, truth: ops.where(z > 0, z, 0.1 * z) / truth,
    ),
    "P07": pair(
        "Rescaling(1 / 255): a float32 factor",
        naive=lambda x: layers.Rescaling(1 / 255)(x),
        aligned=lambda x: layers.Rescaling(np.float64(1 / 255))(x),
    ),
    "P08": pair(
        "a float32 log 2",
        naive=lambda p, y, truth: keras.losses.LogCosh()(y, p) / truth,
        aligned=lambda p, y, truth: log_cosh(p, y) / truth,
    ),
    "P09": pair(
        "a float32 factor",
        naive=lambda w, truth: keras.regularizers.L2(0.01)(w) / truth,
        aligned=lambda w, truth: 0.01 * ops.sum(w * w) / truth,
    ),
    "P10": pair(
        "computed in float32",
        naive=resize,
        aligned=lambda image, R: R @ image @ ops.transpose(R),
    ),
    "P11": pair(
        "a float32 scale",
        naive=attention,
        aligned=attention_with_exact_scale,
    ),
    "P12": pair(
        "a float32 scale; 4 or 16 elements hide it",
        naive=attention_layer,
        aligned=attention_with_exact_scale,
    ),
    "P14": pair(
        "float32",
        naive=lambda t: rates(CosineDecay(0.5, 8, alpha=0.125), t),
        aligned=lambda t: rates(CosineDecay(np.float64(0.5), 8, alpha=0.125), t),
    ),
    "P15": pair(
        "a float32 layer casts silently",
        naive=lambda z: layers.Activation("linear", dtype="float32")(z),
        aligned=lambda z: layers.Activation("linear", dtype="float64")(z),
    ),
    "P16": same("2^40", lambda n: n),
    "P17": pair(
        "ops.matmul promotes to float64",
        naive=lambda a, b: ops.matmul(a, b),
        aligned=lambda a, b: ops.matmul(double(a), b),
    ),
    "P18": pair(
        "tf.reduce_mean 1; ops.mean 1.5",
        naive=lambda n: tf.reduce_mean(n),
        aligned=lambda n: ops.mean(n),
    ),
    "P19": pair(
        "stays float32",
        naive=lambda x: np.float64(0.1) * x,
        aligned=lambda x: ops.convert_to_tensor(0.1, x.dtype) * x,
    ),
    "P20": pair(
        "one after the other along axis 0",
        naive=lambda x, truth: double(ops.sum(x, axis=0)) / truth,
        aligned=lambda x, truth: ops.sum(double(x), axis=0) / truth,
    ),
    "P21": pair("another kernel", naive=row_alone, aligned=row_in_company),
    "P23": pair(
        "jit_compile=True against a graph",
        naive=lambda x, W: by_xla(x, W) - by_graph(x, W),
        aligned=lambda x, W: by_xla(x, W) - by_xla(x, W),
    ),
    "P24": pair(
        "tanh, erf 5; sigmoid 6",
        naive=lambda z, size, truth, unit: worst(elementary(z, size), truth, unit),
        aligned=lambda z, size, truth, unit: worst(
            elementary(double(z), double(size)), truth, unit
        ),
    ),
    "P25": pair(
        "erfc: 200 units of the last place",
        naive=lambda z, truth: double(ops.gelu(z, approximate=False)) / truth,
        aligned=lambda z, truth: gelu_by_erfc(double(z)) / truth,
    ),
}
