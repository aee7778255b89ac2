"""Loss curves of several frameworks on top of each other, and what separates them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import decades, key, power
from nn_parity.figures.style import FAINT, INK, SHADE, Look, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_POINTS = 320  # a mean or a maximum stands for several steps beyond this
_TOP, _BOTTOM = 3.6, 3.1  # heights of the panels in inches


@styled
def loss_curves(
    curves: Mapping[str, ArrayLike],
    *,
    title: str,
    gate: float | None,
    gated_steps: int | None,
    x_label: str = "training step",
    y_label: str = "loss (dimensionless)",
    reference: str = "scratch",
) -> "Figure":
    """Draw the curves above, their distance from one of them below.

    The upper panel lays the lines on top of each other from thick to thin, so that
    lines which coincide are all seen. The lower panel has a log axis; differences of
    exactly zero have no place on one and stand in a strip of their own.

    Parameters
    ----------
    curves : mapping of framework to array (steps,)
        One loss for each step, in the order in which they are drawn. Lengths may
        differ; values that are not finite are left out and said beside the name.
    title : str
        Headline.
    gate : float or None
        Largest allowed difference, in the unit of the loss; None for no gate.
    gated_steps : int or None
        The gate holds up to this step and later differences are only reported;
        None means to the end.
    x_label, y_label : str
        Axis labels; ``y_label`` should name the unit, such as nats per example.
    reference : str
        The curve the others are compared with. If it is missing there is no lower
        panel's content, only a line saying so.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No curve, or one that is empty or not one-dimensional.
    """
    lines = {name: _checked(name, curve) for name, curve in curves.items()}
    if not lines:
        raise ValueError("no loss curve was given; expected at least one framework")
    steps = max(len(line) for line in lines.values())
    until = steps if gated_steps is None else gated_steps
    # A gated beginning of a long run would be a sliver on a linear axis.
    log_steps = until * 8 < steps
    edges = _edges(steps, until, log_steps)

    figure = page(title, 12.0, 8.0)
    ratios = {"height_ratios": [_TOP, _BOTTOM]}
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw=ratios)
    look = looks(lines)
    _draw_losses(top, lines, look, edges)
    top.set_ylabel(y_label)
    bottom.set_ylabel(f"|difference from {reference}|\n(unit of the loss)")
    bottom.set_xlabel(x_label + (", log scale" if log_steps else ""))
    width = int(np.diff(edges).max())
    if width > 1:
        many = f"up to {width} steps" if log_steps else f"{width} steps"
        top.set_title(f"Each point is the mean of {many}", color=FAINT)
        bottom.set_title(f"Each point is the largest of {many}", color=FAINT)
    if log_steps:
        _log_steps(bottom, steps)
    margin = 1.02 if log_steps else 0.008 * steps + 0.2
    bottom.set_xlim(
        (1 / margin, steps * margin) if log_steps else (1 - margin, steps + margin)
    )
    if reference not in lines:
        bottom.set_yticks([])
        words = f"{reference} did not run: nothing to compare with"
        bottom.text(0.5, 0.5, words, ha="center", transform=bottom.transAxes)
        return figure
    distances = {
        name: np.abs(line[:common] - lines[reference][:common])
        for name, line in lines.items()
        if name != reference
        for common in [min(len(line), len(lines[reference]))]
    }
    _draw_distances(bottom, distances, look, edges, gate, until)
    return figure


def _checked(name: str, curve: ArrayLike) -> NDArray[np.float64]:
    line = np.array(curve, dtype=np.float64)
    if line.ndim != 1 or line.size == 0:
        raise ValueError(
            f"the loss curve of {name} has shape {line.shape}, expected (steps,)"
        )
    line[~np.isfinite(line)] = np.nan
    return line


def _edges(steps: int, until: int, log_steps: bool) -> NDArray[np.int64]:
    """First step of each point, and one past the last; no point straddles the gate."""
    space = np.geomspace if log_steps else np.linspace
    if steps <= _MOST_POINTS:
        return np.arange(1, steps + 2)
    if log_steps:
        inner = np.unique(space(1, steps + 1, _MOST_POINTS).round().astype(np.int64))
    else:
        inner = np.arange(1, steps + 1, math.ceil(steps / _MOST_POINTS))
    borders = [1, min(until, steps) + 1, steps + 1]
    return np.unique(np.concatenate([inner, borders]))


def _binned(
    line: NDArray[np.float64], edges: NDArray[np.int64], largest: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Position and value of each point; a point without a finite value is NaN."""
    pad = np.full(int(edges[-1]) - 1, np.nan)
    pad[: len(line)] = line
    known = np.isfinite(pad)
    starts = edges[:-1] - 1
    count = np.add.reduceat(known.astype(float), starts)
    if largest:
        values = np.maximum.reduceat(np.where(known, pad, -np.inf), starts)
    else:
        values = np.add.reduceat(np.where(known, pad, 0.0), starts) / np.maximum(count, 1)
    values = np.where(count > 0, values, np.nan)
    return (edges[:-1] + edges[1:] - 1) / 2, values


