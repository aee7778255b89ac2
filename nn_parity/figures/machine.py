"""What the machine has to do with it: memory of processes, and the roof over their speed."""

import math
from typing import TYPE_CHECKING

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import power
from nn_parity.figures.style import FAINT, INK, SHADE, looks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_STAGES = (  # column, what came into memory then, how dark
    ("imported_mib", "the framework", 0.35),
    ("loaded_mib", "network and data", 0.65),
    ("peak_mib", "work", 1.0),
)


@styled
def memory_bars(
    frame: "pd.DataFrame", *, title: str = "Memory of a process"
) -> "Figure":
    """Draw the peak memory of each process as a bar, in three stages.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of ``memory.csv``: one bar for each row with numbers.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        A column is missing, or no row has numbers.
    """
    columns = ["framework", "variant", "kind", *(column for column, *_ in _STAGES)]
    missing = [column for column in columns if column not in frame.columns]
    known = frame if missing else frame[frame["peak_mib"].notna()]
    if missing or known.empty:
        raise ValueError(f"a memory table lacks {missing or 'numbers'}")
    both = "dtype" in known and known["dtype"].nunique() > 1
    figure = page(title, 11.0, 0.42 * len(known) + 2.2)
    ax = figure.subplots()
    look = looks(dict.fromkeys(known["framework"]))
    names = []
    for y, row in enumerate(known.to_dict("records")):
        colour, start = look[row["framework"]].colour, 0.0
        for column, _, dark in _STAGES:
            end = float(row[column])
            ax.barh(y, end - start, left=start, color=colour, alpha=dark, height=0.66)
            start = end
        ax.text(start, y, f" {start:,.0f}", va="center", fontsize=13)
        words = [row["framework"], row["kind"], row["variant"]]
        names.append(", ".join(words + [row["dtype"]] * both))
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0, 1.1 * float(known["peak_mib"].max()))
    ax.grid(axis="x")
    stages = ", ".join(words for _, words, _ in _STAGES)
    figure.supxlabel(
        f"resident memory (MiB)\nfrom light to dark: {stages}", fontsize=14
    )
    return figure


@styled
def roofline(
    frame: "pd.DataFrame", *, title: str = "Share of the machine's peak"
) -> "Figure":
    """Draw operations per second over the operations of a step, under the measured roof.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of ``speed.csv`` or ``scaling.csv`` of one number of threads: step_ms,
        gflop_per_s, peak_gflop_per_s. A panel for each dtype. Epochs and predictions
        are drawn; single steps are the work of epochs once more.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        A column is missing, or no row has both rates.
    """
    columns = ["framework", "variant", "dtype", "step_ms", "gflop_per_s"]
    columns += ["peak_gflop_per_s"]
    missing = [column for column in columns if column not in frame.columns]
    known = frame if missing else frame.dropna(subset=columns[3:])
    known = known[known.get("kind", known["framework"]) != "train-step"]
    if missing or known.empty:
        raise ValueError(f"a table of rates lacks {missing or 'rates'}")
    dtypes = list(dict.fromkeys(known["dtype"]))
    figure = page(title, 9.4 * len(dtypes) + 0.6, 7.0)
    axes = figure.subplots(1, len(dtypes), squeeze=False, sharey=True)[0]
    for ax, dtype in zip(axes, dtypes, strict=True):
        _draw_roof(ax, known[known["dtype"] == dtype])
        ax.set_title(dtype)
    axes[0].set_ylabel("operations per second (GFLOP/s, log scale)")
    return figure


def _draw_roof(ax: "Axes", rows: "pd.DataFrame") -> None:
    roof = float(rows["peak_gflop_per_s"].max())
    work = 1e6 * rows["gflop_per_s"] * rows["step_ms"]  # operations of a step
    bottom = math.floor(math.log10(rows["gflop_per_s"].min()))
    low = 10.0**bottom
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(work.min() / 3, work.max() * 3)
    ax.set_ylim(low, 3 * roof)
    ax.axhspan(roof, 3 * roof, color=SHADE, lw=0, zorder=0)
    ax.axhline(roof, color=INK, lw=2)
    ax.grid()
    _powers(ax.yaxis, low, roof)
    _powers(ax.xaxis, work.min() / 3, work.max() * 3)
    for share in (0.1, 0.01):
        if share * roof > low:
            ax.axhline(share * roof, color=FAINT, lw=1, ls=(0, (4, 3)))
            ax.text(
                0.99,
                share * roof,
                f"{share:.0%} ",
                transform=ax.get_yaxis_transform(),
                ha="right",
                va="bottom",
                color=FAINT,
                fontsize=13,
            )
    ax.text(
        0.02,
        roof * 1.1,
        f"products of large matrices here: {roof:.0f} GFLOP/s",
        transform=ax.get_yaxis_transform(),
        fontsize=13,
    )
    look = looks(dict.fromkeys(rows["framework"]))
    shown: set[str] = set()
    for row, x in zip(rows.to_dict("records"), work, strict=True):
        style = look[row["framework"]]
        lean = row["variant"] not in ("idiomatic", "compile", "jit")
        label = "" if row["framework"] in shown else row["framework"]
        shown.add(row["framework"])
        ax.plot(
            x,
            row["gflop_per_s"],
            style.marker,
            color=style.colour,
            ms=10,
            mfc=style.colour if lean else "white",
            mec="white" if lean else style.colour,
            mew=1.0 if lean else 2.0,
            label=label or None,
        )
    ax.legend(loc="lower right", frameon=False, fontsize=13)
    ax.set_xlabel("operations of a step (log scale); hollow: not the lean loop")


def _powers(axis: "Axis", low: float, high: float) -> None:
    """Label a log axis by whole powers of ten, at most eight of them."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    stride = max(1, math.ceil((last - first + 1) / 8))
    ticks = [10.0**e for e in range(first, last + 1, stride)]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([power(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())
