"""Speed as ratios to scratch: a dot and its interval for each framework and variant."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.style import FAINT, INK, SHADE, looks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NEEDED = ("framework", "variant", "kind", "ratio_to_scratch", "ratio_lo", "ratio_hi")
_SPLIT = ("experiment", "kind", "dtype", "batch_size", "threads")
_MOST_PANELS = 9
_OF_THE_RUN = ("quick", "short")  # flags of all rows alike


@styled
def speed_ratios(
    frame: "pd.DataFrame", *, title: str = "Time against scratch"
) -> "Figure":
    """Draw the ratios of times in a ``speed.csv`` on a log axis.

    A panel for each kind of work (and for each experiment, dtype, batch size and
    number of threads that differs), a row for each framework and variant: a dot, its
    interval, and a thin upright line at the ratio of CPU times. The dot of a row with
    a flag of its own is hollow. A row without a number says why instead of being left
    out.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of ``speed.csv``; framework, variant, kind, ratio_to_scratch, ratio_lo
        and ratio_hi must be there, cpu_ratio and flag may. Ratios are times divided by
        scratch's time.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        A column is missing, no row is given, or there are more than nine panels.
    """
    missing = [column for column in _NEEDED if column not in frame.columns]
    if missing or frame.empty:
        raise ValueError(
            f"speed table of {len(frame)} rows lacks {missing or 'rows'}, "
            f"expected the columns {', '.join(_NEEDED)}"
        )
    panels = _panels(frame)
    if len(panels) > _MOST_PANELS:
        raise ValueError(
            f"{len(panels)} panels cannot be read, expected at most {_MOST_PANELS}; "
            "filter the table by experiment, dtype or batch_size"
        )
    rows = {name: list(dict.fromkeys(_row_names(p))) for name, p in panels.items()}
    across = min(len(panels), 2)
    down = math.ceil(len(panels) / across)
    counts = [len(names) for names in rows.values()]
    heights = [
        0.52 * max(counts[k : k + across]) + 1.3 for k in range(0, len(counts), across)
    ]
    figure = page(title, 7.6 * across + 0.4, sum(heights) + 1.3)
    axes = figure.subplots(
        down, across, squeeze=False, sharex=True, height_ratios=heights
    )
    limits = _limits(frame)
    for ax, (name, part) in zip(axes.flat, panels.items(), strict=False):
        _draw_panel(ax, part, rows[name], limits)
        ax.set_title(name)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    words = (
        "time / time of scratch (ratio, log scale; left of 1 is faster than scratch)"
    )
    if signs := _signs(frame):
        words += f"\n{signs}"
    figure.supxlabel(words, fontsize=14)
    return figure


def _signs(frame: "pd.DataFrame") -> str:
    """Say what the signs mean that this figure has."""
    said = []
    if "cpu_ratio" in frame and frame["cpu_ratio"].notna().any():
        said.append("upright line: ratio of CPU times")
    if "flag" in frame and any(_flagged(flag) for flag in frame["flag"]):
        said.append("hollow: the table has a flag on it")
    return "; ".join(said)


def _flagged(flag: Any) -> bool:
    """Whether a row has a flag that is its own."""
    flags = str(flag).split("; ") if isinstance(flag, str) else []
    return any(word and not word.startswith(_OF_THE_RUN) for word in flags)


def _panels(frame: "pd.DataFrame") -> "dict[str, pd.DataFrame]":
    """Split by kind and by whatever else differs; the name says only what differs."""
    split = [
        column
        for column in _SPLIT
        if column == "kind" or (column in frame and frame[column].nunique() > 1)
    ]
    units = {"batch_size": "batch {}", "threads": "{} threads"}
    panels = {}
    kinds = {kind: k for k, kind in enumerate(frame["kind"].unique())}
    frame = frame.sort_values("kind", key=lambda c: c.map(kinds), kind="stable")
    for values, part in frame.groupby(split, sort=False, dropna=False):
        words = [
            units.get(column, "{}").format(value)
            for column, value in zip(split, values, strict=True)
        ]
        panels[", ".join(words)] = part
    return panels


def _row_names(frame: "pd.DataFrame") -> list[str]:
    if frame["variant"].nunique() == 1:
        return frame["framework"].tolist()
    return [
        f"{framework}, {variant}"
        for framework, variant in zip(frame["framework"], frame["variant"], strict=True)
    ]


def _limits(frame: "pd.DataFrame") -> tuple[float, float]:
    """Axis limits: all dots and intervals, and 1."""
    numbers = frame[["ratio_to_scratch", "ratio_lo", "ratio_hi"]].to_numpy(np.float64)
    numbers = numbers[np.isfinite(numbers) & (numbers > 0)]
    low, high = numbers.min(initial=1.0), numbers.max(initial=1.0)
    room = max(1.25, (high / low) ** 0.06)
    return float(low / room), float(high * room)


def _draw_panel(
    ax: "Axes", part: "pd.DataFrame", rows: list[str], limits: tuple[float, float]
) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ax.set_xscale("log")
    ax.set(xlim=limits, ylim=(len(rows) - 0.4, -0.6))
    ticks = _ticks(*limits)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelbottom=True)
    ax.grid(axis="x")
    for k in range(0, len(rows), 2):
        ax.axhspan(k - 0.5, k + 0.5, color=SHADE, alpha=0.5, lw=0, zorder=0)
    ax.axvline(1.0, color=INK, lw=1.6)
    look = looks(dict.fromkeys(part["framework"]))
    for row in part.assign(_at=_row_names(part)).to_dict("records"):
        y, style = rows.index(str(row["_at"])), look[str(row["framework"])]
        ratio, low, high = (
            float(row[c]) for c in ("ratio_to_scratch", "ratio_lo", "ratio_hi")
        )
        beside: dict[str, Any] = {
            "transform": ax.get_yaxis_transform(),
            "va": "center",
            "fontsize": 13,
        }
        if not (math.isfinite(ratio) and ratio > 0):
            why = str(row.get("status") or "no number")
            ax.text(1.02, y, why, style="italic", color=FAINT, **beside)
            continue
        words = _short(ratio)
        if math.isfinite(low) and math.isfinite(high):
            words += f"  ({_short(low)} to {_short(high)})"
            ends = [max(low, limits[0]), high]
            ax.plot(ends, [y, y], color=style.colour, lw=4, solid_capstyle="butt")
        ax.text(1.02, y, words, **beside)
        hollow = _flagged(row.get("flag"))
        dot: dict[str, Any] = {
            "marker": style.marker,
            "ms": 9 if hollow else 10,
            "color": style.colour,
            "mfc": "white" if hollow else style.colour,
            "mec": style.colour if hollow else "white",
            "mew": 2.2 if hollow else 1.0,
        }
        ax.plot(ratio, y, zorder=3, **dot)
        cpu = float(row.get("cpu_ratio", math.nan))
        if math.isfinite(cpu) and limits[0] < cpu < limits[1]:
            ax.vlines(cpu, y - 0.3, y + 0.3, color=style.colour, lw=1.4, zorder=2.5)


def _short(ratio: float) -> str:
    return (
        f"{ratio:.2f}"
        if ratio < 10
        else f"{ratio:.1f}"
        if ratio < 100
        else f"{ratio:.0f}"
    )


def _ticks(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 100 else (1, 3) if high / low < 3000 else (1,)
    every = [float(f"{m}e{e}") for e in exponents for m in steps]
    return [tick for tick in every if low <= tick <= high]
