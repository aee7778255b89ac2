"""One neuron in Keras: a Dense layer with one unit, then its activation.

Source
------
McCulloch & Pitts (1943), Bulletin of Mathematical Biophysics 5, 115-133, for the
threshold unit; Widrow & Hoff (1960), IRE WESCON Convention Record 4, 96-104, for
learning by error times input.

Equations
---------
::

    z = x W + b          one weighted sum                       (1)
    prediction = f(z)    f: step, identity, sigmoid, tanh, relu (2)

Shapes
------
B batch, D inputs, one output.
"""

import keras
from keras import layers

from keras_impl.activations import activation
from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    (function,) = recipe["activations"]
    dense = layers.Dense(1, activation=None, use_bias=True, **GIVEN, name="dense")

    x = keras.Input(shape=(sizes["D"],), name="x")               # (B, D)
    z = dense(x)                                                 # (B, 1)  (1)
    prediction = layers.Activation(activation(function))(z)      # (B, 1)  (2)

    outputs = {"z": z, "prediction": prediction}
    return Network({"x": x}, outputs, loss=loss, recipe=recipe, name="neuron")


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


WEIGHTS = (
    Weight("dense/kernel", ("W",)),
    Weight("dense/bias", ("b",)),
)
