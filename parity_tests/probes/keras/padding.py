"""A mean over the valid steps: the probe for batches padded to one length."""

import keras
from keras import layers, ops

from keras_impl.losses import softmax_cross_entropy
from keras_impl.model import Network
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    dense_1 = layers.Dense(sizes["H"], activation="tanh", **GIVEN, name="dense_1")
    dense_2 = layers.Dense(sizes["K"], activation=None, **GIVEN, name="dense_2")

    x = keras.Input(shape=(sizes["T"], sizes["D"]), name="x")        # (B, T, D)
    mask = keras.Input(shape=(sizes["T"],), name="mask")             # (B, T)
    hidden = dense_1(x)                                              # (B, T, H)
    # where: whatever stands in the padding, its share is exactly 0.
    valid = ops.expand_dims(mask > 0, axis=-1)                       # (B, T, 1)
    kept = ops.where(valid, hidden, ops.zeros_like(hidden))          # (B, T, H)
    length = ops.sum(mask, axis=1, keepdims=True)                    # (B, 1)
    pooled = ops.sum(kept, axis=1) / length                          # (B, H)
    logits = dense_2(pooled)                                         # (B, K)

    inputs = {"x": x, "mask": mask}
    outputs = {"pooled": pooled, "prediction": logits}
    return Network(inputs, outputs, loss=loss, recipe=recipe, name="padding")


def loss(outputs, batch, recipe):
    return softmax_cross_entropy(batch["y"], outputs["prediction"])


WEIGHTS = (
    Weight("dense_{l}/kernel", ("W_{l}",)),
    Weight("dense_{l}/bias", ("b_{l}",)),
)
