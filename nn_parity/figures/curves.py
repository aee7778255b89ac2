"""Loss curves of several frameworks on top of each other, and what separates them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import decades, key, power
from nn_parity.figures.lines import layered
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

    look = looks(lines)
    many = _points_words(edges)
    x_label += ", log scale" if log_steps else ""
    if reference not in lines:
        figure = page(title, 12.0, _TOP + 1.6)
        top = figure.subplots()
        words = f"{reference} has no curve: no differences to draw"
        top.set_title(words, color=FAINT)
        top.set(xlabel=x_label, ylabel=y_label)
        _set_steps(top, steps, log_steps)
        _draw_losses(top, lines, look, edges)
        return figure
    figure = page(title, 12.0, 8.0)
    ratios = {"height_ratios": [_TOP, _BOTTOM]}
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw=ratios)
    top.set_title(many[0], color=FAINT)
    top.set_ylabel(y_label)
    bottom.set_title(many[1], color=FAINT)
    bottom.set_ylabel(f"|difference from {reference}|\n(unit of the loss)")
    bottom.set_xlabel(x_label)
    figure.align_ylabels([top, bottom])
    _set_steps(bottom, steps, log_steps)
    _draw_losses(top, lines, look, edges)
    base = lines[reference]
    distances = {
        name: np.abs(line[: len(base)] - base[: len(line)])
        for name, line in lines.items()
        if name != reference
    }
    _draw_distances(bottom, distances, look, edges, gate, until)
    return figure


def _points_words(edges: NDArray[np.int64]) -> tuple[str, str]:
    """Say what a point of the upper and of the lower panel stands for."""
    widths = np.diff(edges)
    if widths.max() == 1:
        return "", ""
    many = f"{'up to ' if widths.min() < widths.max() else ''}{widths.max()} steps"
    return f"each point: mean of {many}", f"each point: largest of {many}"


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
        values = np.add.reduceat(np.where(known, pad, 0.0), starts) / np.maximum(
            count, 1
        )
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
        layered(ax, x, y, look[name], k, len(lines))
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
        return f" (not finite at {broken[0] + 1})"
    return f" (ends at {len(line)})" if len(line) < steps else ""


def _set_steps(ax: "Axes", steps: int, log_steps: bool) -> None:
    """Give the horizontal axis its limits and whole numbers as ticks."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

    if not log_steps:
        margin = 0.008 * steps + 0.2
        ax.set_xlim(1 - margin, steps + margin)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter("{x:,.0f}")
        return
    ax.set_xscale("log")
    ax.set_xlim(1 / 1.02, steps * 1.02)
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
        ax.axhspan(
            10.0 ** (low - strip), 10.0 ** (low - 0.12 * strip), color=SHADE, lw=0
        )
        extra = {10.0 ** (low - 0.56 * strip): "exactly\nequal"}
    decades(ax, low, int(high - 0.5), extra)
    lanes = [0.56] if len(points) == 1 else np.linspace(0.25, 0.87, len(points))
    entries: list[tuple[str, float, Look | None]] = []
    for (name, (x, y)), lane in zip(points.items(), lanes, strict=True):
        style = look[name]
        shown = np.where(y > 0, y, np.nan)
        dots: dict[str, Any] = {"marker": style.marker, "color": style.colour, "mew": 0}
        ax.plot(x, shown, lw=0.9, ms=4.5, linestyle="solid", **dots)
        floor = 10.0 ** (low - lane * strip)
        at = np.where(y == 0, floor, np.nan)
        ax.plot(x, at, lw=0, ms=4 if len(x) > 60 else 7, **dots)
        known = y[np.isfinite(y)]
        last = (known[-1] or floor) if known.size else floor
        level = (math.log10(last) - low + strip) / (high - low + strip)
        gated = distances[name][:until]
        over = gate is not None and bool((gated[np.isfinite(gated)] > gate).any())
        entries.append((f"{name} (over the gate)" if over else name, level, style))
    if gate is not None:
        _draw_gate(ax, gate, until, int(edges[-1]) - 1)
        level = (math.log10(gate) - low + strip) / (high - low + strip)
        entries.append((f"gate {power(gate)}", level, None))
    key(ax, entries[::-1], _BOTTOM)


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
    left, right = ax.get_xlim()
    inside = right if until >= steps else until + 0.5
    ax.plot([left, inside], [gate, gate], color=INK, lw=1.8, linestyle=(0, (4, 2)))
    if until >= steps:
        return
    ax.axvspan(inside, right, color="#F6EFE2", lw=0, zorder=0)
    ax.axvline(inside, color=FAINT, lw=1.0)
    ax.plot([inside, right], [gate, gate], color=FAINT, lw=1.2, linestyle=(0, (1, 2)))
    share = ax.transAxes.inverted().transform(ax.transData.transform((inside, gate)))[0]
    # Each word stands on its own side of the border if there is room for it.
    before, after = f"gated: steps 1 to {until}", "reported only"
    if share < 0.27:
        before, after = "", f"{before}, then {after}"
    elif share > 0.8:
        before, after = f"{before}, then {after}", ""
    for text, side, away in ((before, "right", -6), (after, "left", 6)):
        ax.annotate(
            text,
            (inside, 0.98),
            (away, 0),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            ha=side,
            va="top",
            color=FAINT,
            fontsize=13,
        )
