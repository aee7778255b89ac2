"""A blank page with fixed settings, and its way to disk."""

import contextlib
import functools
import io
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from nn_parity import files
from nn_parity.figures.style import SETTINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """Matplotlib's defaults with ours on top, and the user's own again afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def styled(draw: "Callable[P, Figure]") -> "Callable[P, Figure]":
    """Run a drawing function under our settings and freeze the layout it arrives at.

    A user's ``matplotlibrc`` is set aside meanwhile and untouched afterwards. The
    layout is solved once: solving it again on each save could move a line by a
    fraction of a pixel, and then two files of one figure would differ.
    """

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        with _settings():
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        return figure

    return drawn


def page(title: str, width: float, height: float) -> "Figure":
    """Return an empty figure of the given size in inches under a bold headline."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    per_inch = 6.4  # characters of the bold headline
    lines = textwrap.wrap(title, max(20, int(width * per_inch))) or [""]
    figure.suptitle("\n".join(lines), x=0.012, ha="left")
    return figure


def save(figure: "Figure", stem: Path) -> list[Path]:
    """Write ``<stem>.svg`` and ``<stem>.png``: the same bytes for the same figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Any figure of this package.
    stem : Path
        The two paths without their endings; missing folders are made.

    Returns
    -------
    list of Path
        The two files, SVG first.

    Raises
    ------
    OSError
        The folder cannot be written.
    Refusal
        E501: the disk is full. No file is left half-written: both pictures are drawn
        in memory first, and each appears under its name whole.
    """
    stem = Path(stem)
    pictures = {
        stem.with_name(f"{stem.name}.{kind}"): _render(figure, kind)
        for kind in ("svg", "png")
    }
    stem.parent.mkdir(parents=True, exist_ok=True)
    for path, picture in pictures.items():
        _write(path, picture)
    return list(pictures)


def _write(path: Path, picture: bytes) -> None:
    files.write(path, lambda stream: stream.write(picture))


def _render(figure: "Figure", kind: str) -> bytes:
    """Draw one picture in memory, with nothing in it that changes from day to day."""
    title = " ".join(figure.get_suptitle().split())
    metadata: dict[str, str | None] = {"Title": title}
    if kind == "svg":
        metadata |= {"Date": None, "Creator": "nn-parity"}
    else:
        metadata |= {"Software": "nn-parity"}
    memory = io.BytesIO()
    with _settings():
        figure.savefig(memory, format=kind, metadata=metadata)
    return memory.getvalue()
