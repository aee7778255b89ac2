"""Precision traps: rows of the atlas.

Where an item says "over the truth", every side returns its result divided by the exact
one, so that differences are relative errors.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.random import default_rng

from nn_parity.divergences.row import Row

Arrays = dict[str, np.ndarray]

_row = partial(Row, topic="precision")

_erf, _erfc = np.vectorize(math.erf), np.vectorize(math.erfc)


def _walk(lr: float) -> Arrays:
    """Parameters, twenty gradients, twenty equal learning rates."""
    rng = default_rng(1)
    p, g = rng.normal(size=64), rng.normal(size=(20, 64))
    return {"p": p, "g": g, "lr": np.full(20, lr)}


def _gelu(z: np.ndarray) -> np.ndarray:
    return z * _erfc(-z / math.sqrt(2)) / 2  # exact in the tail, where 1 + erf is not


def _gelu_tanh(z: np.ndarray) -> np.ndarray:
    return z / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def _function(f: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> Arrays:
    """Where a function is evaluated, and the truth there."""
    return {"z": z, "truth": f(z)}


def _residuals() -> Arrays:
    p, y = default_rng(2).normal(size=(2, 8, 3))
    return {"p": p, "y": y, "truth": np.log(np.cosh(p - y)).mean()}


def _weights() -> Arrays:
    w = default_rng(3).normal(size=16)
    return {"w": w, "truth": np.array(0.01 * (w * w).sum())}


def _upsampling() -> Arrays:
    """Image X, and the matrix R that resamples 4 pixels to 7: R X R'."""
    position = np.clip((np.arange(7) + 0.5) * 4 / 7 - 0.5, 0, 3)
    R = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(4)))
    return {"image": 30 * default_rng(4).normal(size=(4, 4)), "R": R}


def _attention() -> Arrays:
    """Six vectors of eight elements that attend to each other: 1 / sqrt(8) is irrational."""
    return {"x": default_rng(5).uniform(-1, 1, size=(6, 8))}


def _long_columns() -> Arrays:
    """Two columns of a million float32 numbers and their sums."""
    x = default_rng(6).uniform(size=(1_000_000, 2)).astype(np.float32)
    return {"x": x, "truth": x.sum(axis=0, dtype=np.float64)}


def _two_batches() -> Arrays:
    """Two batches of float32 vectors that share the first, and a matrix."""
    rng = default_rng(7)
    x, others = rng.normal(size=(2, 64, 1024)).astype(np.float32)
    others[0] = x[0]
    W = rng.normal(size=(1024, 16)).astype(np.float32)
    return {"x": x, "others": others, "W": W}


def _layer() -> Arrays:
    rng = default_rng(8)
    return {
        "x": rng.normal(size=(64, 32)).astype(np.float32),
        "W": rng.normal(size=(32, 16)).astype(np.float32) / np.float32(6),
    }


def _elementary() -> Arrays:
    """float32 numbers; seven functions of them and the units of their last places."""
    z = np.linspace(-12, 12, 4001, dtype=np.float32)
    size = np.abs(z) + np.float32(0.01)
    x, s = z.astype(np.float64), size.astype(np.float64)
    functions = (
        np.exp(x),
        np.tanh(x),
        1 / (1 + np.exp(-x)),
        _erf(x),
        np.log(s),
        np.logaddexp(0, x),
        1 / np.sqrt(s),
    )
    truth = np.stack(functions)
    unit = np.abs(np.spacing(truth.astype(np.float32))).astype(np.float64)
    return {"z": z, "size": size, "truth": truth, "unit": unit}


