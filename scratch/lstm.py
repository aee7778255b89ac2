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
from scratch.activations import dsigmoid, dtanh
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
    return {"W_x": (D, 4 * H), "W_h": (H, 4 * H), "b": (4 * H,), "W_y": (H, K), "b_y": (K,)}


# -- the layer: every time step, from a state h, c on ------------------------------------


@np.errstate(over="ignore")  # where e^-z overflows, 1 / (1 + inf) = 0 is right
def lstm_forward(x, h, c, W_x, W_h, b, w=NEW):
    """States hs, cs (B, T, H), one after each step of x (B, T, D), and a cache.

    The memory m has time first, so that a step is one block of it: m.xh1[t] is what step
    t reads, its x, its h and a 1 for the bias; m.cs[t] the cell it reads. W has the sign
    turned at i, f and o, so that their z comes out as the -z that a sigmoid needs.
    """
    m = memory(w, x, W_h)                             # not differentiated
    T, D = x.shape[1:]                                # not differentiated
    hs = m.xh1[:, :, D:-1]                            # (T+1, B, H)  not differentiated
    hs[0], m.cs[0], m.xh1[:, :, -1] = h, c, 1         # not differentiated
    m.xh1[:T, :, :D] = x.swapaxes(0, 1)               # (T, B, D)
    W = np.vstack([W_x, W_h, b]) * turned(W_h)        # (D+H+1, 4H)
    for t in range(T):
        z = np.dot(m.xh1[t], W, out=m.z)              # (B, 4H)      (1), turned
        i, f, g, o = squash(z, out=m.ys[t])           # (B, H) each  (2), (3)
        c = np.multiply(f, c, out=m.cs[t + 1])        # (B, H)
        c += np.multiply(i, g, out=m.product)         # (B, H)       (4)
        s = np.tanh(c, out=m.ss[t])                   # (B, H)
        h = np.multiply(o, s, out=hs[t + 1])          # (B, H)       (5)
    hs, cs = hs[1:].swapaxes(0, 1), m.cs[1:].swapaxes(0, 1)  # (B, T, H) each
    return hs, cs, m


def lstm_backward(dhs, dcs, cache, W_x, W_h, w=NEW, *, want_dx=True):
    """Backpropagation through time: dx, dh, dc, dW_x, dW_h, db.

    dhs, dcs (B, T, H) arrive at the states that forward returned; dcs may be None. The
    dh and dc that are returned leave at the initial state.
    """
    m = cache
    (T, B, _), D = m.ss.shape, len(W_x)
    i, f, g, o = gates(m.ys)                          # (T, B, H) each
    # Factors that do not wait for later steps, for all T at once: dz_i, dz_f, dz_g lack
    # dc, and dz_o lacks dh; to_c leads from dh to dc.
    dzs = dsquash(m.ys, out=m.dzs)                    # (T, B, 4H)
    dz_i, dz_f, dz_g, dz_o = gates(dzs)               # (T, B, H) each
    dz_i *= g                                         # (T, B, H)
    dz_f *= m.cs[:T]                                  # (T, B, H)
    dz_g *= i                                         # (T, B, H)
    dz_o *= m.ss                                      # (T, B, H)
    to_c = np.multiply(o, dtanh(m.ss, out=m.to_c), out=m.to_c)  # (T, B, H)
    W_hT = np.ascontiguousarray(W_h.T)                # (4H, H)      BLAS likes it so
    dh, dc = m.dh, m.dc                               # (B, H) each
    dh[:], dc[:] = 0, 0
    # hs, cs = hs[1:].swapaxes(0, 1), m.cs[1:].swapaxes(0, 1)
    for t in reversed(range(T)):
        dh += dhs[:, t]                               # (B, H)
        if dcs is not None:
            dc += dcs[:, t]                           # as dh
        # h = np.multiply(o, s, out=hs[t + 1])
        dz_o[t] *= dh                                 # (B, H)
        # s = np.tanh(c, out=m.ss[t])
        dc += np.multiply(dh, to_c[t], out=m.product)  # (B, H)
        # c += np.multiply(i, g, out=m.product)
        dz_i[t] *= dc                                 # (B, H)
        dz_g[t] *= dc                                 # (B, H)
        # c = np.multiply(f, c, out=m.cs[t + 1])
        dz_f[t] *= dc                                 # (B, H)
        dc *= f[t]                                    # (B, H)
        # i, f, g, o = squash(z, out=m.ys[t])
        dz = dzs[t]                                   # (B, 4H)      its quarters are ready
        # z = np.dot(m.xh1[t], W, out=m.z)
        dh = np.dot(dz, W_hT, out=dh)                 # (B, H)
    # W served T times: gradients add, here within one product over T and B.
    xh1, dz = m.xh1[:T].reshape(T * B, -1), dzs.reshape(T * B, -1)  # (T*B, D+H+1), (T*B, 4H)
    dW = np.dot(xh1.T, dz, out=m.dW)                  # (D+H+1, 4H)
    # W = np.vstack([W_x, W_h, b]) * turned(W_h)
    dW_x, dW_h, db = dW[:D], dW[D:-1], dW[-1]         # (D, 4H), (H, 4H), (4H,)
    # m.xh1[:T, :, :D] = x.swapaxes(0, 1)
    dx = np.matmul(dzs, W_x.T).swapaxes(0, 1) if want_dx else None  # dx, or None
    return dx, dh, dc, dW_x, dW_h, db


