"""One row of the atlas: what every side is given, and how near they must come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One divergence; what each implementation does about it is a `Pair` of its own.

    Parameters
    ----------
    id : str
        Name of the row, such as "L01".
    topic, item : str
        Module of `nn_parity.divergences`; what differs, in a few words.
    inputs : callable
        Returns the arrays that every side is given.
    setting : str
        What makes the sides agree; "" where nothing does.
    published : float, optional
        Naive difference known before, of the versions in ``constraints.txt``.
    gate : float
        Absolute difference that aligned sides may show.
    why : str
        Reason of a looser gate or of a figure far from the published one.
    """

    id: str
    topic: str
    item: str
    inputs: Callable[[], dict[str, np.ndarray]]
    setting: str
    published: float | None
    gate: float = 1e-12
    why: str = ""


def normal(seed: int, **shapes: tuple[int, ...]) -> Callable[[], dict[str, np.ndarray]]:
    """Return inputs for a row: standard normal arrays of these names and shapes."""

    def draw() -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    return draw
