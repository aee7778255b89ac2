"""Words beside the data: numbers as text, and names that do not cover each other."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nn_parity.figures.style import FAINT, INK, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 2) -> str:
    """Return a short decimal with a real minus sign: 3.14, −0.0031, 2.5·10⁻⁷."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("-0", "0")
    if 10.0 ** (1 - digits) <= abs(value) < 1000:
        text = f"{value:.{digits}f}"
    elif 1e-4 <= abs(value) < 1:
        text = f"{value:.2g}"  # two digits that say something, not 0.00
    else:
        text = ("-" if value < 0 else "") + power(float(f"{abs(value):.1e}"))
    return text.replace("-", "−")


def power(value: float) -> str:
    """Return 1e-16 as 10⁻¹⁶ and 5e-13 as 5·10⁻¹³."""
    exponent = math.floor(math.log10(value) + 1e-12)
    mantissa = f"{value / 10.0**exponent:.3g}"
    ten = "10" + str(exponent).translate(_SUPERSCRIPT)
    return ten if mantissa == "1" else f"{mantissa}·{ten}"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart until neighbours are ``gap`` from each other.

    The order is kept. Positions stay in [low, high] as long as they fit there;
    where they do not, the gap shrinks so that they do.
    """
    # Rounded: ends that look equal keep their order instead of one made by roundoff.
    order = np.argsort(np.round(np.asarray(wanted, float) * 20), kind="stable")
    count = len(order)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    placed = np.clip(np.asarray(wanted, float)[order], low, high)
    for k in range(1, count):
        placed[k] = max(placed[k], placed[k - 1] + gap)
    if count and placed[-1] > high:
        placed[-1] = high
        for k in range(count - 2, -1, -1):
            placed[k] = min(placed[k], placed[k + 1] - gap)
    result = np.empty(count)
    result[order] = placed
    return [float(p) for p in result]


def key(
    ax: "Axes", entries: Sequence[tuple[str, float, Look | None]], height: float
) -> None:
    """Write names right of a panel, each level with the end of its own line.

    Parameters
    ----------
    ax : Axes
        The panel.
    entries : sequence of (text, level, look)
        Level is the end of the line as a fraction of the panel's height; a look of
        None stands for a dashed black line, such as a gate.
    height : float
        Approximate height of the panel in inches, to keep the names apart.
    """
    levels = spread([level for _, level, _ in entries], 0.30 / height, 0.03, 0.97)
    for (text, level, look), at in zip(entries, levels, strict=True):
        place: dict[str, Any] = {"transform": ax.transAxes, "clip_on": False}
        ax.plot([1.002, 1.02], [level, at], color=FAINT, lw=0.9, **place)
        ax.plot(
            [1.025, 1.065],
            [at, at],
            color=look.colour if look else INK,
            lw=min(look.width, 5.0) if look else 1.8,
            linestyle=look.line if look else (0, (4, 2)),
            solid_capstyle="butt",
            **place,
        )
        if look:
            ax.plot(
                1.045, at, look.marker, color=look.colour, ms=9, mec="white", **place
            )
        ax.text(1.075, at, text, va="center", ha="left", transform=ax.transAxes)


def decades(ax: "Axes", low: int, high: int, extra: dict[float, str]) -> None:
    """Label a log y-axis by powers of ten, at most eight of them, and extra values."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    stride = max(1, math.ceil((high - low + 1) / 8))
    ticks = {10.0**e: power(10.0**e) for e in range(high, low - 1, -stride)} | extra
    ax.yaxis.set_major_locator(FixedLocator(list(ticks)))
    ax.yaxis.set_major_formatter(FixedFormatter(list(ticks.values())))
    ax.yaxis.set_minor_locator(NullLocator())


def settle(ax: "Axes", text: "Annotation", taken: "list[Bbox]", away: float) -> None:
    """Move an annotation around its point to a place that is near and free.

    Parameters
    ----------
    ax : Axes
        The panel; its figure must have been laid out.
    text : Annotation
        Placed relative to its point in offset points. Its arrow covers nothing.
    taken : list of Bbox
        What must not be covered, in pixels; the new place is appended.
    away : float
        Distance from the point in points.
    """
    frame = ax.get_window_extent()
    sides = [(1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0)]
    best, least = (away, away), math.inf
    for ring in (1.0, 1.8, 2.8, 4.0, 5.5):
        for x, y in sides:
            box = _put(text, x * ring * away, y * ring * away)
            outside = not (frame.containsx(box.x0) and frame.containsx(box.x1))
            outside |= not (frame.containsy(box.y0) and frame.containsy(box.y1))
            # A point that is covered is better than a name far from its own point.
            cost = box.count_overlaps(taken) + 20 * outside + ring
            if cost < least:
                best, least = (x * ring * away, y * ring * away), cost
    taken.append(_put(text, *best))


def _put(text: "Annotation", x: float, y: float) -> "Bbox":
    """Move the words and return what they cover, without their arrow."""
    from matplotlib.text import Text

    text.set_position((x, y))
    text.set_horizontalalignment("center" if x == 0 else "left" if x > 0 else "right")
    text.set_verticalalignment("center" if y == 0 else "bottom" if y > 0 else "top")
    figure = cast("Figure", text.get_figure(root=True))
    text.update_positions(cast("FigureCanvasAgg", figure.canvas).get_renderer())
    return Text.get_window_extent(text).padded(4)