ROWS: tuple[Row, ...] = (
    _row(
        id="P01",
        item="0.9 as a float64 tensor",
        inputs=dict,
        setting="np.float64(0.9), or ops.convert_to_tensor(0.9, dtype)",
        published=2.4e-8,
    ),
    _row(
        id="P02",
        item="Keras' momentum, written in NumPy",
        inputs=lambda: _walk(0.1),
        setting="NumPy with float(np.float32(0.9)): the same bits",
        published=8.9e-7,
    ),
    _row(
        id="P03",
        item="Keras' Adam, written in NumPy",
        inputs=lambda: _walk(0.001),
        setting="NumPy with powers of float32 betas: the same bits",
        published=8.4e-8,
    ),
    _row(
        id="P04",
        item="exact GELU over the truth",
        inputs=lambda: _function(_gelu, np.linspace(-3, 3, 60)),
        setting="z (1 + erf(z / sqrt 2)) / 2 in elementary operations",
        published=1.3e-7,
    ),
    _row(
        id="P05",
        item="tanh GELU over the truth",
        inputs=lambda: _function(_gelu_tanh, np.linspace(-3, 3, 60)),
        setting="the formula in elementary operations",
        published=5e-8,
    ),
    _row(
        id="P06",
        item="leaky ReLU, slope 0.1, over the truth",
        inputs=lambda: _function(lambda z: 0.1 * z, np.linspace(-3, -1, 9)),
        setting="where(z > 0, z, 0.1 z), or a slope that float32 can hold",
        published=1.5e-8,
    ),
    _row(
        id="P07",
        item="pixels over 255",
        inputs=lambda: {"x": np.arange(256.0)},
        setting="Rescaling(np.float64(1 / 255))",
        published=5.6e-8,
    ),
    _row(
        id="P08",
        item="log cosh loss over the truth",
        inputs=_residuals,
        setting="the formula with math.log(2)",
        published=5e-9,
    ),
    _row(
        id="P09",
        item="L2(0.01) penalty over the truth",
        inputs=_weights,
        setting="0.01 * ops.sum(w * w)",
        published=2e-8,
    ),
    _row(
        id="P10",
        item="bilinear resampling",
        inputs=_upsampling,
        setting="the product R X R'",
        published=2e-5,
    ),
    _row(
        id="P11",
        item="dot-product attention of Keras, 8 elements",
        inputs=_attention,
        setting="scale=np.float64(1 / sqrt(8))",
        published=1e-6,
        why="absolute here; the known figure is relative to small elements",
    ),
    _row(
        id="P12",
        item="MultiHeadAttention of Keras, 8 elements",
        inputs=_attention,
        setting="ops.dot_product_attention with a np.float64 scale",
        published=4e-9,
    ),
    _row(
        id="P13",
        item="dot-product attention of JAX",
        inputs=_attention,
        setting="the formula with jax.nn.softmax",
        published=5e-6,
        why="absolute here; the known figure is relative to small elements",
    ),
    _row(
        id="P14",
        item="cosine schedule",
        inputs=lambda: {"t": np.arange(9)},
        setting="the first rate as np.float64",
        published=None,
    ),
    _row(
        id="P15",
        item="float64 data in a float32 process",
        inputs=lambda: {"z": np.array([0.1])},
        setting="jax_enable_x64; dtype='float64'",
        published=None,
        why="the rounding of 0.1 to float32",
    ),
    _row(
        id="P16",
        item="the integer 2^40",
        inputs=lambda: {"n": np.array([2**40])},
        setting="jax_enable_x64",
        published=2.0**40,
    ),
    _row(
        id="P17",
        item="float32 matrix times float64 matrix",
        inputs=lambda: {"a": np.ones((2, 2), np.float32), "b": np.eye(2)},
        setting="the same dtype",
        published=None,
        why="torch refuses",
    ),
    _row(
        id="P18",
        item="mean of the integers 1 and 2",
        inputs=lambda: {"n": np.array([1, 2])},
        setting="floats",
        published=None,
        why="torch refuses; tf.reduce_mean is 1 instead of 1.5",
    ),
    _row(
        id="P19",
        item="np.float64 scalar times float32 array",
        inputs=lambda: {"x": np.array([1.0, 3.0], np.float32)},
        setting="x.dtype.type(0.1), or a Python float",
        published=None,
        why="the rounding of the result to float32",
    ),
    _row(
        id="P20",
        item="float32: sum of a million rows over the truth",
        inputs=_long_columns,
        setting="accumulate in float64",
        published=1.8e-5,
    ),
    _row(
        id="P21",
        item="float32: a row alone and among 64, times a matrix",
        inputs=_two_batches,
        setting="compare batches of one shape",
        published=None,
        why="2e-5 to 5e-5 in each library; depends on the processor",
    ),
    _row(
        id="P22",
        item="float32: a sum by two threads and by one",
        inputs=lambda: {"x": default_rng(9).normal(size=3_000_000).astype(np.float32)},
        setting="the same number of threads",
        published=None,
        why="depends on the processor",
    ),
    _row(
        id="P23",
        item="float32: a layer compiled by XLA and not, their difference",
        inputs=_layer,
        setting="the same compiler",
        published=2e-7,
    ),
    _row(
        id="P24",
        item="float32: worst errors, in units of the last place, of exp, tanh, "
        "sigmoid, erf, log, softplus, rsqrt",
        inputs=_elementary,
        setting="float64, rounded",
        published=5.4,
    ),
    _row(
        id="P25",
        item="float32: exact GELU in its tail, -12 to -6, over the truth",
        inputs=lambda: {
            "z": np.linspace(-12, -6, 13, dtype=np.float32),
            "truth": _gelu(np.linspace(-12, -6, 13)),
        },
        setting="z erfc(-z / sqrt 2) / 2 in float64",
        published=None,
        why="NumPy and torch keep no digit; the absolute error is below 1e-6",
    ),
)