def gates(z):
    """The quarters of z (..., 4H), as views: i, f, g, o (..., H)."""
    H = z.shape[-1] // 4
    return z[..., :H], z[..., H : 2 * H], z[..., 2 * H : 3 * H], z[..., 3 * H :]


def turned(W_h):
    """The signs of a z that is ready for squash: -1 at i, f and o, 1 at g."""
    return np.repeat(np.array([-1, -1, 1, -1], W_h.dtype), len(W_h))


def squash(z, out):
    """The gates i, f, o = 1 / (1 + e^z) of a z that is turned there, and g = tanh(z)."""
    y = np.exp(z, out=out)
    y += 1
    y = np.reciprocal(y, out=out)
    i, f, g, o = gates(y)
    np.tanh(gates(z)[2], out=g)
    return i, f, g, o


def dsquash(y, out):
    """The derivative of squash in terms of its value: y (1 - y), and at g 1 - g^2."""
    dz = dsigmoid(y, out=out)
    dtanh(gates(y)[2], out=gates(dz)[2])
    return dz


def memory(w, x, W_h):
    """What the layer writes into: w's arrays for steps like these, or fresh ones."""
    (B, T, D), H = x.shape, len(W_h)
    return w.steps(
        {
            "xh1": (T + 1, B, D + H + 1), "cs": (T + 1, B, H), "z": (B, 4 * H),
            "ys": (T, B, 4 * H), "ss": (T, B, H), "product": (B, H),
            "dzs": (T, B, 4 * H), "to_c": (T, B, H), "dh": (B, H), "dc": (B, H),
            "dW": (D + H + 1, 4 * H),
        },
        W_h.dtype,
    )


# -- the network -------------------------------------------------------------------------


def forward(params, batch, recipe, *, train, w=NEW):
    x, mask = batch["x"], batch.get("mask")           # (B, T, D)  mask (B, T) or None
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]  # not differentiated
    h = np.zeros((len(x), len(W_h)), W_h.dtype)       # (B, H)     not differentiated
    c = np.zeros_like(h)                              # (B, H)     not differentiated
    hs, cs, steps = lstm_forward(x, h, c, W_x, W_h, b, w["lstm"])  # (B, T, H), (B, T, H)  (1-5)
    h, at = last_step_forward(hs, mask)               # (B, H)
    prediction, cache = dense_forward(h, params["W_y"], params["b_y"], w["y"])  # (B, K)  (6)
    outputs = {"h": blank(hs, mask), "prediction": prediction}  # not differentiated
    if mask is None:
        outputs["c"] = cs[:, -1]                      # (B, H)     not differentiated
    return outputs, (steps, at, cache)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    W_x, W_h = params["W_x"], params["W_h"]
    steps, at, cache = cache
    # prediction, cache = dense_forward(h, params["W_y"], params["b_y"], w["y"])
    dh, dW_y, db_y = dense_backward(doutputs["prediction"], cache, w["y"])  # (B, H), ...
    # h, at = last_step_forward(hs, mask)
    dhs = last_step_backward(dh, at)                  # (B, T, H)
    # hs, cs, steps = lstm_forward(x, h, c, W_x, W_h, b, w["lstm"])
    dx, _, _, dW_x, dW_h, db = lstm_backward(
        dhs, None, steps, W_x, W_h, w["lstm"], want_dx="x" in inputs
    )
    # x, mask = batch["x"], batch.get("mask")
    return {"W_x": dW_x, "W_h": dW_h, "b": db, "W_y": dW_y, "b_y": db_y, "d/x": dx}


loss = losses.of_prediction


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    return {
        "lstm": Steps(),
        "y": Dense(B, grads["W_y"], grads["b_y"]),
    }
