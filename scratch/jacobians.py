"""Nine derivatives, scalar, vector and matrix by scalar, vector and matrix, by formula.

Source
------
Baydin, Pearlmutter, Radul & Siskind (2018), JMLR 18(153), 1-43, for how frameworks
differentiate; Parr & Howard (2018), arXiv:1802.01528, for the layout of the courses.

Equations
---------
::

    Y = s tanh(x X') v          a matrix: a number for each point        (1)
    p = Y 1 / L                 a vector: their mean in each example     (2)
    e = p'p / 2                 a scalar                                 (3)
    de_ds, de_dv, ..., dY_dX    each of e, p, Y by each of s, v, X       (4)
    course/de_ds, ...           the same nine as the courses write them  (5)
    prediction = p

Shapes
------
M examples, L points in each, K numbers in a point, N units. s is one number, v is
(N,), X is (N, K). A Jacobian (4) has the shape of the result, then the shape of the
variable. In (5) a vector is a column, and the variable is transposed.
"""

import numpy as np

from scratch import losses
from scratch.activations import dtanh, tanh
from scratch.workspace import NEW

INPUTS = ("x",)


def shapes(sizes, recipe):
    (_, K), N = sizes["shape"], sizes["N"]
    return {"s": (1,), "v": (N,), "X": (N, K)}


def forward(params, batch, recipe, *, train, w=NEW):
    x, s = batch["x"], params["s"][0]            # (M, L, K), () not differentiated
    v, X = params["v"], params["X"]              # (N,), (N, K) not differentiated
    h = tanh(np.dot(x, X.T))                     # (M, L, N)  (1)
    Y = s * np.dot(h, v)                         # (M, L)     (1)
    p = Y.mean(axis=1)                           # (M,)       (2)
    e = (p * p).sum() / 2                        # ()         (3) not differentiated
    prediction = p.reshape(-1, 1)                # (M, 1)
    nine = {} if train else jacobians(s, v, x, h, p)  # not differentiated
    cache = x, s, v, X, h
    return {"e": e, "Y": Y, "prediction": prediction, **nine}, cache


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    x, s, v, X, h = cache
    # prediction = p.reshape(-1, 1)
    dp = doutputs["prediction"].reshape(-1)      # (M,)
    # p = Y.mean(axis=1)
    M, L, _ = x.shape
    dY = np.broadcast_to(dp[:, None] / L, (M, L))  # (M, L)
    # Y = s * np.dot(h, v)
    ds = np.reshape((dY * np.dot(h, v)).sum(), 1)  # (1,)
    dv = s * np.tensordot(dY, h, 2)              # (N,)
    dh = s * dY[:, :, None] * v                  # (M, L, N)
    # h = tanh(np.dot(x, X.T))
    dz = dh * dtanh(h)                           # (M, L, N)
    dX = np.tensordot(dz, x, ((0, 1), (0, 1)))   # (N, K)
    dx = np.dot(dz, X)                           # (M, L, K)
    return {"s": ds, "v": dv, "X": dX, "d/x": dx}


def jacobians(s, v, x, h, p):
    """The nine by formula (4): the matrix's, then the chain rule through p to e."""
    dY_ds = np.dot(h, v)                         # (M, L)
    dY_dv = s * h                                # (M, L, N)
    dz = s * v * dtanh(h)                        # (M, L, N)     dY/dz at z = x X'
    dY_dX = dz[:, :, :, None] * x[:, :, None]    # (M, L, N, K)
    dp_ds = dY_ds.mean(axis=1)                   # (M,)
    dp_dv = dY_dv.mean(axis=1)                   # (M, N)
    dp_dX = dY_dX.mean(axis=1)                   # (M, N, K)
    de_ds = np.dot(p, dp_ds)                     # ()
    de_dv = np.dot(p, dp_dv)                     # (N,)
    de_dX = np.tensordot(p, dp_dX, 1)            # (N, K)
    return {
        "de_ds": de_ds, "de_dv": de_dv, "de_dX": de_dX,
        "dp_ds": dp_ds, "dp_dv": dp_dv, "dp_dX": dp_dX,
        "dY_ds": dY_ds, "dY_dv": dY_dv, "dY_dX": dY_dX,
        "course/de_ds": np.reshape(de_ds, 1),     # one number
        "course/de_dv": de_dv.reshape(1, -1),  # a row
        "course/de_dX": de_dX.T,               # transposed
        "course/dp_ds": dp_ds.reshape(-1, 1),  # a column
        "course/dp_dv": dp_dv,
        "course/dp_dX": dp_dX.swapaxes(1, 2),  # transposed, for each p
        "course/dY_ds": dY_ds,
        "course/dY_dv": dY_dv,
        "course/dY_dX": dY_dX.swapaxes(2, 3),  # transposed, for each Y
    }


loss = losses.of_prediction
