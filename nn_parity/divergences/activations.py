"""Activations and subgradients: rows of the atlas."""

from functools import partial

import numpy as np
from numpy.random import default_rng

from nn_parity.divergences.row import Row

_row = partial(Row, topic="activations")

ROWS: tuple[Row, ...] = (
    _row(
        id="A01",
        item="GELU, the default",
        inputs=lambda: {"z": np.linspace(-6, 6, 241)},
        setting="approximate=False",
        published=4.7e-4,
        gate=1e-6,
        why="TensorFlow's gelu holds a float32 constant: row P04 writes it out",
    ),
    _row(
        id="A02",
        item="softplus beyond z = 20",
        inputs=lambda: {"z": np.array([-30.0, 0.0, 19.9, 20.001, 30.0])},
        setting="threshold=1000",
        published=2.1e-9,
    ),
    _row(
        id="A03",
        item="leaky ReLU, the default slope",
        inputs=lambda: {"z": default_rng(3).normal(size=16)},
        setting="negative_slope=0.125, a number that float32 can hold (P06)",
        published=None,
    ),
    _row(
        id="A04",
        item="elu, selu, mish, glu and eleven more at their defaults",
        inputs=lambda: {"z": 3 * default_rng(4).normal(size=(8, 6))},
        setting="the hard sigmoid of today",
        published=None,
        why="today's libraries agree; the hard sigmoid of Keras 2 had other slopes",
    ),
    _row(
        id="A07",
        item="derivative at 0 of relu, written in three ways",
        inputs=lambda: {"z": np.zeros(1)},
        setting="relu itself, never max(0, z); in NumPy z > 0",
        published=1.0,
    ),
    _row(
        id="A07b",
        item="derivative at the bounds of relu6, clip, hard tanh",
        inputs=lambda: {"z": np.ones(1)},
        setting="where() with the derivative 0 at a bound",
        published=1.0,
    ),
    _row(
        id="A08",
        item="derivative of |z| at 0",
        inputs=lambda: {"z": np.zeros(1)},
        setting="z * sign(z)",
        published=1.0,
    ),
    _row(
        id="A18",
        item="derivative of leaky ReLU at 0, slope 0.1",
        inputs=lambda: {"z": np.zeros(1)},
        setting="where(z > 0, z, 0.1 z)",
        published=0.9,
    ),
    _row(
        id="A09a",
        item="gradient of a maximum with ties",
        inputs=lambda: {"z": np.array([1.0, 3.0, 3.0, 2.0])},
        setting="torch amax; the mask of all maxima over their number in NumPy",
        published=0.5,
    ),
    _row(
        id="A09b",
        item="gradient of max-pooling with ties",
        inputs=lambda: {"image": np.ones((1, 2, 2, 1))},
        setting="the library's own pooling: the first one wins",
        published=0.75,
    ),
    _row(
        id="A09d",
        item="gradient of maximum(a, b) at a = b",
        inputs=lambda: {"a": np.ones(1), "b": np.ones(1)},
        setting="where(a >= b, a, b)",
        published=0.5,
    ),
    _row(
        id="A11a",
        item="gradient of a norm at 0",
        inputs=lambda: {"z": np.zeros(3)},
        setting="torch as it is; optax.safe_norm; where() twice in Keras",
        published=None,
        why="NaN on some sides",
    ),
    _row(
        id="A11b",
        item="gradient at 0 of where(z > 0, sqrt(z), 0)",
        inputs=lambda: {"z": np.array([0.0, 4.0])},
        setting="where() twice: also around the argument of sqrt",
        published=None,
        why="NaN on some sides",
    ),
    _row(
        id="A13b",
        item="gradient of the standard deviation of equal numbers",
        inputs=lambda: {"z": np.full(4, 3.0)},
        setting="where() twice around the variance",
        published=None,
        why="NaN on some sides",
    ),
    _row(
        id="N05",
        item="derivative of a threshold unit that compares",
        inputs=lambda: {"z": np.array([-1.0, 0.0, 2.0])},
        setting="Keras: built from sign; torch: the product with a zero slope",
        published=None,
        why="NaN on some sides",
    ),
    _row(
        id="N10",
        item="float32: exp(-95) in units of 2^-137",
        inputs=lambda: {"z": np.full(1, -95, np.float32)},
        setting="float64",
        published=None,
    ),
    _row(
        id="N19",
        item="NaN in max-pooling and argmax",
        inputs=lambda: {
            "image": np.array([np.nan, -1, -1, -1]).reshape(1, 2, 2, 1),
            "scores": np.array([np.nan, -1, 2]),
        },
        setting="nan_to_num(nan=-inf) first; better: refuse NaN",
        published=None,
        why="NaN on some sides",
    ),
)
