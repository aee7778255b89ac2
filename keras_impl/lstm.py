"""LSTM sequence classifier in Keras: a functional model around the built-in LSTM layer.

Source
------
Hochreiter & Schmidhuber (1997), Neural Computation 9(8), 1735-1780; the forget
gate is from Gers, Schmidhuber & Cummins (2000), Neural Computation 12(10),
2451-2471. No peepholes; one bias.

Equations
---------
::

    z  = x_t W_x + h W_h + b           four gates in one product, i f g o    (1)
    i, f, o = sigmoid(z_i, z_f, z_o)   how much to write, keep, show         (2)
    g  = tanh(z_g)                     what to write                         (3)
    c' = f * c + i * g                 the cell: the only path without W     (4)
    h' = o * tanh(c')                                                        (5)
    prediction = h_T W_y + b_y         logits                                (6)

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
    lstm = layers.LSTM(
        sizes["H"],
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        unit_forget_bias=False,
        **GIVEN,
        recurrent_initializer="zeros",
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=0,             # never used, but None would draw one
        return_sequences=True,
        return_state=True,
        go_backwards=False,
        stateful=False,     # h and c start at zero in every batch
        unroll=True,        # T copies of the cell: at T = 28 a fifth faster than a loop
        use_cudnn=False,
        name="lstm",
    )
    dense = layers.Dense(
        sizes["K"], activation=None, use_bias=True, **GIVEN, name="logits"
    )

    x = keras.Input(shape=(sizes["T"], sizes["D"]), name="x")    # (B, T, D)
    mask = keras.Input(shape=(sizes["T"],), name="mask")         # (B, T)
    hidden, last_hidden, cell = lstm(x)                          # (1)-(5)
    inputs, outputs = {"x": x}, {}
    if recipe.get("padded"):
        inputs["mask"] = mask
        last_hidden = last_step(hidden, mask)                    # (B, H)
        outputs["h"] = blank(hidden, mask)                       # (B, T, H)
    else:
        outputs["h"] = hidden                                    # (B, T, H)
        outputs["c"] = cell                                      # (B, H)
    outputs["prediction"] = dense(last_hidden)                   # (B, K)    (6)
    return Network(inputs, outputs, loss=loss, recipe=recipe, name="lstm")


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


# Keras keeps the four gates side by side in the order i f g o, as the equations do.
WEIGHTS = (
    Weight("lstm/lstm_cell/kernel", ("W_x",)),
    Weight("lstm/lstm_cell/recurrent_kernel", ("W_h",)),
    Weight("lstm/lstm_cell/bias", ("b",)),
    Weight("logits/kernel", ("W_y",)),
    Weight("logits/bias", ("b_y",)),
)
