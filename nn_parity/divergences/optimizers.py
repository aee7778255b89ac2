"""Optimizers: rows of the atlas.

Gradients are given, not computed, and so is a learning rate for each step: what differs
is what an optimizer makes of them.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.random import default_rng

from nn_parity.divergences.row import Row

Arrays = dict[str, np.ndarray]

_row = partial(Row, topic="optimizers")


def _twenty(lr: float, *, scale: float = 1.0) -> Callable[[], Arrays]:
    """Parameters, twenty gradients of a size, twenty equal learning rates."""

    def arrays() -> Arrays:
        rng = default_rng(1)
        return {
            "p": rng.normal(size=64),
            "g": scale * rng.normal(size=(20, 64)),
            "lr": np.full(20, lr),
        }

    return arrays


def _lower_rate() -> Arrays:
    """Twenty steps whose learning rate falls to a tenth at half-time."""
    return _twenty(0.1)() | {"lr": np.repeat([0.1, 0.01], 10)}


def _no_rate() -> Arrays:
    """Every optimizer takes its own learning rate."""
    return {name: a for name, a in _twenty(1.0)().items() if name != "lr"}


def _silence() -> Arrays:
    """Ten gradients, then none."""
    given = _twenty(0.001)()
    return given | {"g": given["g"] * (np.arange(20) < 10)[:, None]}


def _one_without() -> Arrays:
    """Two parameters; only the first of them has gradients."""
    given = _twenty(0.01)()
    a = b = given["p"][:5]
    return {"a": a, "b": b, "g": given["g"][:, :5], "lr": given["lr"]}


def _first_step() -> Arrays:
    """One gradient whose elements are of very different size."""
    g = np.array([[1.0, 1e-4, 1e-6, 1e-8]])
    return {"p": np.zeros(4), "g": g, "lr": np.full(1, 0.125)}


def _two_gradients() -> Arrays:
    rng = default_rng(2)
    return {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}


def _single() -> Arrays:
    """Twenty steps in float32."""
    return {name: a.astype(np.float32) for name, a in _twenty(0.01)().items()}


def _many_steps() -> Arrays:
    return {"t": np.arange(12)}


ROWS: tuple[Row, ...] = (
    _row(
        id="O01a",
        item="SGD with momentum 0.9",
        inputs=_twenty(0.1),
        setting="Keras: momentum=np.float64(0.9), see P01",
        published=1.0e-6,
    ),
    _row(
        id="O01b",
        item="SGD with momentum: the learning rate falls",
        inputs=_lower_rate,
        setting="Keras: a subclass that keeps the rate out of the buffer",
        published=2.07,
    ),
    _row(
        id="O02",
        item="Nesterov momentum 0.9",
        inputs=_twenty(0.1),
        setting="Keras: momentum=np.float64(0.9), see P01",
        published=1.1e-6,
    ),
    _row(
        id="O02b",
        item="dampening",
        inputs=_twenty(0.1),
        setting="dampening=0; Keras: momentum=np.float64(0.9)",
        published=2.97,
    ),
    _row(
        id="O03a",
        item="RMSprop, the defaults",
        inputs=_twenty(0.01),
        setting="rho 0.9; eps so small that its place does not matter",
        published=0.245,
    ),
    _row(
        id="O03b",
        item="RMSprop of gradients of 1e-4: eps, torch and optax",
        inputs=_twenty(0.01, scale=1e-4),
        setting="optax: eps_in_sqrt=False",
        published=0.10,
    ),
    _row(
        id="O03c",
        item="RMSprop of gradients of 1e-4: eps, Keras and optax",
        inputs=_twenty(0.01, scale=1e-4),
        setting="optax: eps_in_sqrt=True",
        published=0.10,
    ),
    _row(
        id="O03d",
        item="RMSprop with momentum",
        inputs=_twenty(0.01),
        setting="eps so small that its place does not matter",
        published=None,
    ),
    _row(
        id="O04",
        item="Adam's first step over lr g / (|g| + eps), g from 1 to 1e-8",
        inputs=_first_step,
        setting="Keras: the subclass TorchAdam, eps after the correction",
        published=0.92,
    ),
    _row(
        id="O05a",
        item="SGD with momentum and weight decay",
        inputs=_twenty(0.1),
        setting="Keras: regularizer L2(wd / 2) instead",
        published=3.29,
    ),
    _row(
        id="O05b",
        item="Adam with weight decay 0.1",
        inputs=_twenty(0.01),
        setting="AdamW; Keras: np.float64 settings (P01); eps 1e-30 (O04)",
        published=1.5e-2,
    ),
    _row(
        id="O05c",
        item="AdamW: the default weight decay",
        inputs=_twenty(0.01),
        setting="weight_decay=0.01; Keras: np.float64 settings; eps 1e-30",
        published=3.4e-3,
    ),
    _row(
        id="O17",
        item="AdamW: a parameter without gradient",
        inputs=_one_without,
        setting="optax.masked",
        published=1.7e-3,
    ),
    _row(
        id="O17b",
        item="momentum when gradients stop",
        inputs=_silence,
        setting="torch: zero_grad(set_to_none=False)",
        published=2.3e-2,
    ),
    _row(
        id="O06a",
        item="Adagrad, the defaults",
        inputs=_twenty(0.01),
        setting="initial_accumulator_value=0.125, eps 1e-30",
        published=6.6e-3,
    ),
    _row(
        id="O06c",
        item="Adagrad of a zero gradient, eps 0",
        inputs=_twenty(0.01, scale=0.0),
        setting="keep an eps",
        published=None,
        why="NaN",
    ),
    _row(
        id="O07",
        item="Adadelta, the defaults",
        inputs=_no_rate,
        setting="learning rate 1, rho 0.9, eps 1e-6 everywhere",
        published=2e-2,
    ),
    _row(
        id="O08",
        item="Adamax of gradients of 1e-7: eps",
        inputs=_twenty(0.01, scale=1e-7),
        setting="Keras: np.float64 betas (P01); eps 1e-30",
        published=3e-5,
    ),
    _row(
        id="O09",
        item="NAdam",
        inputs=_twenty(0.001),
        setting="",
        published=1.0e-2,
    ),
    _row(
        id="O10",
        item="AMSGrad",
        inputs=_twenty(0.01),
        setting="optax: bias_correction_nu=False and the correction in the rate; "
        "Keras: np.float64 betas; eps 1e-30",
        published=3.1e-2,
    ),
    _row(
        id="O11",
        item="Lion: the default weight decay",
        inputs=_twenty(0.01),
        setting="weight_decay=0",
        published=3.5e-4,
    ),
    _row(
        id="O12",
        item="gradients clipped to norm 1",
        inputs=_two_gradients,
        setting="Keras: global_clipnorm; torch: own formula without its 1e-6",
        published=0.49,
    ),
    _row(
        id="O13a",
        item="step schedule: when the rate drops",
        inputs=_many_steps,
        setting="Keras: boundaries = milestones - 1",
        published=None,
        why="off by one step",
    ),
    _row(
        id="O13b",
        item="cosine schedule: its floor, and what comes after it",
        inputs=_many_steps,
        setting="eta_min = alpha lr; stop at the floor",
        published=None,
    ),
    _row(
        id="O13c",
        item="exponential schedule",
        inputs=_many_steps,
        setting="staircase; torch: StepLR",
        published=None,
    ),
    _row(
        id="N01",
        item="float32: Adam's first five updates of equal gradients, over lr",
        inputs=lambda: {"g": np.full((5, 1), 0.5, np.float32)},
        setting="float64",
        published=1e-5,
    ),
    _row(
        id="N07",
        item="float32: Adam compiled and uncompiled, their difference",
        inputs=_single,
        setting="always compiled",
        published=None,
        why="1-2 units in the last place",
    ),
)
