"""Elman's recurrent network, from scratch.

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

import numpy as np

from scratch import losses
from scratch.activations import activation
from scratch.layers import (
    blank,
    dense_backward,
    dense_forward,
    last_step_backward,
    last_step_forward,
)
from scratch.workspace import NEW, Dense, Steps

INPUTS = ("x",)


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return {"W_x": (D, H), "W_h": (H, H), "b": (H,), "W_y": (H, K), "b_y": (K,)}


# -- the layer: every time step, from a state h on ---------------------------------------


def rnn_forward(x, h, W_x, W_h, b, f, w=NEW):
    """States hs (B, T, H), one after each step of x (B, T, D), and a cache.

    f is the name of an activation whose derivative is known from its value alone. The
    memory m has time first: m.xh1[t] is what step t reads, its x, its h and a 1 for b.
    """
    m = memory(w, x, W_h)                             # not differentiated
    activate, _ = activation(f)                       # not differentiated
    T, D = x.shape[1:]                                # not differentiated
    hs = m.xh1[:, :, D:-1]                            # (T+1, B, H)  not differentiated
    hs[0], m.xh1[:, :, -1] = h, 1                     # not differentiated
    m.xh1[:T, :, :D] = x.swapaxes(0, 1)               # (T, B, D)
    W = np.vstack([W_x, W_h, b])                      # (D+H+1, H)   (1) is one product
    for t in range(T):
        z = np.dot(m.xh1[t], W, out=m.z)              # (B, H)       (1)
        h = activate(z, out=hs[t + 1])                # (B, H)       (2)
    hs = hs[1:].swapaxes(0, 1)                        # (B, T, H)
    cache = m, f
    return hs, cache


def rnn_backward(dhs, cache, W_x, W_h, w=NEW, *, want_dx=True):
    """Backpropagation through time: dx, dh, dW_x, dW_h, db.

    dhs (B, T, H) arrive at the states that forward returned; the dh that is returned
    leaves at the initial state.
    """
    m, f = cache
    (T, B, H), D = m.dzs.shape, len(W_x)
    _, back = activation(f)
    hs, dzs = m.xh1[:, :, D:-1], m.dzs                # (T+1, B, H), (T, B, H)
    W_hT = np.ascontiguousarray(W_h.T)                # BLAS likes it so
    dh = np.zeros((B, H), W_h.dtype)                  # (B, H)
    # hs = hs[1:].swapaxes(0, 1)
    for t in reversed(range(T)):
        dh += dhs[:, t]                               # (B, H)
        # h = activate(z, out=hs[t + 1])
        dz = back(dh, None, hs[t + 1], out=dzs[t])    # (B, H)
        # z = np.dot(m.xh1[t], W, out=m.z)
        dh = np.dot(dz, W_hT, out=dh)                 # (B, H)
    # W served T times: gradients add, here within one product over T and B.
    xh1, dz = m.xh1[:T].reshape(T * B, -1), dzs.reshape(T * B, H)  # (T*B, D+H+1), (T*B, H)
    dW = np.dot(xh1.T, dz, out=m.dW)                  # (D+H+1, H)
    # W = np.vstack([W_x, W_h, b])
    dW_x, dW_h, db = dW[:D], dW[D:-1], dW[-1]         # (D, H), (H, H), (H,)
    # m.xh1[:T, :, :D] = x.swapaxes(0, 1)
    dx = np.matmul(dzs, W_x.T).swapaxes(0, 1) if want_dx else None  # dx, or None
    return dx, dh, dW_x, dW_h, db


def memory(w, x, W_h):
    """What the layer writes into: w's arrays for steps like these, or fresh ones."""
    (B, T, D), H = x.shape, len(W_h)
    return w.steps(
        {
            "xh1": (T + 1, B, D + H + 1), "z": (B, H), "dzs": (T, B, H),
            "dW": (D + H + 1, H),
        },
        W_h.dtype,
    )


# -- the network -------------------------------------------------------------------------


def forward(params, batch, recipe, *, train, w=NEW):
    x, mask = batch["x"], batch.get("mask")           # (B, T, D)  mask (B, T) or None
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]  # not differentiated
    h = np.zeros((len(x), len(W_h)), W_h.dtype)       # (B, H)       not differentiated
    hs, steps = rnn_forward(x, h, W_x, W_h, b, recipe["nonlinearity"], w["rnn"])  # (B, T, H)
    h, at = last_step_forward(hs, mask)               # (B, H)
    prediction, cache = dense_forward(h, params["W_y"], params["b_y"], w["y"])  # (B, K)  (3)
    outputs = {"h": blank(hs, mask), "prediction": prediction}  # not differentiated
    return outputs, (steps, at, cache)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    W_x, W_h = params["W_x"], params["W_h"]
    steps, at, cache = cache
    # prediction, cache = dense_forward(h, params["W_y"], params["b_y"], w["y"])
    dh, dW_y, db_y = dense_backward(doutputs["prediction"], cache, w["y"])  # (B, H), ...
    # h, at = last_step_forward(hs, mask)
    dhs = last_step_backward(dh, at)                  # (B, T, H)
    # hs, steps = rnn_forward(x, h, W_x, W_h, b, recipe["nonlinearity"], w["rnn"])
    dx, _, dW_x, dW_h, db = rnn_backward(
        dhs, steps, W_x, W_h, w["rnn"], want_dx="x" in inputs
    )
    # x, mask = batch["x"], batch.get("mask")
    return {"W_x": dW_x, "W_h": dW_h, "b": db, "W_y": dW_y, "b_y": db_y, "d/x": dx}


loss = losses.of_prediction


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    return {"rnn": Steps(), "y": Dense(B, grads["W_y"], grads["b_y"])}
