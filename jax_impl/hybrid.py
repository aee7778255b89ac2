"""Convolution below an LSTM in JAX: pure functions of a dict, lax.scan over columns.

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

from functools import partial

import jax.numpy as jnp
from jax import lax

from jax_impl import losses
from jax_impl.activations import activation
from jax_impl.convolution import avg_pool, conv, outputs_of
from jax_impl.lstm import cell

INPUTS = ("x",)
AROUND = {"stride": 1, "padding": "same"}
HALVES = {"size": (2, 2), "stride": 2, "padding": "valid"}


def shapes(sizes, recipe):
    F, N, H, K = (sizes[letter] for letter in "FNHK")
    *picture, C = sizes["shape"]
    P, _ = outputs_of(picture, **HALVES)
    named = {"W_1": (F, F, C, N), "b_1": (N,)}
    named |= {"W_x": (P * N, 4 * H), "W_h": (H, 4 * H), "b": (4 * H,)}
    return named | {"W_y": (H, K), "b_y": (K,)}


def forward(params, batch, recipe, *, train):
    f = activation(recipe["activation"])
    x = batch["x"]                                                # (B, 2P, 2T, C)
    z = conv(params["W_1"], params["b_1"], x, **AROUND)           # (B, 2P, 2T, N)  (1)
    m = f(avg_pool(z, **HALVES))                                  # (B, P, T, N)    (2)
    columns = m.transpose(2, 0, 1, 3)                             # (T, B, P, N)
    a = columns.reshape(*columns.shape[:2], -1)                   # (T, B, P*N)     (3)
    h = jnp.zeros((len(x), len(params["W_h"])), x.dtype)          # (B, H)
    c = jnp.zeros_like(h)                                         # (B, H)
    (h, c), hs = lax.scan(partial(cell, params), (h, c), a)  # (B, H), (B, H), (T, B, H)  (4)
    prediction = h @ params["W_y"] + params["b_y"]                # (B, K)          (5)
    return {"m": m, "h": jnp.swapaxes(hs, 0, 1), "c": c, "prediction": prediction}


loss = losses.of_prediction
