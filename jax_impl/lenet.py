"""LeNet-5 in JAX: pure functions of a dict of arrays.

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

from jax_impl import losses, regularizers
from jax_impl.activations import activation
from jax_impl.convolution import conv, max_pool, outputs_of

INPUTS = ("x",)
SCANNED = False  # on a CPU XLA's convolutions take twice as long within lax.scan
AROUND = {"stride": 1, "padding": "same"}
INSIDE = {"stride": 1, "padding": "valid"}
HALVES = {"size": (2, 2), "stride": 2, "padding": "valid"}


def shapes(sizes, recipe):
    F, M, N, R, S, K = (sizes[letter] for letter in "FMNRSK")
    *picture, C = sizes["shape"]
    half = outputs_of(picture, **HALVES)
    P, Q = outputs_of(outputs_of(half, size=(F, F), **INSIDE), **HALVES)
    W = {"W_1": (F, F, C, M), "W_2": (F, F, M, N)}
    W |= {"W_3": (P * Q * N, R), "W_4": (R, S), "W_5": (S, K)}
    return W | {f"b_{l}": (W[f"W_{l}"][-1],) for l in range(1, 6)}


def forward(params, batch, recipe, *, train):
    f = activation(recipe["activation"])
    x = batch["x"]                                                # (B, H, W, C)
    if "shift" in batch:
        x = regularizers.shift(x, batch["shift"])                 # (B, H, W, C)
    z_1 = conv(params["W_1"], params["b_1"], x, **AROUND)         # (B, H, W, M)      (1)
    h_1 = f(max_pool(z_1, **HALVES))                              # (B, H/2, W/2, M)  (2)
    z_2 = conv(params["W_2"], params["b_2"], h_1, **INSIDE)       # (B, 2P, 2Q, N)    (3)
    h_2 = f(max_pool(z_2, **HALVES))                              # (B, P, Q, N)      (4)
    flat = h_2.reshape(len(h_2), -1)                              # (B, P*Q*N)
    h_3 = f(flat @ params["W_3"] + params["b_3"])                 # (B, R)            (5)
    h_4 = f(h_3 @ params["W_4"] + params["b_4"])                  # (B, S)            (6)
    prediction = h_4 @ params["W_5"] + params["b_5"]              # (B, K)            (7)
    return {"h_1": h_1, "h_2": h_2, "h_3": h_3, "h_4": h_4, "prediction": prediction}


loss = losses.of_prediction
