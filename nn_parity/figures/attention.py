"""Attention maps: from which steps each step takes what it needs."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.style import BLUE, FAINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHARES = (
    "#FFFFFF",
    "#9CC8E5",
    BLUE,
    "#00304C",
)  # none to all; told apart by lightness
_SPACE = "␣"
_LETTER = 0.21  # inches for each letter of a map
_OF = "share of the attention (a row adds up to 1)"


@styled
def attention_of_rows(maps: ArrayLike, picture: ArrayLike, *, title: str) -> "Figure":
    """Draw a picture that was read row by row, and each head's map beside it.

    A row of a map stands beside the row of the picture that looks; a column stands above
    the row that is looked at, the picture being drawn once more on its side below.

    Parameters
    ----------
    maps : array (heads, T, T)
        Shares, queries down and keys across; heads of several blocks one after the other.
    picture : array (T, D)
        Brightness; any scale.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Shapes do not fit together, or a row does not add up to 1.
    """
    shares, seen = _checked(maps), np.asarray(picture, dtype=np.float64)
    heads, T, _ = shares.shape
    if seen.ndim != 2 or len(seen) != T:
        raise ValueError(
            f"a picture {seen.shape} for maps of {T} rows, expected ({T}, D)"
        )
    D = seen.shape[1]
    side, low = 3.9, 3.9 * D / T
    figure = page(title, low + 1.0 + (side + 0.3) * heads + 1.2, side + low + 1.9)
    axes = figure.subplots(
        2,
        heads + 1,
        width_ratios=[low, *[side] * heads],
        height_ratios=[side, low],
        sharey="row",
    )
    grey: dict[str, Any] = {
        "cmap": "Greys",
        "interpolation": "nearest",
        "aspect": "auto",
    }
    axes[0, 0].imshow(seen, **grey)
    axes[0, 0].set_title("the picture", color=FAINT)
    axes[0, 0].set_ylabel("row that looks")
    axes[0, 0].set_yticks(range(T), [str(t + 1) for t in range(T)])
    axes[1, 0].set_axis_off()
    for n, (ax, below) in enumerate(zip(axes[0, 1:], axes[1, 1:], strict=True)):
        drawn = _map(ax, shares[n], float(shares.max()))
        ax.set_title(f"head {n + 1}")
        below.imshow(seen.T[::-1], **grey)  # on its side: the first row is at the left
        below.set_xticks(range(T), [str(t + 1) for t in range(T)])
        below.set_xlabel("row it looks at")
        ax.set_xticks([])
    for ax in axes.flat:
        ax.tick_params(length=0)
        ax.spines[:].set(color="#CCCCCC", visible=True)
    axes[0, 0].set_xticks([])
    axes[1, 0].set_yticks([])
    _bar(figure, drawn, axes)
    return figure


@styled
def attention_of_letters(
    maps: ArrayLike, letters: Sequence[str], *, title: str
) -> "Figure":
    """Draw each head's map over a text that was read letter by letter.

    Parameters
    ----------
    maps : array (heads, T, T)
        Shares, queries down and keys across.
    letters : sequence of str
        The T letters; a space is written as a sign that can be seen.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Shapes do not fit together, or a row does not add up to 1.
    """
    shares = _checked(maps)
    heads, T, _ = shares.shape
    if len(letters) != T:
        raise ValueError(f"{len(letters)} letters for maps of {T} rows, expected {T}")
    names = [_SPACE if letter == " " else letter for letter in letters]
    across = math.ceil(math.sqrt(heads))
    down = math.ceil(heads / across)
    side = max(3.0, _LETTER * T)
    figure = page(title, (side + 0.8) * across + 1.6, (side + 1.1) * down + 0.8)
    axes = figure.subplots(down, across, squeeze=False)
    for ax in axes.flat[heads:]:
        ax.set_axis_off()
    for n, ax in zip(range(heads), axes.flat, strict=False):
        drawn = _map(ax, shares[n], float(shares.max()))
        ax.set_title(f"head {n + 1}")
        ax.set_xticks(range(T), names)
        ax.set_yticks(range(T), names)
        ax.tick_params(length=0, pad=2, labelsize=12)
        ax.spines[:].set(color="#CCCCCC", visible=True)
        if n % across == 0:
            ax.set_ylabel("letter that looks")
        if n + across >= heads:
            ax.set_xlabel("letter it looks at")
    _bar(figure, drawn, axes)
    return figure


def _checked(maps: ArrayLike) -> NDArray[np.float64]:
    shares = np.asarray(maps, dtype=np.float64)
    if shares.ndim != 3 or shares.shape[1] != shares.shape[2] or not shares.size:
        raise ValueError(f"maps have shape {shares.shape}, expected (heads, T, T)")
    sums = shares.sum(axis=2)
    if not np.allclose(sums, 1, rtol=0, atol=1e-4) or (shares < 0).any():
        raise ValueError("a row of a map is no set of shares: they must add up to 1")
    return shares


def _map(ax: "Axes", shares: NDArray[np.float64], largest: float) -> Any:
    """Draw one head; all heads of a figure have the same scale."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("shares", _SHARES)
    return ax.imshow(
        shares,
        cmap=colours,
        vmin=0,
        vmax=largest,
        interpolation="nearest",
        aspect="auto",
    )


def _bar(figure: "Figure", drawn: Any, axes: Any) -> None:
    bar = figure.colorbar(drawn, ax=axes, location="right", fraction=0.03, aspect=30)
    bar.set_label(_OF)
    bar.outline.set_visible(False)
