"""Scikit-learn's handwritten digits: two splits, with and without resampling."""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np

from nn_parity.datasets.dataset import Dataset, from_arrays
from nn_parity.datasets.published import DIGITS_SOURCE_SHA256

N, N_TEST, SIDE, FINE = 1797, 360, 8, 28
NAMES = (
    "digits", "digits-8x8", "digits-file-order", "digits-few", "digits-pictures",
)  # fmt: skip
FEW = 200

_SOURCE = (
    "scikit-learn's 1,797 handwritten digits (test part of the UCI set of Alpaydin & "
    "Kaynak, 1998), 8x8 pixels in 0-16 divided by 16"
)
_RESAMPLED = (
    "resampled to 28x28 by a fixed bilinear half-pixel matrix R (R X R'), float32"
)
_NOTE = "one test image is 0.28 points"
_OWN_TARGETS = "the target of each picture is the picture itself"


def load(name: str) -> Dataset:
    """Return one of `NAMES`; x is (N, 784), or (N, 8, 8) for ``digits-8x8``.

    The targets of ``digits-pictures`` are not classes: each picture is its own.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    counts = digits.images.astype(np.int64)  # (1797, 8, 8), 0 ... 16
    small = name == "digits-8x8"
    x = (counts / 16).astype(np.float32) if small else resample(counts).reshape(N, -1)
    pictures = name == "digits-pictures"
    y = x if pictures else digits.target
    train, test, split = _split(name, digits.target)
    return from_arrays(
        name,
        x[train],
        y[train],
        x[test],
        y[test],
        classes=None if pictures else 10,
        image_shape=(SIDE, SIDE) if small else (FINE, FINE),
        description=(
            f"{name}: {_SOURCE}, {'not resampled' if small else _RESAMPLED}; "
            f"{len(train):,} training and {len(test)} test images, {split}, "
            f"indices sha256 {_indices_sha256(train, test)[:12]}; "
            f"{_OWN_TARGETS if pictures else _NOTE}."
        ),
    )


def source() -> tuple[Path | None, bool]:
    """Where scikit-learn keeps the pixels, and whether they are the known ones.

    The file is read without importing scikit-learn, which takes a second.
    """
    import gzip

    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        return None, False
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError):
        return (path if path.exists() else None), False
    return path, hashlib.sha256(content).hexdigest() == DIGITS_SOURCE_SHA256


def resample(counts: np.ndarray) -> np.ndarray:
    """Enlarge pictures of whole numbers 0-16 from 8x8 to 28x28 in 0-1.

    Half-pixel centres: target row i lies at (i + 1/2) 8/28 - 1/2 = (4 i - 5) / 14 of
    the source, clamped to its edge. All weights are fourteenths, so R X R' is exact
    in whole numbers and one division rounds it: no BLAS can change a bit of it.

    Parameters
    ----------
    counts : numpy.ndarray
        int64, (N, 8, 8).

    Returns
    -------
    numpy.ndarray
        float32, (N, 28, 28).
    """
    R = resampling_matrix()  # (28, 8), in fourteenths
    exact = R @ counts @ R.T  # at most 14 * 14 * 16 = 3136
    return exact.astype(np.float32) / np.float32(14 * 14 * 16)


def resampling_matrix() -> np.ndarray:
    """Fourteen times the bilinear matrix R, int64, (28, 8); each row sums to 14."""
    R = np.zeros((FINE, SIDE), np.int64)
    for i in range(FINE):
        at = min(max(4 * i - 5, 0), 14 * (SIDE - 1))
        low = min(at // 14, SIDE - 2)
        R[i, low], R[i, low + 1] = 14 * (low + 1) - at, at - 14 * low
    return R


def _split(name: str, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    if name == "digits-file-order":
        said = f"the first {N - N_TEST:,} and the last {N_TEST} in file order"
        return np.arange(N - N_TEST), np.arange(N - N_TEST, N), said
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(N), test_size=N_TEST, stratify=target, random_state=0
    )
    said = f"train_test_split(test_size={N_TEST}, stratify=y, random_state=0)"
    if name == "digits-few":
        return train[:FEW], test, f"{said}, of which the first {FEW} to learn from"
    return train, test, said


def _indices_sha256(train: np.ndarray, test: np.ndarray) -> str:
    indices = np.concatenate([train, test]).astype("<i8")
    return hashlib.sha256(indices.tobytes()).hexdigest()
