"""Scaling: how time against scratch changes with size, and where it passes through 1."""

import math
from typing import TYPE_CHECKING

import numpy as np

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import key
from nn_parity.figures.style import INK, looks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NEEDED = (
    "framework", "dimension", "value", "threads", "ratio_to_scratch", "ratio_lo",
    "ratio_hi", "crossover",
)  # fmt: skip
_UNITS = {
    "batch_size": "batch size (examples)",
    "hidden": "width (units in each hidden layer)",
    "length": "sequence length (steps)",
}
_HEIGHT = 4.6


@styled
def scaling_curves(
    frame: "pd.DataFrame", *, title: str = "Time against scratch over size"
) -> "Figure":
    """Draw ratios of times over size, both on log axes, with each crossover marked.

    A row of panels for each number of threads and dtype, a column for each dimension. A
    band is the 95 % interval of a ratio; a dotted line falls from where a framework
    overtakes scratch to the size at which it does.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of ``scaling.csv``; one experiment.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        A column is missing, or no ratio is given.
    """
    missing = [column for column in _NEEDED if column not in frame.columns]
    known = frame if missing else frame[frame["ratio_to_scratch"].notna()]
    if missing or known.empty:
        raise ValueError(f"a scaling table lacks {missing or 'ratios'}")
    columns = list(dict.fromkeys(known["dimension"]))
    split = ["threads"]
    if "dtype" in known and known["dtype"].nunique() > 1:
        split.append("dtype")
    rows = list(known.groupby(split, sort=False))
    width = 6.6 * len(columns) + 0.6
    figure = page(title, max(width, 8.0), _HEIGHT * len(rows) + 1.2)
    axes = figure.subplots(
        len(rows), len(columns), squeeze=False, sharey=True, sharex="col"
    )
    limits = _limits(known)
    for line, (names, part) in zip(axes, rows, strict=True):
        threads = f"{names[0]} thread{'s' * (names[0] > 1)}"
        for ax, dimension in zip(line, columns, strict=True):
            cells = part[part["dimension"] == dimension]
            _draw(ax, cells, limits)
            ax.set_title(", ".join([threads, *names[1:]]))
            ax.set_xlabel(_UNITS.get(dimension, dimension))
            ax.tick_params(labelbottom=True)
        line[0].set_ylabel("time / time of scratch (log scale)")
    return figure


def _limits(frame: "pd.DataFrame") -> tuple[float, float]:
    numbers = frame[["ratio_to_scratch", "ratio_lo", "ratio_hi"]].to_numpy(np.float64)
    numbers = numbers[np.isfinite(numbers) & (numbers > 0)]
    middle = frame["ratio_to_scratch"]
    low, high = min(middle.min(), 1.0) / 3, max(middle.max(), 1.0) * 3
    return float(max(numbers.min() / 1.3, low)), float(min(numbers.max() * 1.3, high))


def _draw(ax: "Axes", cells: "pd.DataFrame", limits: tuple[float, float]) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(limits)
    ax.grid()
    ax.axhline(1.0, color=INK, lw=1.6)
    sizes = sorted(set(cells["value"]))
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{size:g}" for size in sizes]))
    ax.xaxis.set_minor_locator(NullLocator())
    ticks = _ticks(*limits)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    ax.yaxis.set_minor_locator(NullLocator())
    look = looks(dict.fromkeys(cells["framework"]))
    bottom, top = (math.log(limit) for limit in limits)
    ends = []
    for framework, curve in cells.groupby("framework", sort=False):
        curve = curve.sort_values("value")
        style, x, y = look[framework], curve["value"], curve["ratio_to_scratch"]
        colour = style.colour
        if framework != "scratch":
            ax.fill_between(
                x, curve["ratio_lo"], curve["ratio_hi"], color=colour, alpha=0.2, lw=0
            )
            ax.plot(x, y, style.marker, ls="-", lw=2.2, color=colour, ms=9, mec="white")
        at = float(curve["crossover"].iloc[0])
        words = str(framework)
        if math.isfinite(at):
            ax.plot([at, at], [limits[0], 1.0], color=colour, lw=1.6, ls=(0, (1, 1.5)))
            ax.plot(at, 1.0, style.marker, color=colour, ms=11, mfc="white", mew=2)
            words += f": faster from {at:.0f}"
        level = (math.log(float(y.iloc[-1])) - bottom) / (top - bottom)
        ends.append((words, min(max(level, 0.0), 1.0), style))
    key(ax, ends, _HEIGHT)


def _ticks(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    every = [float(f"{m}e{e}") for e in exponents for m in steps]
    return [tick for tick in every if low <= tick <= high]
