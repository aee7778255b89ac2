"""Nine derivatives, scalar, vector and matrix by the same: a layer and a gradient tape.

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

from functools import partial

import keras
from keras import layers, ops

from keras_impl.engine import jacobians
from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.weights import Weight

INPUTS = ("x",)
TRACED = True  # op by op, the tape spends over a second on nine Jacobians


def functions(s, v, X, x):
    h = ops.tanh(ops.matmul(x, ops.transpose(X)))                # (M, L, N)  (1)
    Y = s * ops.matmul(h, v)                                     # (M, L)     (1)
    p = ops.mean(Y, axis=1)                                      # (M,)       (2)
    e = ops.sum(ops.square(p)) / 2                               # ()         (3)
    return e, p, Y


class Functions(layers.Layer):
    """The three functions, and their nine Jacobians by the tape.

    In training nobody reads the Jacobians, and TensorFlow drops them from the graph.
    """

    def __init__(self, units, *, name):
        super().__init__(name=name)
        self.units = units

    def build(self, shape):
        weight = partial(self.add_weight, initializer="zeros")
        self.s = weight(shape=(1,), name="s")
        self.v = weight(shape=(self.units,), name="v")
        self.X = weight(shape=(self.units, shape[-1]), name="X")

    def call(self, x):
        variables = self.s[0], self.v, self.X
        results, rows = jacobians(partial(functions, x=x), variables)  # (4)
        outputs = dict(zip("epY", results, strict=True))
        return outputs | in_both_layouts(rows)


def in_both_layouts(rows):
    """What the tape returns, a list of lists, by name; and equation (5)."""
    nine = {
        f"d{result}_d{variable}": jacobian
        for result, row in zip("epY", rows, strict=True)
        for variable, jacobian in zip("svX", row, strict=True)
    }
    course = {
        "course/de_ds": ops.reshape(nine["de_ds"], (1,)),   # one number
        "course/de_dv": nine["de_dv"][None, :],             # a row
        "course/de_dX": ops.transpose(nine["de_dX"]),       # transposed
        "course/dp_ds": nine["dp_ds"][:, None],             # a column
        "course/dp_dv": nine["dp_dv"],
        "course/dp_dX": ops.swapaxes(nine["dp_dX"], 1, 2),  # transposed, for each p
        "course/dY_ds": nine["dY_ds"],
        "course/dY_dv": nine["dY_dv"],
        "course/dY_dX": ops.swapaxes(nine["dY_dX"], 2, 3),  # transposed, for each Y
    }
    return nine | course


def build_model(sizes, recipe):
    x = keras.Input(shape=tuple(sizes["shape"]), name="x")       # (M, L, K)
    outputs = Functions(sizes["N"], name="functions")(x)
    outputs["prediction"] = layers.Reshape((1,))(outputs.pop("p"))  # (M, 1)
    return Network({"x": x}, outputs, loss=loss, recipe=recipe, name="jacobians")


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


WEIGHTS = (
    Weight("functions/s", ("s",)),
    Weight("functions/v", ("v",)),
    Weight("functions/X", ("X",)),
)
