"""Strings of tokens, drawn: whole numbers that stand for the words of a vocabulary."""

import numpy as np

from nn_parity.datasets.dataset import Dataset, from_arrays

NAMES = ("reverse",)
LENGTH, N_TRAIN, N_TEST = 8, 4000, 500
START = "start"  # the last token: what a decoder is given before its own first


def load(name: str) -> Dataset:
    """Return one of `NAMES`; x and y are (N, T) token ids, int64."""
    rng = np.random.default_rng([0, *name.encode()])
    drawn = rng.integers(0, 10**LENGTH, 2 * (N_TRAIN + N_TEST))
    _, first = np.unique(drawn, return_index=True)
    numbers = drawn[np.sort(first)][: N_TRAIN + N_TEST]  # each once, as they came
    x = numbers[:, None] // 10 ** np.arange(LENGTH) % 10
    y = x[:, ::-1]
    return from_arrays(
        name,
        x[:N_TRAIN],
        y[:N_TRAIN],
        x[N_TRAIN:],
        y[N_TRAIN:],
        classes=11,
        description=f"{name}: {N_TRAIN + N_TEST:,} different strings of {LENGTH} random "
        f"digits and the same strings backwards, {N_TRAIN:,} to learn from and {N_TEST} "
        "to test; no string is in both.",
        vocabulary=(*map(str, range(10)), START),
    )
