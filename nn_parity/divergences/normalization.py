"""Normalization, dropout and modes: rows of the atlas."""

from collections.abc import Callable
from functools import partial

import numpy as np

from nn_parity.divergences.row import Row, normal

row = partial(Row, topic="normalization")


def scaled(scale: float, seed: int, *shape: int) -> Callable[[], dict[str, np.ndarray]]:
    """Return inputs: normal numbers of another variance than 1."""
    return lambda: {"x": scale * np.random.default_rng(seed).standard_normal(shape)}


def far_from_zero() -> dict[str, np.ndarray]:
    """Return float32 rows with mean 1e4 and deviation 1."""
    x = 1e4 + np.random.default_rng(25).standard_normal((4, 64))
    return {"x": x.astype(np.float32)}


def with_mask() -> dict[str, np.ndarray]:
    """Return activations and a dropout mask of rate 1/2, already scaled."""
    rng = np.random.default_rng(28)
    return {"x": rng.standard_normal((4, 8)), "mask": 2.0 * rng.integers(0, 2, (4, 8))}


ROWS: tuple[Row, ...] = (
    row(
        id="L08a",
        item="batch norm: eps",
        inputs=normal(21, x=(16, 4)),
        setting="eps=1e-5 everywhere",
        published=5.8e-4,
    ),
    row(
        id="L08b",
        item="batch norm: momentum; running variance after one step",
        inputs=scaled(3.0, 22, 64, 4),
        setting="keras momentum = 1 - torch momentum; variance as in L08c",
        published=0.81,
    ),
    row(
        id="L08c",
        item="batch norm: running variance, n = 8",
        inputs=scaled(3.0, 23, 8, 4),
        setting="multiply torch's batch variance by (n - 1) / n afterwards",
        published=0.123,
    ),
    row(
        id="L09",
        item="layer norm: eps",
        inputs=normal(24, x=(16, 64)),
        setting="eps=1e-5 everywhere",
        published=8.2e-4,
    ),
    row(
        id="L09b",
        item="layer norm: variance of float32 with mean 1e4",
        inputs=far_from_zero,
        setting="flax: use_fast_variance=False",
        published=643.0,
        gate=5e-3,
        why="float32 keeps 3 digits of a deviation of 1 beside a mean of 1e4; where the "
        "fast variance is cut off at 0, naive is 1000 times the largest deviation",
    ),
    row(
        id="L09c",
        item="group norm: eps",
        inputs=scaled(0.25, 26, 8, 3, 3, 4),
        setting="eps=1e-5 everywhere",
        published=2.2e-2,
    ),
    row(
        id="L09d",
        item="RMS norm: eps",
        inputs=normal(27, x=(16, 64)),
        setting="eps=1e-6 everywhere",
        published=8e-7,
    ),
    row(
        id="L15a",
        item="dropout: the mask",
        inputs=with_mask,
        setting="feed the mask as an input",
        published=None,
    ),
    row(
        id="L15b",
        item="dropout: default mode",
        inputs=normal(29, x=(4, 8)),
        setting="say training=False, or model.eval()",
        published=None,
    ),
    row(
        id="L15c",
        item="batch norm that was frozen",
        inputs=normal(30, x=(8, 4), mean=(4,)),
        setting="torch: bn.eval(), besides requires_grad_(False)",
        published=3.1,
    ),
    row(
        id="L19",
        item="standard deviation, n = 7",
        inputs=normal(31, x=(7,)),
        setting="torch: correction=0",
        published=0.105,
    ),
)
