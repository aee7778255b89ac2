"""The mean of word vectors: the probe for integer inputs and gradients made of rows."""

import keras
from keras import layers

from keras_impl.losses import softmax_cross_entropy
from keras_impl.model import Network
from keras_impl.weights import GIVEN, Weight

INPUTS = ()


def build_model(sizes, recipe):
    embedding = layers.Embedding(
        sizes["V"], sizes["M"], embeddings_initializer="zeros", name="embedding"
    )
    dense = layers.Dense(sizes["K"], use_bias=True, **GIVEN, name="logits")

    x = keras.Input(shape=(sizes["T"],), dtype="int64", name="x")   # (B, T)
    vectors = embedding(x)                                          # (B, T, M)
    mean = layers.GlobalAveragePooling1D()(vectors)                 # (B, M)
    logits = dense(mean)                                            # (B, K)

    outputs = {"e": vectors, "prediction": logits}
    return Network({"x": x}, outputs, loss=loss, recipe=recipe, name="tokens")


def loss(outputs, batch, recipe):
    return softmax_cross_entropy(batch["y"], outputs["prediction"])


WEIGHTS = (
    Weight("embedding/embeddings", ("E",)),
    Weight("logits/kernel", ("W",)),
    Weight("logits/bias", ("b",)),
)
