"""Initial weights and random numbers."""

import math

from keras import initializers, layers, ops, random

from keras_impl.divergences.pair import Pair


def deviations(layer, *names):
    weights = dict(zip(names, layer.weights, strict=False))
    return {name: ops.std(weight) for name, weight in weights.items()}


def linear_naive(given):
    layer = layers.Dense(300)
    layer.build((None, 400))
    return deviations(layer, "W", "b")


def linear_aligned(given):
    layer = layers.Dense(300)
    layer.build((None, 400))
    layer.set_weights(list(given.values()))
    return deviations(layer, "W", "b")


def conv_naive(given):
    layer = layers.Conv2D(32, 3)
    layer.build((None, 8, 8, 16))
    return deviations(layer, "W")


def conv_aligned(given):
    layer = layers.Conv2D(32, 3, use_bias=False)
    layer.build((None, 8, 8, 16))
    layer.set_weights([given["W"]])
    return deviations(layer, "W")


def largest(W, deviation):
    return ops.max(ops.abs(W)) / deviation


def he_normal(given):
    return largest(initializers.HeNormal(seed=0)((400, 300)), math.sqrt(2 / 400))


def truncated(given):
    draw = initializers.TruncatedNormal(mean=0.0, stddev=0.02, seed=0)
    return largest(draw((400, 300)), 0.02)


def lstm_naive(given):
    layer = layers.LSTM(64)
    layer.build((None, None, 28))
    return deviations(layer, "W_x", "W_h")


def lstm_aligned(given):
    layer = layers.LSTM(64, use_bias=False)
    layer.build((None, None, 28))
    layer.set_weights(list(given.values()))
    return deviations(layer, "W_x", "W_h")


def first_normal(given):
    return random.normal((), seed=0, dtype="float32")


def drawn(given):
    return ops.convert_to_tensor(given["drawn"])


ROWS = {
    "I01": Pair("glorot uniform; bias 0", linear_naive, linear_aligned),
    "I02": Pair("glorot uniform", conv_naive, conv_aligned),
    "I03": Pair("cut off at 2.27", he_normal, he_normal),
    "I04": Pair("cut off at 2 deviations", truncated, truncated),
    "I05": Pair("glorot uniform; orthogonal", lstm_naive, lstm_aligned),
    "I06": Pair("-1.697", first_normal, drawn),
}
