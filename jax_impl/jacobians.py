"""Nine derivatives, scalar, vector and matrix by the same: one call of jax.jacrev.

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

import jax
import jax.numpy as jnp

from jax_impl import losses

INPUTS = ("x",)


def shapes(sizes, recipe):
    (_, K), N = sizes["shape"], sizes["N"]
    return {"s": (1,), "v": (N,), "X": (N, K)}


def functions(s, v, X, x):
    h = jnp.tanh(x @ X.T)  # (M, L, N)  (1)
    Y = s * (h @ v)        # (M, L)     (1)
    p = Y.mean(axis=1)     # (M,)       (2)
    e = p @ p / 2          # ()         (3)
    return e, p, Y


def forward(params, batch, recipe, *, train):
    variables = params["s"][0], params["v"], params["X"]
    e, p, Y = functions(*variables, batch["x"])
    prediction = p[:, None]  # (M, 1)
    outputs = {"e": e, "Y": Y, "prediction": prediction}
    if train:
        return outputs
    # jax.jacfwd gives the same; jacrev costs less where results are fewer than variables
    rows = jax.jacrev(functions, argnums=(0, 1, 2))(*variables, batch["x"])  # (4)
    return outputs | in_both_layouts(rows)


def in_both_layouts(rows):
    """What jacrev returns, a tuple of tuples, by name; and equation (5)."""
    nine = {
        f"d{result}_d{variable}": jacobian
        for result, row in zip("epY", rows, strict=True)
        for variable, jacobian in zip("svX", row, strict=True)
    }
    course = {
        "course/de_ds": nine["de_ds"].reshape(1),  # one number
        "course/de_dv": nine["de_dv"][None, :],    # a row
        "course/de_dX": nine["de_dX"].T,           # transposed
        "course/dp_ds": nine["dp_ds"][:, None],    # a column
        "course/dp_dv": nine["dp_dv"],
        "course/dp_dX": nine["dp_dX"].mT,          # transposed, for each p
        "course/dY_ds": nine["dY_ds"],
        "course/dY_dv": nine["dY_dv"],
        "course/dY_dX": nine["dY_dX"].mT,          # transposed, for each Y
    }
    return nine | course


loss = losses.of_prediction
