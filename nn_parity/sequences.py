"""What a network that reads sequences takes from the settings and the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity.errors import Refusal

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset


def rows(data: Dataset) -> tuple[int, int]:
    """(T, D) of a data set: a picture read row by row; `Refusal` E008 without rows."""
    shape = data.x_train.shape[1:]
    found = shape if len(shape) == 2 else data.image_shape
    if found is None:
        raise Refusal(
            "E008",
            f"'{data.name}' has no rows to read one after the other",
            "the data of this experiment",
            "use a data set of pictures",
        )
    T, D = found
    return T, D


def tokens(data: Dataset) -> int:
    """V of a data set of token ids; `Refusal` E008 where x is numbers."""
    if not data.vocabulary or data.y_train.ndim != 2:
        raise Refusal(
            "E008",
            f"'{data.name}' has no strings of tokens to read and to write",
            "the data of this experiment",
            "leave out --data",
        )
    return len(data.vocabulary)


def real_steps(rng: np.random.Generator, n: int, T: int) -> np.ndarray:
    """Draw a mask (n, T): ones for the real steps, at least one, then zeros."""
    lengths = rng.integers(1, T + 1, n)
    return (np.arange(T) < lengths[:, None]).astype(np.float64)


def one_hidden_layer(settings: Mapping[str, Any]) -> int:
    """Units of the only hidden layer; `Refusal` E006 if several are asked for."""
    if len(settings["hidden"]) != 1:
        raise Refusal(
            "E006",
            f"{len(settings['hidden'])} hidden layers for a network that has one",
            "--set hidden",
            "give one number",
        )
    (units,) = settings["hidden"]
    return int(units)
