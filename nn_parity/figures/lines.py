"""Lines that coincide and are all seen: from thick to thin, with markers in turn."""

from typing import TYPE_CHECKING

from numpy.typing import NDArray

from nn_parity.figures.style import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def layered(
    ax: "Axes", x: NDArray, y: NDArray, look: Look, place: int, count: int
) -> None:
    """Draw one of ``count`` lines; ``place`` says how far from the bottom it lies.

    Markers stand above all lines, at other points for each line. Where there are too
    few points for that, they shrink with the place and lie inside each other.
    """
    ax.plot(
        x,
        y,
        color=look.colour,
        lw=look.width,
        linestyle=look.line,
        solid_capstyle="butt",
        zorder=2 + place / 10,
    )
    few = len(x) < 3 * count
    every = 1 if few else max(count, len(x) // 7)
    first = 0 if few else place * every // count
    ax.plot(
        x[first::every],
        y[first::every],
        look.marker,
        color=look.colour,
        ms=max(5, 17 - 3.5 * place) if few else 10,
        mec="white",
        mew=1.0,
        zorder=3 + place / 10,
    )
