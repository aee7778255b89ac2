"""Losses and metrics: rows of the atlas."""

from functools import partial

import numpy as np
from numpy.random import default_rng

from nn_parity.divergences.row import Row

Arrays = dict[str, np.ndarray]

_row = partial(Row, topic="losses")


def _regression() -> Arrays:
    """Predictions and targets of a batch."""
    rng = default_rng(1)
    return {"p": rng.normal(size=(8, 4)), "y": rng.normal(size=(8, 4))}


def _classes() -> Arrays:
    """Logits of six examples, their classes and a weight for each class."""
    rng = default_rng(2)
    return {
        "logits": 2 * rng.normal(size=(6, 4)),
        "y": np.array([3, 1, 2, 3, 3, 1]),
        "w": np.array([0.7, 0.9, 1.1, 1.3]),
    }


def _scores() -> Arrays:
    """Scores of six examples for four classes, and the classes."""
    rng = default_rng(3)
    return {"s": rng.normal(size=(6, 4)), "y": rng.integers(4, size=6)}


def _two_classes() -> Arrays:
    """Scores and labels 0 or 1."""
    rng = default_rng(4)
    y = rng.integers(2, size=64).astype(float)
    return {"s": rng.normal(size=64) + y, "y": y}


def _distributions() -> Arrays:
    """Two sets of distributions over five values."""
    rng = default_rng(5)
    return {
        "p": rng.dirichlet(np.full(5, 2.0), size=6),
        "q": rng.dirichlet(np.full(5, 2.0), size=6),
    }


def _counts() -> Arrays:
    """Poisson counts and the rates that were predicted for them."""
    rng = default_rng(6)
    return {
        "rate": rng.uniform(0.6, 1.2, size=(6, 2)),
        "y": rng.poisson(1.0, size=(6, 2)).astype(float),
    }


def _directions() -> Arrays:
    """Long vectors, beside which no library's epsilon counts."""
    return {n: 64 * a for n, a in _regression().items()} | {"ones": np.ones(8)}


def _line() -> Arrays:
    """Ten examples of a linear unit: four, four and two of them in a batch."""
    rng = default_rng(11)
    x, w = rng.normal(size=(10, 3)), rng.normal(size=(3, 1))
    return {"x": x, "y": x.sum(axis=1, keepdims=True), "w": w}


ROWS: tuple[Row, ...] = (
    _row(
        id="S01a",
        item="mean squared error",
        inputs=_regression,
        setting="optax.squared_error().mean(); in Keras the class or ops.mean",
        published=1.06,
    ),
    _row(
        id="S02a",
        item="what cross-entropy expects",
        inputs=_classes,
        setting="from_logits=True and no softmax layer",
        published=6.6,
    ),
    _row(
        id="S02b",
        item="cross-entropy of probabilities, 60 between the logits",
        inputs=lambda: {"logits": np.array([[0.0, 60.0]]), "y": np.array([0])},
        setting="logits",
        published=43.9,
    ),
    _row(
        id="S03",
        item="binary cross-entropy at p = 0, y = 1",
        inputs=lambda: {
            "p": np.zeros(1),
            "logits": np.array([-800.0, 800.0]),
            "y": np.ones(1),
        },
        setting="logits: all agree at -800 and 800",
        published=None,
        why="torch and Keras are 84 apart; the bare formula is infinite",
    ),
    _row(
        id="S04",
        item="label smoothing",
        inputs=_classes,
        setting="a / K for each class, the true one too",
        published=None,
        why="libraries agree; some texts give a / (K - 1) to the other classes",
    ),
    _row(
        id="S04b",
        item="label smoothing together with class weights",
        inputs=_classes,
        setting="own formula: the weight of the true class, over their sum",
        published=0.137,
    ),
    _row(
        id="S11",
        item="class weights",
        inputs=_classes,
        setting="Keras: reduction='mean_with_sample_weight'",
        published=0.173,
    ),
    _row(
        id="S12",
        item="a class that is ignored",
        inputs=_classes,
        setting="mean over the others: sum(kept losses) / sum(kept)",
        published=None,
        why="torch and Keras agree; a mask by hand is easily averaged over all",
    ),
    _row(
        id="S05a",
        item="hinge loss: labels 0 and 1",
        inputs=_two_classes,
        setting="labels -1 and 1; torch: relu(1 - y s).mean()",
        published=0.55,
    ),
    _row(
        id="S05b",
        item="multi-class hinge loss",
        inputs=_scores,
        setting="own formula: 1 + largest other score - true score",
        published=0.58,
    ),
    _row(
        id="S05c",
        item="multi-class hinge loss, all scores negative",
        inputs=lambda: {"s": np.array([[-5.0, -3.0, -4.0]]), "y": np.array([0])},
        setting="own formula: 1 + largest other score - true score",
        published=3.0,
    ),
    _row(
        id="S06",
        item="Kullback-Leibler divergence",
        inputs=_distributions,
        setting="torch: reduction='batchmean'",
        published=0.249,
    ),
    _row(
        id="S07",
        item="Huber, smooth L1 with delta = 2",
        inputs=lambda: {name: 2 * a for name, a in _regression().items()},
        setting="smooth L1 is Huber over its beta: take huber_loss",
        published=0.98,
    ),
    _row(
        id="S08",
        item="Poisson loss",
        inputs=_counts,
        setting="torch: log_input=False, eps=1e-7",
        published=0.41,
    ),
    _row(
        id="S09",
        item="cosine loss",
        inputs=_directions,
        setting="add 1 in Keras; the gradients are the same",
        published=1.0,
    ),
    _row(
        id="S15",
        item="L2 penalty: its pull on a weight",
        inputs=lambda: {"w": default_rng(8).normal(size=5)},
        setting="weight_decay = 2 l2",
        published=None,
        why="a factor of 2",
    ),
    _row(
        id="O15a",
        item="loss of an epoch with a smaller last batch, weights at rest",
        inputs=_line,
        setting="each batch weighted by its examples",
        published=0.06,
    ),
    _row(
        id="O15b",
        item="loss of an epoch of training",
        inputs=_line,
        setting="evaluate after the epoch",
        published=1.2,
    ),
    _row(
        id="N20",
        item="area under the ROC curve",
        inputs=_two_classes,
        setting="the rank statistic",
        published=3.3e-3,
    ),
    _row(
        id="N15",
        item="order of the examples in an epoch",
        inputs=_line,
        setting="an explicit permutation of the indices",
        published=None,
        why="Keras draws another order in each process",
    ),
)
