"""Convolution below an LSTM, from scratch: a picture read column by column.

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

import numpy as np

from scratch import losses
from scratch.activations import activation
from scratch.convolution import (
    avg_pool_backward,
    avg_pool_forward,
    conv_backward,
    conv_forward,
    outputs_of,
)
from scratch.layers import (
    dense_backward,
    dense_forward,
    last_step_backward,
    last_step_forward,
)
from scratch.lstm import lstm_backward, lstm_forward
from scratch.workspace import NEW, Dense, Pictures, Steps

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


def by_column_forward(m):
    """Pictures as sequences: step t sees column t, all rows of it and all maps."""
    turned = m.swapaxes(1, 2)                                            # (B, T, P, N)
    a = turned.reshape(*turned.shape[:2], -1)                            # (B, T, P*N)
    return a, turned.shape


def by_column_backward(da, shape):
    # a = turned.reshape(*turned.shape[:2], -1)
    dturned = da.reshape(shape)                                          # (B, T, P, N)
    # turned = m.swapaxes(1, 2)
    dm = dturned.swapaxes(1, 2)                                          # (B, P, T, N)
    return dm


def forward(params, batch, recipe, *, train, w=NEW):
    activate, _ = activation(recipe["activation"])                       # not differentiated
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]              # not differentiated
    x = batch["x"]                                                       # (B, 2P, 2T, C)
    z, conv = conv_forward(x, params["W_1"], params["b_1"], w["conv"], **AROUND)  # (1)
    p, pool = avg_pool_forward(z, w["pool"], **HALVES)                   # (B, P, T, N)
    m = activate(p)                                                      # (B, P, T, N)  (2)
    a, turned = by_column_forward(m)                                     # (B, T, P*N)   (3)
    h = np.zeros((len(x), len(W_h)), W_h.dtype)  # (B, H)  not differentiated
    c = np.zeros_like(h)  # (B, H)  not differentiated
    hs, cs, steps = lstm_forward(a, h, c, W_x, W_h, b, w["lstm"])  # (B, T, H), (B, T, H)  (4)
    h, at = last_step_forward(hs)                                        # (B, H)
    prediction, dense = dense_forward(h, params["W_y"], params["b_y"], w["y"])  # (B, K)  (5)
    outputs = {}
    outputs["m"], outputs["h"], outputs["prediction"] = m, hs, prediction
    outputs["c"] = cs[:, -1]  # (B, H)  not differentiated
    return outputs, (conv, pool, (p, m), turned, steps, at, dense)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    _, back = activation(recipe["activation"])
    conv, pool, of_m, turned, steps, at, dense = cache
    grads = {}
    # prediction, dense = dense_forward(h, params["W_y"], params["b_y"], w["y"])
    dh, grads["W_y"], grads["b_y"] = dense_backward(doutputs["prediction"], dense, w["y"])
    # h, at = last_step_forward(hs)
    dhs = last_step_backward(dh, at)                                     # (B, T, H)
    # hs, cs, steps = lstm_forward(a, h, c, W_x, W_h, b, w["lstm"])
    da, _, _, grads["W_x"], grads["W_h"], grads["b"] = lstm_backward(
        dhs, None, steps, params["W_x"], params["W_h"], w["lstm"]
    )
    # a, turned = by_column_forward(m)
    dm = by_column_backward(da, turned)                                  # (B, P, T, N)
    # m = activate(p)
    dp = back(dm, *of_m)                                                 # (B, P, T, N)
    # p, pool = avg_pool_forward(z, w["pool"], **HALVES)
    dz = avg_pool_backward(dp, pool, w["pool"])                          # (B, 2P, 2T, N)
    # z, conv = conv_forward(x, params["W_1"], params["b_1"], w["conv"], **AROUND)
    dx, grads["W_1"], grads["b_1"] = conv_backward(
        dz, conv, w["conv"], want_dx="x" in inputs
    )
    # x = batch["x"]
    grads["d/x"] = dx
    return grads


loss = losses.of_prediction


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    dtype = grads["W_1"].dtype
    return {
        "conv": Pictures(dtype, grads["W_1"], grads["b_1"]),
        "pool": Pictures(dtype),
        "lstm": Steps(),
        "y": Dense(B, grads["W_y"], grads["b_y"]),
    }
