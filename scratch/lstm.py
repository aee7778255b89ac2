"""LSTM sequence classifier, from scratch.

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

import numpy as np

from scratch import losses
from scratch.activations import dsigmoid, dtanh, sigmoid
from scratch.layers import dense_backward, dense_forward
from scratch.workspace import NEW

INPUTS = ("x",)


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return {"W_x": (D, 4 * H), "W_h": (H, 4 * H), "b": (4 * H,), "W_y": (H, K), "b_y": (K,)}


def cell_forward(x, h, c, W_x, W_h, b):
    """One time step: equations (1)-(5)."""
    z = x @ W_x + h @ W_h + b                    # (B, 4H)  (1)
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)  # (B, H) each
    i = sigmoid(z_i)                             # (B, H)   (2)
    f = sigmoid(z_f)                             # (B, H)   (2)
    o = sigmoid(z_o)                             # (B, H)   (2)
    g = np.tanh(z_g)                             # (B, H)   (3)
    c_new = f * c + i * g                        # (B, H)   (4)
    s = np.tanh(c_new)                           # (B, H)
    h_new = o * s                                # (B, H)   (5)
    return h_new, c_new, (x, h, c, i, f, g, o, s)


def cell_backward(dh_new, dc_new, cache, W_x, W_h):
    """The same lines, bottom to top; each adjoint stands under the line it undoes."""
    x, h, c, i, f, g, o, s = cache
    # h_new = o * s
    do = dh_new * s                              # (B, H)
    ds = dh_new * o                              # (B, H)
    # s = np.tanh(c_new)
    dc_new = dc_new + ds * dtanh(s)              # (B, H)
    # c_new = f * c + i * g
    df = dc_new * c                              # (B, H)
    dc = dc_new * f                              # (B, H)
    di = dc_new * g                              # (B, H)
    dg = dc_new * i                              # (B, H)
    # g = np.tanh(z_g)
    dz_g = dg * dtanh(g)                         # (B, H)
    # o = sigmoid(z_o)
    dz_o = do * dsigmoid(o)                      # (B, H)
    # f = sigmoid(z_f)
    dz_f = df * dsigmoid(f)                      # (B, H)
    # i = sigmoid(z_i)
    dz_i = di * dsigmoid(i)                      # (B, H)
    # z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
    dz = np.hstack([dz_i, dz_f, dz_g, dz_o])     # (B, 4H)
    # z = x @ W_x + h @ W_h + b
    dW_x = x.T @ dz                              # (D, 4H)
    dW_h = h.T @ dz                              # (H, 4H)
    db = dz.sum(axis=0)                          # (4H,)
    dx = dz @ W_x.T                              # (B, D)
    dh = dz @ W_h.T                              # (B, H)
    return dx, dh, dc, dW_x, dW_h, db


def forward(params, batch, recipe, *, train, w=NEW):
    x = batch["x"]                               # (B, T, D)
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]  # not differentiated
    h = np.zeros((len(x), len(W_h)), W_h.dtype)  # (B, H)   not differentiated
    c = np.zeros_like(h)                         # (B, H)   not differentiated
    hs, caches = [], []
    for t in range(x.shape[1]):
        h, c, cell = cell_forward(x[:, t], h, c, W_x, W_h, b)
        hs.append(h)
        caches.append(cell)
    prediction, cache = dense_forward(h, params["W_y"], params["b_y"])  # (B, K)  (6)
    hs = np.stack(hs, axis=1)                    # (B, T, H)  not differentiated: to look at
    outputs = {}
    outputs["h"], outputs["c"], outputs["prediction"] = hs, c, prediction
    return outputs, (caches, cache)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    """Backpropagation through time: walk the cells from T to 1."""
    W_x, W_h = params["W_x"], params["W_h"]
    caches, cache = cache
    dW_x, dW_h, db = np.zeros_like(W_x), np.zeros_like(W_h), np.zeros_like(params["b"])
    # prediction, cache = dense_forward(h, params["W_y"], params["b_y"])
    dh, dW_y, db_y = dense_backward(doutputs["prediction"], cache)      # (B, H), ...
    dc = np.zeros_like(dh)                       # (B, H)
    dxs = []
    for cell in reversed(caches):
        # h, c, cell = cell_forward(x[:, t], h, c, W_x, W_h, b)
        dx, dh, dc, *dcell = cell_backward(dh, dc, cell, W_x, W_h)
        dxs.append(dx)
        dW_x += dcell[0]                         # one W, T uses: gradients add
        dW_h += dcell[1]
        db += dcell[2]
    # x = batch["x"]
    dx = np.stack(dxs[::-1], axis=1)             # (B, T, D)
    return {"W_x": dW_x, "W_h": dW_h, "b": db, "W_y": dW_y, "b_y": db_y, "d/x": dx}


loss = losses.of_prediction
