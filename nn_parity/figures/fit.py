"""What units with one input learned, against the function they should compute."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import key
from nn_parity.figures.lines import layered
from nn_parity.figures.style import FAINT, looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT = 5.2


@styled
def line_fit(
    x: ArrayLike,
    y_true: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    *,
    title: str,
    x_label: str = "input x (dimensionless)",
    y_label: str = "output (dimensionless)",
    target: str = "target",
) -> "Figure":
    """Draw predictions of a one-input network over the values they should take.

    Parameters
    ----------
    x, y_true : array (N,) or (N, 1)
        Inputs in any order, and the values wanted there (open circles).
    predictions : mapping of framework to array (N,) or (N, 1)
        Lines from thick to thin, so that coincident ones are all seen.
    title, x_label, y_label : str
        Headline and axis labels with units.
    target : str
        Name of the wanted values.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No framework, no point, or lengths that differ.
    """
    at, wanted = np.asarray(x, np.float64).ravel(), np.asarray(y_true).ravel()
    lines = {name: np.asarray(p, np.float64).ravel() for name, p in predictions.items()}
    sizes = {name: line.size for name, line in lines.items()} | {target: wanted.size}
    if not lines or not at.size or set(sizes.values()) != {at.size}:
        raise ValueError(
            f"{at.size} inputs but values {sizes}, expected as many of each"
        )
    order = np.argsort(at, kind="stable")
    at, wanted = at[order], wanted[order]
    figure = page(title, 11.0, _HEIGHT + 1.6)
    ax = figure.subplots()
    look = looks(lines)
    for k, (name, line) in enumerate(lines.items()):
        layered(ax, at, line[order], look[name], k, len(lines))
    ax.grid()
    if at.size <= 60:
        dots: dict[str, Any] = {
            "linestyle": "none",
            "marker": "o",
            "ms": 19,
            "mec": FAINT,
            "mew": 1.8,
        }
        ax.plot(at, wanted, mfc="none", label=target, zorder=4, **dots)
    else:
        ax.plot(at, wanted, color=FAINT, lw=1.5, ls=(0, (6, 3)), label=target, zorder=4)
    ax.legend(loc="best", frameon=False)
    ax.set(xlabel=x_label, ylabel=y_label)
    low, high = ax.get_ylim()
    ends = [
        (name, (line[order][-1] - low) / (high - low), look[name])
        for name, line in lines.items()
    ]
    key(ax, ends[::-1], _HEIGHT)
    return figure
