"""Confusion matrix: which class is taken for which, in counts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_WORST = 5  # one confusion among hundreds is not painted as a disaster
_RIGHT = ("#F3F8FC", "#0072B2")  # light to full blue: the share of a class found
_WRONG = ("#FDEBDD", "#D55E00")  # light to full vermillion: a confusion, by its count


@styled
def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[object], *, title: str
) -> "Figure":
    """Draw how often each class was predicted as each class.

    The diagonal is blue by the share of its class; a confusion is orange by its
    count against the most frequent confusion, because on one common scale the
    mistakes of a good network would all look like zero.

    Parameters
    ----------
    y_true, y_pred : array of int (N,)
        Labels as positions in ``classes``.
    classes : sequence
        Names of the classes, in the order of the labels.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Lengths differ, nothing is given, or a label is no position in ``classes``.
    """
    counts = _counts(np.asarray(y_true), np.asarray(y_pred), len(classes))
    side = max(5.0, 0.66 * len(classes))
    figure = page(title, side + 3.8, side + 2.3)
    ax = figure.subplots()
    _draw_cells(ax, counts)
    _draw_margins(ax, counts, [str(name) for name in classes])
    right, total = int(np.trace(counts)), int(counts.sum())
    ax.set_title(f"{right:,} of {total:,} right ({right / total:.1%})", color=FAINT)
    return figure


def _counts(truth: NDArray, said: NDArray, classes: int) -> NDArray[np.int64]:
    if truth.shape != said.shape or truth.ndim != 1 or truth.size == 0:
        raise ValueError(
            f"labels have shapes {truth.shape} and {said.shape}, expected (N,) twice"
        )
    for name, labels in (("true", truth), ("predicted", said)):
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"{name} labels run from {labels.min()} to {labels.max()}, "
                f"expected 0 to {classes - 1}"
            )
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (truth.astype(np.int64), said.astype(np.int64)), 1)
    return counts


def _draw_cells(ax: "Axes", counts: NDArray[np.int64]) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    blue = LinearSegmentedColormap.from_list("right", _RIGHT)
    orange = LinearSegmentedColormap.from_list("wrong", _WRONG)
    in_class = np.maximum(counts.sum(axis=1), 1)
    worst = max(_LEAST_WORST, int((counts - np.diag(np.diag(counts))).max()))
    size = 14 if counts.max() < 1000 else 11
    for i, j in np.ndindex(*counts.shape):
        count = int(counts[i, j])
        share = count / in_class[i] if i == j else count / worst
        empty = count == 0 and i != j
        colour = "#FFFFFF" if empty else (blue if i == j else orange)(share)
        ax.add_patch(
            Rectangle((j - 0.5, i - 0.5), 1, 1, fc=colour, ec="#E4E4E4", lw=0.8)
        )
        dark = not empty and share > (0.55 if i == j else 0.8)
        ax.text(
            j,
            i,
            "·" if empty else f"{count:,}",
            ha="center",
            va="center",
            fontsize=size,
            color="#BBBBBB" if empty else "white" if dark else INK,
            fontweight="bold" if i == j else "normal",
        )


def _draw_margins(ax: "Axes", counts: NDArray[np.int64], names: list[str]) -> None:
    count = len(names)
    ax.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    slanted = max(len(name) for name in names) > 4 and count > 4
    ax.set_xticks(
        range(count),
        names,
        rotation=40 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    ax.set_yticks(range(count), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("predicted class (cells: number of examples)")
    ax.set_ylabel("true class")
    found = ax.secondary_yaxis("right")
    in_class = counts.sum(axis=1)
    shares = [
        f"{c / n:.1%} of {n:,}" if n else "none given"
        for c, n in zip(np.diag(counts), in_class, strict=True)
    ]
    found.set_yticks(range(count), shares)
    found.tick_params(length=0, labelcolor=FAINT, labelsize=12)
    found.spines[:].set_visible(False)
    found.set_ylabel("found (share of the class)", color=FAINT)
