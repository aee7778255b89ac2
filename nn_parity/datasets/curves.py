"""Data that one straight line cannot split, and functions to be approximated.

Points are rounded to multiples of 2^-12, so that no machine's sine changes a bit of them.
"""

from collections.abc import Callable

import numpy as np

from nn_parity.datasets.dataset import Dataset, from_arrays

GRID = 2.0**12


def load(name: str) -> Dataset:
    """Return one of `NAMES`; x is (N, ...) float32 and y is (N, 1) float64."""
    return _CURVES[name]()


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.round(values * GRID) / GRID


def _split_in_two(
    name: str, x: np.ndarray, y: np.ndarray, n_test: int, description: str
) -> Dataset:
    """Make the last ``n_test`` rows the test set; rows come in random order."""
    return from_arrays(
        name,
        x[:-n_test].astype(np.float32),
        y[:-n_test].reshape(-1, 1),
        x[-n_test:].astype(np.float32),
        y[-n_test:].reshape(-1, 1),
        classes=None,
        description=f"{name}: {description}",
    )


def _feature_cross(product: bool) -> Callable[[], Dataset]:
    def build() -> Dataset:
        rng = np.random.default_rng([0, *b"feature-cross"])
        x = _rounded(rng.uniform(-1, 1, (300, 2)))
        y = (x[:, 0] * x[:, 1] > 0).astype(np.float64)
        said = (
            "300 points of a square, labelled 1 where x1 x2 > 0; 200 to learn from, "
            "100 to test"
        )
        if not product:
            return _split_in_two("feature-cross", x, y, 100, f"{said}.")
        crossed = np.column_stack([x, _rounded(x[:, 0] * x[:, 1])])
        said += "; the product x1 x2 is given as a third input"
        return _split_in_two("feature-crossed", crossed, y, 100, f"{said}.")

    return build


def _spiral() -> Dataset:
    rng = np.random.default_rng([0, *b"spiral"])
    n = 300
    y = rng.integers(0, 2, n).astype(np.float64)
    radius = np.sqrt(rng.uniform(0.01, 1, n))
    angle = 3 * np.pi * radius + np.pi * y
    x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    x = _rounded(x + rng.normal(scale=0.02, size=x.shape))
    return _split_in_two(
        "spiral",
        x,
        y,
        100,
        "two arms of a spiral, one and a half turns each, with normal noise of 0.02; "
        "200 points to learn from, 100 to test.",
    )


def _sine() -> Dataset:
    rng = np.random.default_rng([0, *b"sine"])
    x = _rounded(rng.uniform(-1, 1, (160, 1)))
    return _split_in_two(
        "sine",
        x,
        _rounded(np.sin(np.pi * x)),
        80,
        "y = sin(pi x) at points between -1 and 1, without noise; 80 to learn from, "
        "80 to test.",
    )


def _point_pairs() -> Dataset:
    rng = np.random.default_rng([0, *b"point-pairs"])
    x = _rounded(rng.uniform(0, 2, (25, 2, 3)))
    y = _rounded(np.sin(x @ np.array([1.0, 2.0, -1.0])).mean(axis=1))
    return _split_in_two(
        "point-pairs",
        x,
        y,
        20,
        "an example is two points of three coordinates a, b, c between 0 and 2, and y "
        "is the mean of sin(a + 2b - c) over both; 5 to learn from, 20 to test. So few "
        "that their Jacobians can be printed.",
    )


_CURVES: dict[str, Callable[[], Dataset]] = {
    "feature-cross": _feature_cross(product=False),
    "feature-crossed": _feature_cross(product=True),
    "spiral": _spiral,
    "sine": _sine,
    "point-pairs": _point_pairs,
}
NAMES = tuple(_CURVES)
