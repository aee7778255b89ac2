"""Multilayer perceptron in Keras: a functional model of Dense and Activation layers.

Source
------
Rumelhart, Hinton & Williams (1986), Nature 323, 533-536.

Equations
---------
::

    h_0 = x                                                        (1)
    z_l = h_(l-1) W_l + b_l    one weighted sum per unit           (2)
    h_l = f_l(z_l)             f_l: sigmoid, tanh, relu, ...       (3)
    prediction = h_L           logits where f_L is the identity    (4)

Shapes
------
B batch, D inputs, M units below a layer, N units of that layer, K outputs.
W_l is (M, N), b_l is (N,).
"""

import keras
from keras import layers

from keras_impl.activations import activation
from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    x = keras.Input(shape=(sizes["D"],), name="x")               # (B, D)
    hidden = x                                                   # (B, D)  (1)
    outputs = {}
    units = (*sizes["H"], sizes["K"])
    for number, (size, function) in enumerate(
        zip(units, recipe["activations"], strict=True), start=1
    ):
        z, hidden = fully_connected(hidden, size, function, f"dense_{number}")
        outputs |= {f"z_{number}": z, f"h_{number}": hidden}
    prediction = outputs.pop(f"h_{number}")                      # (B, K)  (4)
    outputs["prediction"] = prediction
    return Network({"x": x}, outputs, loss=loss, recipe=recipe, name="mlp")


def fully_connected(hidden, size, function, name):
    dense = layers.Dense(size, activation=None, use_bias=True, **GIVEN, name=name)
    z = dense(hidden)                                            # (B, N)  (2)
    hidden = layers.Activation(activation(function))(z)          # (B, N)  (3)
    return z, hidden


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


WEIGHTS = (
    Weight("dense_{l}/kernel", ("W_{l}",)),
    Weight("dense_{l}/bias", ("b_{l}",)),
)
