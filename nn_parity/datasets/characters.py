"""A short text read letter by letter, to say at each letter which one comes next.

The text was written for this project, about networks and numbers; it lies in ``texts``.
"""

from pathlib import Path

import numpy as np

from nn_parity.datasets.dataset import Dataset, from_arrays

NAMES = ("characters",)
TEXT = Path(__file__).with_name("texts") / "networks.txt"
T = 32  # letters that are read at once
STEP = 4  # from the start of one window to the start of the next
TESTED = 24 * T + 1  # letters at the end of the text that nobody learns from


def text() -> str:
    """Return the whole text in small letters, its lines joined by spaces."""
    return " ".join(TEXT.read_text(encoding="utf-8").lower().split())


def load(name: str) -> Dataset:
    """Return one of `NAMES`; x and y are (N, T) places in the vocabulary, y one letter on."""
    written = text()
    vocabulary = tuple(sorted(set(written)))
    ids = np.array([vocabulary.index(letter) for letter in written])
    learned, tested = ids[:-TESTED], ids[-TESTED:]
    return from_arrays(
        name,
        *_windows(learned, STEP),
        *_windows(tested, T),
        classes=len(vocabulary),
        description=f"{name}: {len(ids):,} letters of English written for this project, "
        f"{len(vocabulary)} different ones; windows of {T} letters, a new one every {STEP} "
        f"letters, and as answers the same letters one further on; the last {TESTED:,} "
        "letters are the test, in windows that do not overlap.",
        vocabulary=vocabulary,
    )


def _windows(ids: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, T) letters and the letter after each of them."""
    starts = np.arange(0, len(ids) - T, step)
    window = starts[:, None] + np.arange(T)
    return ids[window], ids[window + 1]
