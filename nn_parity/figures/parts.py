"""The parts of an experiment side by side: one thing varied, the rest fixed."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import decades, key
from nn_parity.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Look,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT = 5.6
_COLOURS = (BLACK, ORANGE, BLUE, GREEN, VERMILLION, PURPLE, SKY)
_MARKERS = "osD^vPX*<>ph"
_DASHES = ((), (4.0, 1.6), (1.2, 1.2))


@styled
def compared_trainings(
    losses: Mapping[str, ArrayLike],
    watched: Mapping[str, ArrayLike],
    *,
    title: str,
    x_label: str = "epoch",
    y_label: str = "loss, log scale (dimensionless)",
) -> "Figure":
    """Draw the loss of each part over the epochs, on a log axis.

    Parameters
    ----------
    losses : mapping of part to array (epochs,)
        Mean training loss of each epoch. Colour, marker and dash tell the lines apart,
        and each has its name, best last, at its right.
    watched : mapping of part to array (epochs,)
        Loss on the test set after each epoch, drawn in a second panel; may be empty.
    title, x_label, y_label : str
        Headline and axis labels.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No part, or one without an epoch.
    """
    panels = {"training": _positive(losses)}
    if watched:
        panels["test"] = _positive(watched)
    look = _looks(list(losses))
    figure = page(title, 11.5 if len(panels) == 1 else 17.0, _HEIGHT + 1.4)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    every = np.concatenate(
        [line for panel in panels.values() for line in panel.values()]
    )
    low, high = (math.log10(every.min()), math.log10(every.max()))
    for ax, (name, lines) in zip(axes, panels.items(), strict=True):
        ax.set_yscale("log")
        ax.set_ylim(10 ** (low - 0.08), 10 ** (high + 0.08))
        ax.set_title(f"{name} loss")
        ax.set_xlabel(x_label)
        ax.grid()
        for part, line in lines.items():
            _draw(ax, line, look[part])
        bottom, top = (math.log10(v) for v in ax.get_ylim())
        ends = [
            (part, (math.log10(line[-1]) - bottom) / (top - bottom), look[part])
            for part, line in lines.items()
        ]
        key(ax, ends, _HEIGHT)
    steps = {10.0**e * m: f"{10.0**e * m:g}" for e in range(-4, 4) for m in (2, 5)}
    shown = {v: t for v, t in steps.items() if 10**low <= v <= 10**high}
    decades(axes[0], math.floor(low), math.ceil(high), shown if high - low < 3 else {})
    axes[0].set_ylim(10 ** (low - 0.08), 10 ** (high + 0.08))
    axes[0].set_ylabel(y_label)
    return figure


def _positive(lines: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Return the curves with what a log axis cannot show raised to 1e-12."""
    if not lines or not all(np.size(line) for line in lines.values()):
        raise ValueError("no curve, or an empty one; expected an epoch for each part")
    return {name: np.maximum(np.asarray(line), 1e-12) for name, line in lines.items()}


def _looks(names: list[str]) -> dict[str, Look]:
    """Give each part a colour, a marker and a dash; no two parts share all three."""
    plain = Look(BLACK, "o", 2.6)
    return {
        name: replace(
            plain,
            colour=_COLOURS[k % len(_COLOURS)],
            marker=_MARKERS[k % len(_MARKERS)],
            dash=_DASHES[k // len(_COLOURS) % len(_DASHES)],
        )
        for k, name in enumerate(names)
    }


def _draw(ax: "Axes", line: NDArray[np.float64], look: Look) -> None:
    epochs = np.arange(1, len(line) + 1)
    every = max(1, len(line) // 6)
    ax.plot(
        epochs,
        line,
        color=look.colour,
        lw=look.width,
        linestyle=look.line,
        marker=look.marker,
        markevery=((len(line) - 1) % every, every),
        ms=9,
        mec="white",
    )
