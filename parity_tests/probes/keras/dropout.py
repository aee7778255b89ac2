"""Dropout as multiplication by a given mask: the probe for noise that arrives as data."""

import keras
from keras import layers

from keras_impl.losses import softmax_cross_entropy
from keras_impl.model import Network
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    dense_1 = layers.Dense(sizes["H"], activation="tanh", **GIVEN, name="dense_1")
    dense_2 = layers.Dense(sizes["K"], activation=None, **GIVEN, name="dense_2")

    x = keras.Input(shape=(sizes["D"],), name="x")         # (B, D)
    mask = keras.Input(shape=(sizes["H"],), name="mask")   # (B, H)
    hidden = layers.Multiply()([dense_1(x), mask])         # (B, H)
    logits = dense_2(hidden)                               # (B, K)

    inputs = {"x": x, "mask": mask}
    outputs = {"h": hidden, "prediction": logits}
    return Network(inputs, outputs, loss=loss, recipe=recipe, name="dropout")


def loss(outputs, batch, recipe):
    return softmax_cross_entropy(batch["y"], outputs["prediction"])


WEIGHTS = (
    Weight("dense_{l}/kernel", ("W_{l}",)),
    Weight("dense_{l}/bias", ("b_{l}",)),
)
