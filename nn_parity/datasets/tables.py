"""Data sets small enough to be typed: logic, a hiring table, two straight lines."""

from collections.abc import Callable, Sequence

import numpy as np

from nn_parity.datasets.dataset import Dataset, from_arrays


def load(name: str) -> Dataset:
    """Return one of `NAMES`; x is (N, D) float32 and y is (N, 1) float64."""
    return _TABLES[name]()


def _table(
    name: str,
    train: Sequence[Sequence[float]],
    y_train: Sequence[float],
    test: Sequence[Sequence[float]],
    y_test: Sequence[float],
    description: str,
    labels: Sequence[str],
) -> Dataset:
    return from_arrays(
        name,
        np.array(train, np.float32),
        np.array(y_train, np.float64).reshape(-1, 1),
        np.array(test, np.float32),
        np.array(y_test, np.float64).reshape(-1, 1),
        classes=None,
        description=f"{name}: {description}",
        labels=tuple(labels),
    )


def _binary_blitz() -> Dataset:
    rows, asked = ("001", "111", "101", "011"), ("100",)

    def bits(words: Sequence[str]) -> list[list[int]]:
        return [[int(bit) for bit in word] for word in words]

    return _table(
        "binary-blitz",
        bits(rows),
        [0, 1, 1, 0],
        bits(asked),
        [1],
        "three bits in, the first bit out; rows 001->0, 111->1, 101->1, 011->0, "
        "and 100 (->1) asked afterwards.",
        rows + asked,
    )


def _gate(name: str, y: Sequence[int]) -> Callable[[], Dataset]:
    def build() -> Dataset:
        rows = ("00", "01", "10", "11")
        x = [[int(row[0]), int(row[1])] for row in rows]
        return _table(
            name,
            x,
            y,
            x,
            y,
            f"the four rows of the truth table of {name.upper()}; "
            "the test rows are the training rows.",
            rows + rows,
        )

    return build


def _hiring() -> Dataset:
    raw = np.array([(12, 6), (32, 4), (11, 3), (29, 11)])
    centre = raw.mean(axis=0)  # (21, 6)
    asked = np.array([(-7, 0), (10, -6)])
    named = [*raw, *(asked + centre)]
    return _table(
        "hiring",
        (raw - centre).tolist(),
        [0, 1, 0, 1],
        asked.tolist(),
        [0, 1],
        "four candidates (12,6) (32,4) (11,3) (29,11) with labels 0 1 0 1, centred "
        "as in the course by taking away the column means 21 and 6: (-9,0) (11,-2) "
        "(-10,-3) (8,5). Test rows (-7,0) and (10,-6); their labels 0 and 1 are the "
        "answers a course printed (0.037, 0.797), rounded, and no observations.",
        [f"candidate ({a:.0f},{b:.0f})" for a, b in named],
    )


def _line(name: str, slope: int) -> Callable[[], Dataset]:
    def build() -> Dataset:
        train, test = (-1.0, -0.5, 0.25, 0.75, 1.0), (-0.75, 0.0, 0.5, 2.0)
        said = "x" if slope == 1 else "-x"
        return _table(
            name,
            [[v] for v in train],
            [slope * v for v in train],
            [[v] for v in test],
            [slope * v + 0.0 for v in test],  # + 0.0 makes -0.0 a plain zero
            f"f(x) = {said} at five points to learn from, x = -1 -0.5 0.25 0.75 1, "
            "and at four to ask, x = -0.75 0 0.5 2; the last lies outside.",
            [f"x = {v:g}" for v in train + test],
        )

    return build


_TABLES: dict[str, Callable[[], Dataset]] = {
    "binary-blitz": _binary_blitz,
    "and": _gate("and", (0, 0, 0, 1)),
    "or": _gate("or", (0, 1, 1, 1)),
    "xor": _gate("xor", (0, 1, 1, 0)),
    "hiring": _hiring,
    "identity-line": _line("identity-line", 1),
    "negation-line": _line("negation-line", -1),
}
NAMES = tuple(_TABLES)
