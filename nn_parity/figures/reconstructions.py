"""Pictures, what networks draw of them from a short code, and where that is wrong."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import number
from nn_parity.figures.style import FAINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIDE = 1.25  # inches of a picture
_HEAD, _FOOT, _NAMES, _BAR = 1.25, 0.75, 1.75, 1.15  # inches around the pictures


@styled
def reconstructions(
    images: ArrayLike,
    drawn: Mapping[str, ArrayLike],
    *,
    title: str,
    limit: int = 10,
) -> "Figure":
    """Draw pictures above their reconstructions, a row for each framework.

    The pictures are chosen by how well the first framework draws them: from its best to
    its worst, in equal steps of rank. The last row is its error, on one scale for all.

    Parameters
    ----------
    images : array (N, rows, columns)
        Brightness.
    drawn : mapping of framework to array (N, rows, columns)
        Reconstructions on the same scale.
    title : str
        Headline.
    limit : int
        Most pictures to draw.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Shapes do not belong together, no framework is given, or ``limit`` < 1.
    """
    pictures = np.asarray(images, dtype=np.float64)
    made = {name: np.asarray(each, np.float64) for name, each in drawn.items()}
    _check(pictures, made, limit)
    first = next(iter(made))
    errors = made[first] - pictures
    each = (errors**2).sum(axis=(1, 2))  # one number a picture
    shown = _from_best_to_worst(each, limit)
    rows = {"test picture": pictures} | made
    across, down = len(shown), len(rows) + 1
    figure = page(
        title,
        max(8.0, _NAMES + _SIDE * across + _BAR),
        _HEAD + _SIDE * down + _FOOT,
    )
    axes = figure.subplots(down, across, squeeze=False)
    scale = {"vmin": pictures.min(), "vmax": pictures.max() or 1.0}
    for row, (name, stack) in zip(axes, rows.items(), strict=False):
        _draw(row, name, stack[shown], cmap="gray_r", **scale)
    for ax, error in zip(axes[0], each[shown], strict=True):
        ax.set_title(number(float(error)), loc="center", fontsize=13, color=FAINT)
    limits = float(np.abs(errors[shown]).max()) or 1.0
    last = _draw(
        axes[-1],
        f"error\nof {first}",
        errors[shown],
        cmap="RdBu",
        vmin=-limits,
        vmax=limits,
    )
    bar = figure.colorbar(last, ax=axes[-1], fraction=0.012, pad=0.01, aspect=9)
    bar.set_label("drawn −\npicture", fontsize=12)
    bar.outline.set_visible(False)
    figure.supxlabel(
        f"{across} of {len(pictures):,} test pictures, from the one that {first} draws "
        f"best to its worst;\nabove each its squared error, summed over the pixels "
        f"(mean of all: {number(float(each.mean()))})",
        fontsize=13,
    )
    return figure


def _check(pictures: NDArray, made: Mapping[str, NDArray], limit: int) -> None:
    if not made or limit < 1:
        raise ValueError(
            "expected reconstructions by a framework and a limit of 1 or more"
        )
    if pictures.ndim != 3 or not pictures.size:
        raise ValueError(f"images {pictures.shape}, expected (N, rows, columns)")
    for name, each in made.items():
        if each.shape != pictures.shape:
            raise ValueError(
                f"reconstructions of {name} have shape {each.shape}, "
                f"expected {pictures.shape}"
            )
        if not np.isfinite(each).all():
            raise ValueError(f"reconstructions of {name} hold NaN or inf")


def _from_best_to_worst(errors: NDArray, limit: int) -> NDArray[np.int64]:
    """Return positions of at most ``limit`` errors, smallest and largest among them."""
    order = np.argsort(errors, kind="stable")
    count = min(limit, len(order))
    steps = np.linspace(0, len(order) - 1, count).round().astype(np.int64)
    return order[steps]


def _draw(row: "NDArray[Any]", name: str, stack: NDArray, **look: Any) -> Any:
    """Fill one row of panels and name it at its left; return the last picture."""
    axes: list[Axes] = list(row)
    for ax, picture in zip(axes, stack, strict=True):
        drawn = ax.imshow(picture, interpolation="nearest", **look)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
        ax.spines[:].set_color("#DDDDDD")
    axes[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=10)
    return drawn
