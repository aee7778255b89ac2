"""LeNet-5 in Keras: Conv2D, MaxPooling2D and Dense layers.

Source
------
LeCun, Bottou, Bengio & Haffner (1998), Proceedings of the IEEE 86(11), 2278-2324,
section II.B. As taught today: pictures of 28 x 28 that (1) pads, not of 32 x 32;
the largest of four pixels, where a trained multiple of their sum was; ReLU, not a
scaled tanh; every kernel of (3) sees all maps of (2); softmax, not distances to
drawn figures.

Equations
---------
::

    z_1 = x * W_1 + b_1          *: a kernel on every pixel, zeros around    (1)
    h_1 = f(max_pool(z_1))       the largest of 2 x 2; f: relu, tanh, ...    (2)
    z_2 = h_1 * W_2 + b_2        a kernel wherever it fits inside            (3)
    h_2 = f(max_pool(z_2))                                                   (4)
    h_3 = f(flat(h_2) W_3 + b_3) row by row, pixel by pixel, map by map      (5)
    h_4 = f(h_3 W_4 + b_4)                                                   (6)
    prediction = h_4 W_5 + b_5   logits                                      (7)

Shapes
------
B batch, H height, W width, C channels of a picture; F x F pixels of a kernel, M and
N kernels, P x Q pixels that are left in the end; R and S units, K classes.
"""

import keras
from keras import layers

from keras_impl.activations import activation
from keras_impl.convolution import conv, max_pool
from keras_impl.layers import dense
from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.regularizers import NOISE, Shift
from keras_impl.weights import Weight

INPUTS = ("x",)
AROUND = {"stride": 1, "padding": "same", "bias": True}
INSIDE = {"stride": 1, "padding": "valid", "bias": True}
HALVES = {"size": (2, 2), "stride": 2, "padding": "valid"}


def build_model(sizes, recipe):
    f = activation(recipe["activation"])
    kernel = (sizes["F"], sizes["F"])
    inputs, neutral = {}, {}

    x = keras.Input(shape=tuple(sizes["shape"]), name="x")        # (B, H, W, C)
    inputs["x"] = picture = x
    if recipe.get("augment") == "shift":
        inputs["shift"], neutral["shift"] = NOISE["shift"](0, x)
        picture = Shift(name="moved")([x, inputs["shift"]])       # (B, H, W, C)
    conv_1 = conv(channels=sizes["M"], kernel=kernel, **AROUND, name="conv_1")
    conv_2 = conv(channels=sizes["N"], kernel=kernel, **INSIDE, name="conv_2")
    z_1 = conv_1(picture)                                         # (B, H, W, M)      (1)
    h_1 = layers.Activation(f)(max_pool(**HALVES, name="pool_1")(z_1))  # (B, H/2, W/2, M)  (2)
    z_2 = conv_2(h_1)                                             # (B, 2P, 2Q, N)    (3)
    h_2 = layers.Activation(f)(max_pool(**HALVES, name="pool_2")(z_2))  # (B, P, Q, N)  (4)
    flat = layers.Flatten(data_format="channels_last")(h_2)       # (B, P*Q*N)
    z_3 = dense(units=sizes["R"], bias=True, name="dense_3")(flat)
    h_3 = layers.Activation(f)(z_3)                               # (B, R)            (5)
    z_4 = dense(units=sizes["S"], bias=True, name="dense_4")(h_3)
    h_4 = layers.Activation(f)(z_4)                               # (B, S)            (6)
    logits = dense(units=sizes["K"], bias=True, name="dense_5")(h_4)  # (B, K)        (7)

    outputs = {"h_1": h_1, "h_2": h_2, "h_3": h_3, "h_4": h_4, "prediction": logits}
    return Network(
        inputs, outputs, loss=loss, recipe=recipe, name="lenet", neutral=neutral
    )


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


WEIGHTS = (
    Weight("conv_{l}/kernel", ("W_{l}",)),
    Weight("conv_{l}/bias", ("b_{l}",)),
    Weight("dense_{l}/kernel", ("W_{l}",)),
    Weight("dense_{l}/bias", ("b_{l}",)),
)