def _draw_losses(
    ax: "Axes",
    lines: Mapping[str, NDArray[np.float64]],
    look: Mapping[str, Look],
    edges: NDArray[np.int64],
) -> None:
    ends = []
    for k, (name, line) in enumerate(lines.items()):
        x, y = _binned(line, edges, largest=False)
        every = max(1, len(x) // 7)
        style = look[name]
        ax.plot(
            x,
            y,
            color=style.colour,
            lw=style.width,
            linestyle=style.line,
            marker=style.marker,
            ms=10,
            mec="white",
            mew=1.0,
            markevery=(min(k * every // max(1, len(lines)), len(x) - 1), every),
            solid_capstyle="butt",
            zorder=2 + k / 10,
        )
        ends.append((name + _shortfall(line, int(edges[-1]) - 1), y[np.isfinite(y)]))
    ax.grid(axis="y")
    low, high = ax.get_ylim()
    entries: list[tuple[str, float, Look | None]] = [
        (text, ((y[-1] if y.size else low) - low) / (high - low), look[name])
        for name, (text, y) in zip(lines, ends, strict=True)
    ]
    # Of equal ends the first stays on top: the order of the mapping is read downwards.
    key(ax, entries[::-1], _TOP)


def _shortfall(line: NDArray[np.float64], steps: int) -> str:
    broken = np.flatnonzero(np.isnan(line))
    if broken.size:
        return f"\n(not finite at step {broken[0] + 1})"
    return f"\n(ended at step {len(line)})" if len(line) < steps else ""


def _log_steps(ax: "Axes", steps: int) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ax.set_xscale("log")
    ticks = [m * 10**e for e in range(8) for m in (1, 3) if m * 10**e <= steps]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{t:,}" for t in ticks]))
    ax.xaxis.set_minor_locator(NullLocator())


def _draw_distances(
    ax: "Axes",
    distances: Mapping[str, NDArray[np.float64]],
    look: Mapping[str, Look],
    edges: NDArray[np.int64],
    gate: float | None,
    until: int,
) -> None:
    points = {
        name: _binned(line, edges, largest=True) for name, line in distances.items()
    }
    seen = np.concatenate([y[y > 0] for _, y in points.values()] or [np.empty(0)])
    zeros = any((y == 0).any() for _, y in points.values())
    low, high, strip = _range(seen, gate, zeros)
    ax.set_yscale("log")
    ax.set_ylim(10.0 ** (low - strip), 10.0**high)
    ax.grid(axis="y")
    extra = {}
    if zeros:
        ax.axhspan(10.0 ** (low - strip), 10.0 ** (low - 0.12 * strip), color=SHADE, lw=0)
        extra = {10.0 ** (low - 0.56 * strip): "exactly\nequal"}
    decades(ax, low, int(high - 0.5), extra)
    lanes = np.linspace(0.25, 0.87, len(points)) if len(points) > 1 else [0.56]
    entries: list[tuple[str, float, Look | None]] = []
    for (name, (x, y)), lane in zip(points.items(), lanes, strict=True):
        style = look[name]
        shown = np.where(y > 0, y, np.nan)
        dots = {"marker": style.marker, "color": style.colour, "mew": 0}
        ax.plot(x, shown, lw=1.4, ms=4, linestyle="solid", **dots)
        floor = 10.0 ** (low - lane * strip)
        at = np.where(y == 0, floor, np.nan)
        ax.plot(x, at, lw=0, ms=4 if len(x) > 60 else 7, **dots)
        known = y[np.isfinite(y)]
        last = (known[-1] or floor) if known.size else floor
        level = (math.log10(last) - low + strip) / (high - low + strip)
        entries.append((name, level, style))
    if gate is not None:
        _draw_gate(ax, gate, until, int(edges[-1]) - 1)
        level = (math.log10(gate) - low + strip) / (high - low + strip)
        entries.append((f"gate {power(gate)}", level, None))
    key(ax, entries, _BOTTOM)


def _range(
    seen: NDArray[np.float64], gate: float | None, zeros: bool
) -> tuple[int, float, float]:
    """Exponents of the axis, and the height of the strip of zeros in decades."""
    marks = [*seen, *([gate] if gate else [])] or [1e-16]
    low = math.floor(math.log10(min(marks)) - 0.2)
    high = math.ceil(math.log10(max(marks)) + 0.2)
    high = max(high, low + 3)
    # Above the data there is room for the words about the gate.
    return low, high + 0.16 * (high - low), 0.3 * (high - low) if zeros else 0.0


def _draw_gate(ax: "Axes", gate: float, until: int, steps: int) -> None:
    inside = min(until, steps) + 0.5
    left, right = ax.get_xlim()
    if until >= steps:
        inside = right
    ax.plot([left, inside], [gate, gate], color=INK, lw=1.8, linestyle=(0, (4, 2)))
    words = {"va": "top", "color": FAINT, "fontsize": 13}
    if until >= steps:
        return
    ax.axvspan(inside, right, color="#F6EFE2", lw=0, zorder=0)
    ax.axvline(inside, color=FAINT, lw=1.0)
    ax.plot([inside, right], [gate, gate], color=FAINT, lw=1.2, linestyle=(0, (1, 2)))
    place = ax.get_xaxis_transform()
    ax.annotate(
        f"gated: steps 1 to {until}",
        (inside, 0.98),
        (-6, 0),
        xycoords=place,
        textcoords="offset points",
        ha="right",
        **words,
    )
    ax.annotate(
        "reported only",
        (inside, 0.98),
        (6, 0),
        xycoords=place,
        textcoords="offset points",
        ha="left",
        **words,
    )
