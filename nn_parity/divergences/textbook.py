"""Textbooks against frameworks: rows of the atlas.

The NumPy side of a row writes what a course or a text does, word for word; the other
sides use what a library has under that name.
"""

from functools import partial

import numpy as np
from numpy.random import default_rng

from nn_parity.divergences.row import Row

Arrays = dict[str, np.ndarray]

_row = partial(Row, topic="textbook")


def _bilinear_form() -> Arrays:
    """Arrays of the number y = u' X v; X is (2, 3)."""
    rng = default_rng(1)
    return {
        "u": rng.normal(size=2),
        "X": rng.normal(size=(2, 3)),
        "v": rng.normal(size=3),
    }


def _predictions() -> Arrays:
    """Four predictions of three numbers, the targets, a learning rate."""
    rng = default_rng(2)
    return {
        "p": rng.normal(size=(4, 3)),
        "y": rng.normal(size=(4, 3)),
        "lr": np.array(0.1),
    }


def _square_layer() -> Arrays:
    """As many inputs as units, so that no shape gives the mistake away."""
    rng = default_rng(3)
    return {"x": rng.normal(size=(4, 3)), "W": rng.normal(size=(3, 3))}


ROWS: tuple[Row, ...] = (
    _row(
        id="T01",
        item="derivative of relu at 0",
        inputs=lambda: {"z": np.array([-1.0, 0.0, 2.0])},
        setting="1 where z > 0",
        published=1.0,
    ),
    _row(
        id="T02",
        item="derivative of PReLU at 0, slope 0.25",
        inputs=lambda: {"z": np.array([-1.0, 0.0, 2.0]), "a": np.array(0.25)},
        setting="1 where z > 0, else the slope",
        published=None,
    ),
    _row(
        id="T03",
        item="shape of dy/dX for a number y and X (n, k)",
        inputs=_bilinear_form,
        setting="transposed: the shape of X, so that X - lr dy/dX makes sense",
        published=None,
        why="(k, n) against (n, k)",
    ),
    _row(
        id="T04",
        item="squared error: one step of the predictions with lr 0.1",
        inputs=_predictions,
        setting="lr times half the number of elements",
        published=None,
    ),
    _row(
        id="T05",
        item="logistic unit with slope h = 2",
        inputs=lambda: {"a": default_rng(4).normal(size=5), "h": np.array(2.0)},
        setting="sigmoid(h a)",
        published=None,
    ),
    _row(
        id="T06",
        item="hard-limit unit at its threshold",
        inputs=lambda: {"a": np.array([-1.0, 0.5, 2.0]), "threshold": np.array(0.5)},
        setting="where(a >= threshold, 1, -1)",
        published=1.0,
    ),
    _row(
        id="T07",
        item="cross-entropy, 800 between the logits",
        inputs=lambda: {"logits": np.array([[0.0, 800.0]]), "y": np.array([0])},
        setting="one step from the logits: log(sum(exp)) - logit",
        published=None,
        why="e^800 overflows",
    ),
    _row(
        id="T08",
        item="a layer's weights: W x or x W",
        inputs=_square_layer,
        setting="transpose by the convention, never by the shape",
        published=None,
    ),
)
