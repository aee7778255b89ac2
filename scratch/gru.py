"""GRU sequence classifier, from scratch.

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
    named = {"W_x": (D, 3 * H), "W_h": (H, 3 * H), "b_x": (3 * H,), "b_h": (3 * H,)}
    return named | {"W_y": (H, K), "b_y": (K,)}


# -- the layer: every time step, from a state h on ---------------------------------------


@np.errstate(over="ignore")  # where e^-z overflows, 1 / (1 + inf) = 0 is right
def gru_forward(x, h, W_x, W_h, b_x, b_h, w=NEW):
    """States hs (B, T, H), one after each step of x (B, T, D), and a cache.

    The memory m has time first: m.x1[t] is the x of step t and a 1 for the bias, m.h1[t]
    the h before it and a 1. W has the sign turned at r and z, so that what comes out
    there is the -z that a sigmoid needs.
    """
    m = memory(w, x, W_h)                             # not differentiated
    (T, D), H = x.shape[1:], len(W_h)                 # not differentiated
    hs = m.h1[:, :, :H]                               # (T+1, B, H)  not differentiated
    hs[0], m.h1[:, :, -1], m.x1[:, :, -1] = h, 1, 1   # not differentiated
    m.x1[:, :, :D] = x.swapaxes(0, 1)                 # (T, B, D)
    W_x1 = np.vstack([W_x, b_x]) * turned(W_h)        # (D+1, 3H)
    W_h1 = np.vstack([W_h, b_h]) * turned(W_h)        # (H+1, 3H)
    a = np.matmul(m.x1, W_x1, out=m.a)                # (T, B, 3H)   (1) for all T: no h in it
    for t in range(T):
        q = np.dot(m.h1[t], W_h1, out=m.qs[t])        # (B, 3H)      (2)
        r, z = opened(a[t], q, out=m.rzs[t])          # (B, H) each  (3)
        s = np.multiply(r, q[:, 2 * H :], out=m.s)    # (B, H)
        n = np.tanh(np.add(a[t, :, 2 * H :], s, out=m.s), out=m.ns[t])  # (B, H)  (4)
        d = np.subtract(h, n, out=m.ds[t])            # (B, H)
        h = np.add(n, np.multiply(z, d, out=m.product), out=hs[t + 1])  # (B, H)  (5)
    hs = hs[1:].swapaxes(0, 1)                        # (B, T, H)
    return hs, m


def gru_backward(dhs, cache, W_x, W_h, w=NEW, *, want_dx=True):
    """Backpropagation through time: dx, dh, dW_x, dW_h, db_x, db_h.

    dhs (B, T, H) arrive at the states that forward returned; the dh that is returned
    leaves at the initial state.
    """
    m = cache
    (T, B, H), D = m.ns.shape, len(W_x)
    r, z, q_n = m.rzs[:, :, :H], m.rzs[:, :, H:], m.qs[:, :, 2 * H :]  # (T, B, H) each
    # Every gradient of a step is a product with dh. The other factors do not wait for
    # later steps, so they are there for all T at once.
    da_n = np.subtract(1, z, out=m.da_n)              # (T, B, H)
    da_n *= dtanh(m.ns, out=m.spare)                  # (T, B, H)
    dqs = m.dqs                                       # (T, B, 3H)
    dq_r, dq_z, dq_n = dqs[:, :, :H], dqs[:, :, H : 2 * H], dqs[:, :, 2 * H :]  # (T, B, H) each
    dsigmoid(m.rzs, out=dqs[:, :, : 2 * H])
    dq_r *= np.multiply(da_n, q_n, out=m.spare)       # (T, B, H)
    dq_z *= m.ds                                      # (T, B, H)
    dq_n[:] = np.multiply(da_n, r, out=m.spare)       # (T, B, H)
    W_hT = np.ascontiguousarray(W_h.T)                # (3H, H)      BLAS likes it so
    dh = np.zeros((B, H), W_h.dtype)                  # (B, H)
    # hs = hs[1:].swapaxes(0, 1)
    for t in reversed(range(T)):
        dh += dhs[:, t]                               # (B, H)
        # h = np.add(n, np.multiply(z, d, out=m.product), out=hs[t + 1])
        dq_z[t] *= dh                                 # (B, H)
        # d = np.subtract(h, n, out=m.ds[t])
        dh_kept = np.multiply(dh, z[t], out=m.product)  # (B, H)     the way past n
        # n = np.tanh(np.add(a[t, :, 2 * H :], s, out=m.s), out=m.ns[t])
        da_n[t] *= dh                                 # (B, H)
        # s = np.multiply(r, q[:, 2 * H :], out=m.s)
        dq_n[t] *= dh                                 # (B, H)
        # r, z = opened(a[t], q, out=m.rzs[t])
        dq_r[t] *= dh                                 # (B, H)
        # q = np.dot(m.h1[t], W_h1, out=m.qs[t])
        dh = np.dot(dqs[t], W_hT, out=dh)             # (B, H)
        dh += dh_kept                                 # (B, H)
    # W_h and b_h served T times: gradients add, here within one product over T and B.
    dq, h1, x1 = dqs.reshape(T * B, -1), m.h1[:T].reshape(T * B, -1), m.x1.reshape(T * B, -1)
    dW_h1 = np.dot(h1.T, dq, out=m.dW_h1)             # (H+1, 3H)
    # a = np.matmul(m.x1, W_x1, out=m.a)
    das, dq_n[:] = dqs, da_n                          # (T, B, 3H)   a and q differ in n only
    dW_x1 = np.dot(x1.T, dq, out=m.dW_x1)             # (D+1, 3H)
    # W_h1 = np.vstack([W_h, b_h]) * turned(W_h)
    dW_h, db_h = dW_h1[:H], dW_h1[H]                  # (H, 3H), (3H,)
    # W_x1 = np.vstack([W_x, b_x]) * turned(W_h)
    dW_x, db_x = dW_x1[:D], dW_x1[D]                  # (D, 3H), (3H,)
    # m.x1[:, :, :D] = x.swapaxes(0, 1)
    dx = np.matmul(das, W_x.T).swapaxes(0, 1) if want_dx else None  # dx, or None
    return dx, dh, dW_x, dW_h, db_x, db_h


def turned(W_h):
    """The signs of what is ready for `opened` and tanh: -1 at r and z, 1 at n."""
    return np.repeat(np.array([-1, -1, 1], W_h.dtype), len(W_h))


def opened(a, q, out):
    """The gates r, z = 1 / (1 + e^(a + q)) of a and q that are turned there."""
    N = out.shape[1]
    y = np.exp(np.add(a[:, :N], q[:, :N], out=out), out=out)
    y += 1
    y = np.reciprocal(y, out=out)
    return y[:, : N // 2], y[:, N // 2 :]


def memory(w, x, W_h):
    """What the layer writes into: w's arrays for steps like these, or fresh ones."""
    (B, T, D), H = x.shape, len(W_h)
    return w.steps(
        {
            "x1": (T, B, D + 1), "h1": (T + 1, B, H + 1), "a": (T, B, 3 * H),
            "qs": (T, B, 3 * H), "rzs": (T, B, 2 * H), "s": (B, H), "ns": (T, B, H),
            "ds": (T, B, H), "product": (B, H), "da_n": (T, B, H), "spare": (T, B, H),
            "dqs": (T, B, 3 * H), "dW_x1": (D + 1, 3 * H), "dW_h1": (H + 1, 3 * H),
        },
        W_h.dtype,
    )


