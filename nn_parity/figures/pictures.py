"""Rows of small images: what the first layer looks for, and what went wrong."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.style import FAINT, INK, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_UNITS = 64


@styled
def first_layer_weights(
    W: ArrayLike, image_shape: tuple[int, int], *, title: str
) -> "Figure":
    """Draw each unit of the first layer as the image it responds to.

    All images share one colour scale, symmetric about zero: white is a weight of 0.

    Parameters
    ----------
    W : array (D, N)
        Weights; column n belongs to unit n. At most the first 64 units are drawn,
        and the figure says so.
    image_shape : (rows, columns)
        Their product is D.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        ``W`` is not (rows * columns, N) or is not finite.
    """
    weights = np.asarray(W, dtype=np.float64)
    rows, columns = image_shape
    if weights.ndim != 2 or weights.shape[0] != rows * columns or not weights.size:
        raise ValueError(
            f"W has shape {weights.shape}, expected ({rows * columns}, units) "
            f"for images of {rows} x {columns}"
        )
    if not np.isfinite(weights).all():
        raise ValueError("W holds NaN or inf, expected finite weights")
    units = min(weights.shape[1], _MOST_UNITS)
    across = min(8, math.ceil(math.sqrt(units)) if units > 8 else units)
    down = math.ceil(units / across)
    flat = down < 3  # too low for an upright colour bar with its words
    height = 1.75 * down + (2.4 if flat else 1.6)
    figure = page(title, max(7.0, 1.55 * across + 2.0), height)
    axes = figure.subplots(down, across, squeeze=False)
    limit = float(np.abs(weights[:, :units]).max()) or 1.0
    for ax in axes.flat:
        ax.axis("off")
    for n, ax in zip(range(units), axes.flat, strict=False):
        picture = ax.imshow(
            weights[:, n].reshape(rows, columns),
            cmap="RdBu",
            vmin=-limit,
            vmax=limit,
            interpolation="nearest",
        )
        ax.set_title(f"unit {n + 1}", loc="center", fontsize=13, pad=4)
    if flat:
        sized: dict[str, Any] = {"location": "bottom", "fraction": 0.08, "aspect": 36}
    else:
        sized = {"location": "right", "fraction": 0.04, "aspect": 28}
    bar = figure.colorbar(picture, ax=axes, pad=0.02, **sized)
    bar.set_label("weight (per unit of input brightness)")
    bar.outline.set_visible(False)
    if units < weights.shape[1]:
        figure.supxlabel(f"the first {units} of {weights.shape[1]} units", fontsize=13)
    return figure


@styled
def misclassified(
    images: ArrayLike,
    y_true: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    *,
    title: str,
    limit: int = 24,
    classes: Sequence[object] | None = None,
) -> "Figure":
    """Draw the images that at least one framework gets wrong.

    Images on which the frameworks disagree come first, framed, and say who saw what.

    Parameters
    ----------
    images : array (N, rows, columns)
        Brightness; any scale.
    y_true : array of int (N,)
        True labels.
    predictions : mapping of framework to array of int (N,)
        Predicted labels.
    title : str
        Headline.
    limit : int
        Most images to draw; the caption counts the rest.
    classes : sequence, optional
        Names of the labels; the labels themselves if left out.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Shapes do not belong together, no framework is given, or ``limit`` < 1.
    """
    pictures, truth = np.asarray(images, dtype=np.float64), np.asarray(y_true)
    said = {name: np.asarray(labels) for name, labels in predictions.items()}
    _check(pictures, truth, said, limit)
    table = np.stack(list(said.values()))  # (frameworks, N)
    split = (table != table[0]).any(axis=0)
    wrong = np.flatnonzero((table != truth).any(axis=0))
    wrong = wrong[np.argsort(~split[wrong], kind="stable")]
    shown = wrong[:limit]
    caption = _caption(len(wrong), len(truth), len(shown), int(split[wrong].sum()))
    if not len(shown):
        figure = page(title, 8.0, 2.4)
        figure.text(0.5, 0.4, caption, ha="center", va="center")
        return figure
    across = min(6, len(shown))
    down = math.ceil(len(shown) / across)
    words = len(said) if split[shown].any() else 1
    width = max(8.5, 2.1 * across + 0.5)
    figure = page(title, width, (1.85 + 0.2 * words) * down + 1.3)
    figure.supxlabel(caption, fontsize=13)
    scale = {"vmin": pictures.min(), "vmax": pictures.max() or 1.0, "cmap": "gray_r"}
    axes = figure.subplots(down, across, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for n, ax in zip(shown, axes.flat, strict=False):
        ax.imshow(pictures[n], interpolation="nearest", **scale)
        votes = {name: labels[n] for name, labels in said.items()}
        _write_verdict(ax, truth[n], votes, bool(split[n]), classes)
    return figure


def _check(
    pictures: NDArray, truth: NDArray, said: Mapping[str, NDArray], limit: int
) -> None:
    if not said or limit < 1:
        raise ValueError("expected predictions of a framework and a limit of 1 or more")
    if pictures.ndim != 3 or truth.shape != pictures.shape[:1]:
        raise ValueError(
            f"images {pictures.shape} and labels {truth.shape} do not belong together, "
            "expected (N, rows, columns) and (N,)"
        )
    for name, labels in said.items():
        if labels.shape != truth.shape:
            raise ValueError(
                f"predictions of {name} have shape {labels.shape}, expected {truth.shape}"
            )


def _caption(wrong: int, total: int, shown: int, split: int) -> str:
    if not wrong:
        return f"none of the {total:,} images is misclassified"
    rest = f", {shown} shown" if shown < wrong else ""
    count = (
        f"{wrong:,} of {total:,} images misclassified by at least one framework{rest}"
    )
    framed = f"framed: the frameworks disagree (on {split:,})"
    return f"{count}\n{framed}" if split else f"{count}\nall frameworks say the same"


def _write_verdict(
    ax: "Axes",
    true: int,
    votes: Mapping[str, int],
    split: bool,
    classes: Sequence[object] | None,
) -> None:
    """Write ``true → predicted`` over an image, and who saw what where they differ."""
    from matplotlib.patches import Rectangle

    def name(label: int) -> str:
        return str(label if classes is None else classes[int(label)])

    if not split:
        ax.set_title(f"{name(true)} → {name(next(iter(votes.values())))}", loc="center")
        return
    camps: dict[int, list[str]] = {}
    for framework, label in votes.items():
        camps.setdefault(int(label), []).append(framework)
    # Three names do not fit under one image, but then the others are named.
    lines = [
        f"{name(label)}: {', '.join(camp) if len(camp) < 3 else 'the others'}"
        for label, camp in sorted(camps.items(), key=lambda item: len(item[1]))
    ]
    ax.set_title(f"{name(true)} → ?", loc="center", color=INK, fontweight="bold")
    frame: dict[str, Any] = {"transform": ax.transAxes, "clip_on": False, "fill": False}
    ax.add_patch(Rectangle((0, 0), 1, 1, ec=VERMILLION, lw=3, **frame))
    below: dict[str, Any] = {
        "transform": ax.transAxes,
        "ha": "center",
        "va": "top",
        "fontsize": 12,
    }
    ax.text(0.5, -0.05, "\n".join(lines), color=FAINT, **below)
