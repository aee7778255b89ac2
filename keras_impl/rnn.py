"""Elman's recurrent network in Keras: a functional model around the SimpleRNN layer.

Source
------
Elman (1990), Cognitive Science 14, 179-211. Departures: tanh for the logistic
function, as is usual by now (or ReLU, if the recipe says so); the gradient runs through all
steps, not through the last one only: backpropagation through time, Werbos (1990),
Proceedings of the IEEE 78(10), 1550-1560; and the output reads the last step.

Equations
---------
::

    z  = x_t W_x + h W_h + b           what comes in, what was, a bias       (1)
    h' = f(z)                          f: tanh or ReLU                       (2)
    prediction = h_T W_y + b_y         logits, or numbers                    (3)

Shapes
------
B batch, T time steps, D inputs, H hidden units, K classes.
"""

import keras
from keras import layers

from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.padding import blank, last_step
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    rnn = layers.SimpleRNN(
        sizes["H"],
        activation=recipe["nonlinearity"],
        use_bias=True,
        **GIVEN,
        recurrent_initializer="zeros",
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=0,             # never used, but None would draw one
        return_sequences=True,
        return_state=True,
        go_backwards=False,
        stateful=False,     # h starts at zero in every batch
        unroll=True,        # T copies of the cell instead of a loop
        name="rnn",
    )
    dense = layers.Dense(
        sizes["K"], activation=None, use_bias=True, **GIVEN, name="logits"
    )

    x = keras.Input(shape=(sizes["T"], sizes["D"]), name="x")    # (B, T, D)
    mask = keras.Input(shape=(sizes["T"],), name="mask")         # (B, T)
    hidden, last_hidden = rnn(x)                                 # (1), (2)
    inputs, outputs = {"x": x}, {}
    if recipe.get("padded"):
        inputs["mask"] = mask
        last_hidden = last_step(hidden, mask)                    # (B, H)
        hidden = blank(hidden, mask)                             # (B, T, H)
    outputs["h"] = hidden                                        # (B, T, H)
    outputs["prediction"] = dense(last_hidden)                   # (B, K)    (3)
    return Network(inputs, outputs, loss=loss, recipe=recipe, name="rnn")


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


WEIGHTS = (
    Weight("rnn/simple_rnn_cell/kernel", ("W_x",)),
    Weight("rnn/simple_rnn_cell/recurrent_kernel", ("W_h",)),
    Weight("rnn/simple_rnn_cell/bias", ("b",)),
    Weight("logits/kernel", ("W_y",)),
    Weight("logits/bias", ("b_y",)),
)
