"""The adding problem of Hochreiter & Schmidhuber (1997): what to keep, and for how long."""

import numpy as np

from nn_parity.datasets.curves import GRID
from nn_parity.datasets.dataset import Dataset, from_arrays

_LENGTHS = {"adding": 20, "adding-50": 50}
NAMES = tuple(_LENGTHS)
N_TRAIN, N_TEST = 4000, 500


def load(name: str) -> Dataset:
    """Return one of `NAMES`; x is (N, T, 2) float32 and y is (N, 1) float64.

    The common form of it: in each half of a sequence one step is marked, and the sum of
    the two marked numbers is asked for at the end.
    """
    T, n = _LENGTHS[name], N_TRAIN + N_TEST
    rng = np.random.default_rng([0, *name.encode()])
    numbers = rng.integers(0, int(GRID) + 1, (n, T)) / GRID
    marks = np.zeros((n, T))
    for start, end in ((0, T // 2), (T // 2, T)):
        marks[np.arange(n), rng.integers(start, end, n)] = 1
    y = (numbers * marks).sum(axis=1, keepdims=True)
    x = np.stack([numbers, marks], axis=2).astype(np.float32)
    return from_arrays(
        name,
        x[:N_TRAIN],
        y[:N_TRAIN],
        x[N_TRAIN:],
        y[N_TRAIN:],
        classes=None,
        description=f"{name}: {n:,} sequences of {T} random numbers from 0 to 1, two of "
        f"them marked; their sum is asked for; {N_TRAIN:,} to learn from and {N_TEST} to "
        "test. Always to answer 1 has a mean squared error of 1/6 = 0.167, on average.",
    )
