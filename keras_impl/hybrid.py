"""Convolution below an LSTM in Keras: Conv2D, Permute and Reshape, LSTM.

Source
------
Shi, Bai & Yao (2017), IEEE TPAMI 39(11), 2298-2304, arXiv:1507.05717, for features
of a convolution read column by column; Donahue et al. (2015), CVPR, for convolution
below an LSTM. Here one convolution instead of seven, one LSTM from left to right
instead of two in both directions, one class for a picture instead of one symbol for
a column.

Equations
---------
::

    z  = x * W_1 + b_1          *: a kernel on every pixel, zeros around     (1)
    m  = f(avg_pool(z))         the mean of 2 x 2; f: relu, tanh, ...        (2)
    a_t = column t of m         all its pixels from the top, map by map      (3)
    h_t, c_t = lstm(a_t, h_(t-1), c_(t-1)) by W_x, W_h, b: see lstm.py       (4)
    prediction = h_T W_y + b_y  logits, when the last column has been read   (5)

Shapes
------
B batch, C channels of a picture, F x F pixels of a kernel, N kernels, P rows and T
columns that are left of the picture, H hidden units, K classes.
"""

import keras
from keras import layers

from keras_impl.activations import activation
from keras_impl.convolution import avg_pool, conv
from keras_impl.layers import dense
from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)
AROUND = {"stride": 1, "padding": "same", "bias": True}
HALVES = {"size": (2, 2), "stride": 2, "padding": "valid"}


def build_model(sizes, recipe):
    f = activation(recipe["activation"])
    kernel = (sizes["F"], sizes["F"])
    convolution = conv(channels=sizes["N"], kernel=kernel, **AROUND, name="conv")
    pool = avg_pool(**HALVES, name="pool")
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
        stateful=False,
        unroll=True,
        use_cudnn=False,
        name="lstm",
    )

    x = keras.Input(shape=tuple(sizes["shape"]), name="x")        # (B, 2P, 2T, C)
    z = convolution(x)                                            # (B, 2P, 2T, N)  (1)
    maps = layers.Activation(f)(pool(z))                          # (B, P, T, N)    (2)
    turned = layers.Permute((2, 1, 3))(maps)                      # (B, T, P, N)
    columns = layers.Reshape((turned.shape[1], -1))(turned)       # (B, T, P*N)     (3)
    hidden, last_hidden, cell = lstm(columns)                     # (4)
    logits = dense(units=sizes["K"], bias=True, name="logits")(last_hidden)  # (B, K)  (5)

    outputs = {"m": maps, "h": hidden, "c": cell, "prediction": logits}
    return Network({"x": x}, outputs, loss=loss, recipe=recipe, name="hybrid")


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


WEIGHTS = (
    Weight("conv/kernel", ("W_1",)),
    Weight("conv/bias", ("b_1",)),
    Weight("lstm/lstm_cell/kernel", ("W_x",)),
    Weight("lstm/lstm_cell/recurrent_kernel", ("W_h",)),
    Weight("lstm/lstm_cell/bias", ("b",)),
    Weight("logits/kernel", ("W_y",)),
    Weight("logits/bias", ("b_y",)),
)
