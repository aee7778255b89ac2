"""GRU sequence classifier in Keras: a functional model around the built-in GRU layer.

Source
------
Cho et al. (2014), EMNLP, 1724-1734. Departures: the reset gate r comes after the product
with W_h, not before it (Cho: x W_x + (r * h) W_h), so that one product serves all three; there
are biases, two of them; and the output reads the last step.

Equations
---------
::

    a  = x_t W_x + b_x                 what comes in: three parts, r z n     (1)
    q  = h W_h + b_h                   what was, in the same three parts     (2)
    r, z = sigmoid(a_rz + q_rz)        how much to reset, how much to keep   (3)
    n  = tanh(a_n + r * q_n)           the new state                         (4)
    h' = z * h + (1 - z) * n                                                 (5)
    prediction = h_T W_y + b_y         logits, or numbers                    (6)

Shapes
------
B batch, T time steps, D inputs, H hidden units, K classes.
"""

import keras
import numpy as np
from keras import layers

from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.padding import blank, last_step
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    gru = layers.GRU(
        sizes["H"],
        activation="tanh",
        recurrent_activation="sigmoid",
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
        reset_after=True,   # r * (h W_h + b_h), with a bias of its own
        use_cudnn=False,
        name="gru",
    )
    dense = layers.Dense(
        sizes["K"], activation=None, use_bias=True, **GIVEN, name="logits"
    )

    x = keras.Input(shape=(sizes["T"], sizes["D"]), name="x")    # (B, T, D)
    mask = keras.Input(shape=(sizes["T"],), name="mask")         # (B, T)
    hidden, last_hidden = gru(x)                                 # (1)-(5)
    inputs, outputs = {"x": x}, {}
    if recipe.get("padded"):
        inputs["mask"] = mask
        last_hidden = last_step(hidden, mask)                    # (B, H)
        hidden = blank(hidden, mask)                             # (B, T, H)
    outputs["h"] = hidden                                        # (B, T, H)
    outputs["prediction"] = dense(last_hidden)                   # (B, K)    (6)
    return Network(inputs, outputs, loss=loss, recipe=recipe, name="gru")


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


def swapped(W):
    """From r z n to z r n, as Keras keeps the three parts, and back again."""
    r, z, n = np.split(W, 3, axis=-1)
    return np.concatenate([z, r, n], axis=-1)


def stacked(b_x, b_h):
    return swapped(np.stack([b_x, b_h]))


WEIGHTS = (
    Weight("gru/gru_cell/kernel", ("W_x",), swapped, lambda W: (swapped(W),)),
    Weight("gru/gru_cell/recurrent_kernel", ("W_h",), swapped, lambda W: (swapped(W),)),
    Weight("gru/gru_cell/bias", ("b_x", "b_h"), stacked, lambda b: tuple(swapped(b))),
    Weight("logits/kernel", ("W_y",)),
    Weight("logits/bias", ("b_y",)),
)
