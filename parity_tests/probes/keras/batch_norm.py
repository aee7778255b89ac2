"""Batch normalization between two Dense layers: the probe for state."""

import keras
from keras import layers

from keras_impl.losses import softmax_cross_entropy
from keras_impl.model import Network
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    norm = layers.BatchNormalization(
        axis=-1,
        momentum=0.9,     # the weight of the old value
        epsilon=1e-5,
        center=True,
        scale=True,
        synchronized=False,
        name="norm",
    )
    dense_1 = layers.Dense(sizes["H"], use_bias=True, **GIVEN, name="dense_1")
    dense_2 = layers.Dense(sizes["K"], use_bias=True, **GIVEN, name="dense_2")

    x = keras.Input(shape=(sizes["D"],), name="x")   # (B, D)
    z = dense_1(x)                                   # (B, H)
    n = norm(z)                                      # (B, H)
    logits = dense_2(n)                              # (B, K)

    outputs = {"z": z, "n": n, "prediction": logits}
    return Network({"x": x}, outputs, loss=loss, recipe=recipe, name="batch_norm")


def loss(outputs, batch, recipe):
    return softmax_cross_entropy(batch["y"], outputs["prediction"])


WEIGHTS = (
    Weight("dense_{l}/kernel", ("W_{l}",)),
    Weight("dense_{l}/bias", ("b_{l}",)),
    Weight("norm/gamma", ("gamma",)),
    Weight("norm/beta", ("beta",)),
    Weight("norm/moving_mean", ("mean",)),
    Weight("norm/moving_variance", ("var",)),
)