# -- the network -------------------------------------------------------------------------


def forward(params, batch, recipe, *, train, w=NEW):
    x, mask = batch["x"], batch.get("mask")           # (B, T, D)  mask (B, T) or None
    W_x, W_h = params["W_x"], params["W_h"]           # not differentiated
    b_x, b_h = params["b_x"], params["b_h"]           # not differentiated
    h = np.zeros((len(x), len(W_h)), W_h.dtype)       # (B, H)       not differentiated
    hs, steps = gru_forward(x, h, W_x, W_h, b_x, b_h, w["gru"])  # (B, T, H)  (1)-(5)
    h, at = last_step_forward(hs, mask)               # (B, H)
    prediction, cache = dense_forward(h, params["W_y"], params["b_y"], w["y"])  # (B, K)  (6)
    outputs = {"h": blank(hs, mask), "prediction": prediction}  # not differentiated
    return outputs, (steps, at, cache)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    W_x, W_h = params["W_x"], params["W_h"]
    steps, at, cache = cache
    # prediction, cache = dense_forward(h, params["W_y"], params["b_y"], w["y"])
    dh, dW_y, db_y = dense_backward(doutputs["prediction"], cache, w["y"])  # (B, H), ...
    # h, at = last_step_forward(hs, mask)
    dhs = last_step_backward(dh, at)                  # (B, T, H)
    # hs, steps = gru_forward(x, h, W_x, W_h, b_x, b_h, w["gru"])
    dx, _, dW_x, dW_h, db_x, db_h = gru_backward(
        dhs, steps, W_x, W_h, w["gru"], want_dx="x" in inputs
    )
    grads = {"W_x": dW_x, "W_h": dW_h, "b_x": db_x, "b_h": db_h, "W_y": dW_y, "b_y": db_y}
    # x, mask = batch["x"], batch.get("mask")
    grads["d/x"] = dx
    return grads


loss = losses.of_prediction


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    return {"gru": Steps(), "y": Dense(B, grads["W_y"], grads["b_y"])}
