"""Autoencoder in Keras: a functional model of Dense layers, there and back.

Source
------
Hinton & Salakhutdinov (2006), Science 313, 504-507. No pre-training layer by layer:
all weights learn at once, from random ones. There, transposed weights are where the
decoder starts; here tied weights are transposed for ever.

Equations
---------
::

    h_0 = x                                                            (1)
    z_l = h_(l-1) W_l + b_l     l = 1 ... L encodes, L+1 ... 2L decodes (2)
    z_l = h_(l-1) W_k' + b_l    a decoding layer where weights are tied:
                                those of its counterpart, k = 2L+1-l   (3)
    h_l = f_l(z_l)              f_l: relu, sigmoid, ...                (4)
    code = h_L                  all that the decoder learns about x    (5)
    prediction = h_2L           x again; logits where f_2L is the identity
                                and the loss a cross-entropy           (6)

Shapes
------
B batch, D inputs and outputs, M units below a layer, N units of that layer.
W_l is (M, N), b_l is (N,).
"""

import keras
from keras import layers, ops

from keras_impl.activations import activation
from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


class Transposed(layers.Layer):
    """The kernel of a Dense layer, the other way round; only the bias is its own."""

    def __init__(self, dense, *, name):
        super().__init__(name=name)
        self.dense = dense

    def build(self, shape):
        units, _ = self.dense.kernel.shape
        self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias")

    def call(self, hidden):
        return ops.matmul(hidden, ops.transpose(self.dense.kernel)) + self.bias


def build_model(sizes, recipe):
    x = keras.Input(shape=(sizes["D"],), name="x")               # (B, D)
    hidden = x                                                   # (B, D)  (1)
    outputs, built = {}, {}
    there = (sizes["D"], *sizes["H"])
    units = (*there[1:], *there[-2::-1])
    last = len(units)                                            # 2L
    for number, (size, function) in enumerate(
        zip(units, recipe["activations"], strict=True), start=1
    ):
        name, counterpart = f"dense_{number}", last + 1 - number
        if recipe["tied"] and counterpart in built:
            layer = Transposed(built[counterpart], name=name)
        else:
            layer = layers.Dense(size, activation=None, use_bias=True, **GIVEN, name=name)
        built[number] = layer
        z = layer(hidden)                                        # (B, N)  (2), (3)
        hidden = layers.Activation(activation(function))(z)      # (B, N)  (4)
        outputs |= {f"z_{number}": z, f"h_{number}": hidden}
    outputs["code"] = outputs.pop(f"h_{last // 2}")              # (5)
    outputs["prediction"] = outputs.pop(f"h_{last}")             # (B, D)  (6)
    return Network({"x": x}, outputs, loss=loss, recipe=recipe, name="autoencoder")


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


WEIGHTS = (
    Weight("dense_{l}/kernel", ("W_{l}",)),                      # tied: the encoder's alone
    Weight("dense_{l}/bias", ("b_{l}",)),
)
