"""An overview of a folder of published runs, as one page of Markdown.

Every number on it is read from the tables of the runs, and the page names the run and
the table's id, so that it can be made again and checked.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn_parity import citing, files, registry, results, seeds, tables
from nn_parity.benching import repeated
from nn_parity.keys import Key
from nn_parity.results import Run
from nn_parity.typeset import as_text

if TYPE_CHECKING:
    import pandas as pd

PAGE = "README.md"
INTRODUCTION = """# Published results

Each folder is one run: its tables as CSV, Markdown, LaTeX and BibTeX (`tables/`), its
figures, every raw record behind them (`samples.jsonl.gz`), and what it ran on
(`environment.json`). `nn-parity verify results/published/NAME` makes the tables anew from
the records and names each cell that differs. `make published` makes all of it again.
This page is made of the tables, too.
"""
AGREEMENT = """## Do they agree?

The worst gated float64 error of each run, as a share of the tensor's largest value
(u = 1.1e-16): of a gradient at the initial weights, and of the loss curve and the weights of
the whole training, over all seeds and frameworks. "Differ" counts test predictions of
another class than scratch's, of all that were compared. Ill-conditioned rows are trainings
that one unit in the last place of the initial weights leads as far astray, in scratch
itself.
"""
ACCURACY = """## How accurate are they?

Mean and standard deviation over the seeds, float32: each seed is one draw of initial weights
and order, the same for all four. "Tied" says that no two frameworks differ by more than
seeds do.
"""
SPEED = """## How fast are they?

Time of a training step within an epoch, as a multiple of scratch's: the median of paired
ratios with its 95 % interval, one thread, float32; smaller is faster. "!" marks rows that
the protocol flags; the tables say why, docs/benchmarking.md what it means. These networks are
small, so most of what a framework does here is overhead: no row names a winner.
"""
AGAIN = """## Do they say the same on another try?

The same benchmark in fresh processes, later: by how much the ratios moved (medians of all
rows), and in how many rows the 95 % interval of the difference contains 0. Row by row:
`nn-parity table results/published/NAME --against results/published/NAME-again`.
"""
CROSSOVER = """## From which size on is a framework faster?

Where its leanest loop overtakes scratch's for good, as one size grows and the others stay.
"""


def write(folder: str | Path) -> Path:
    """Make the page of all runs in a folder and write it there."""
    path = Path(folder) / PAGE
    files.write_text(path, page(folder))
    return path


def page(folder: str | Path) -> str:
    """Return the page of all runs in a folder."""
    runs = {
        path.parent.name: results.open_run(path.parent)
        for path in sorted(Path(folder).glob("*/environment.json"))
    }
    parts = [INTRODUCTION, _provenance(runs)]
    for heading, rows in (
        (AGREEMENT, _agreement), (ACCURACY, _accuracy), (SPEED, _speed),
        (AGAIN, partial(_again, runs)), (CROSSOVER, _crossovers),
    ):  # fmt: skip
        lines = [line for name, run in runs.items() for line in rows(name, run)]
        if lines:
            parts += [heading, as_text(_frame(lines), "md", [])]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _frame(lines: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(lines).fillna("")


def _provenance(runs: dict[str, Run]) -> str:
    """Say on what the runs ran; each different line once."""
    lines: list[str] = []
    for describe in (citing.machine, citing.versions, _when):
        lines += dict.fromkeys(describe(run) for run in runs.values())
    return "\n".join(f"- {line}" for line in lines)


def _when(run: Run) -> str:
    day = datetime.datetime.fromisoformat(run.environment["started"]).date()
    return f"{day.isoformat()}, {citing.code(run)}"


# -- rows ------------------------------------------------------------------------------


def _agreement(name: str, run: Run) -> Iterator[dict[str, Any]]:
    if run.environment["kind"] != "compare":
        return
    parity = run.parity
    gated = parity[parity["passed"].notna()]
    exact = gated[(gated["dtype"] == "float64") & gated["error_rel"].notna()]
    named = zip(exact["quantity"], exact["tensor"], strict=True)
    points = [Key.parse(f"{quantity}/{tensor}").point for quantity, tensor in named]
    exact = exact.assign(point=points)
    first = exact[(exact["quantity"] == "grad") & (exact["point"] != "B=1")]
    ends = exact[exact["point"] == "end"]
    compared = parity[
        (parity["quantity"] == "prediction") & (parity["dtype"] == "float64")
    ]
    yield {
        "run": name,
        "gated rows that pass": f"{int((gated['passed'] == True).sum()):,} of {len(gated):,}",  # noqa: E712
        "gradients": _worst(first),
        "loss curve": _worst(ends[ends["quantity"] == "curve"]),
        "trained weights": _worst(ends[ends["quantity"] == "trained"]),
        "differ": _differ(compared["reason"]),
        "ill-conditioned rows": _count(
            parity["reason"].str.startswith("ill-conditioned")
        ),
        "table": tables.ids(run)["parity"],
    }


def _worst(rows: pd.DataFrame) -> str:
    return f"{rows['error_rel'].max():.1e}" if len(rows) else ""


def _count(found: pd.Series) -> str:
    return f"{int(found.sum()):,}" if found.any() else ""


def _differ(reasons: pd.Series) -> str:
    """Add up "2 of 360 ..." of all frameworks and seeds."""
    counts = reasons.str.extract(r"^(\d+) of (\d+)").dropna().astype(int)
    return f"{counts[0].sum():,} of {counts[1].sum():,}" if len(counts) else ""


def _accuracy(name: str, run: Run) -> Iterator[dict[str, Any]]:
    if not run.has("accuracy"):
        return
    over = seeds.over_seeds(run.accuracy)
    chosen = over[over["dtype"] == "float32"]
    for part, rows in chosen.groupby("part", sort=False):
        yield {
            "run": name,
            "part": part,
            "measure": rows["measure"].iloc[0],
            **_columns(rows, _mean),
            "n": f"{int(rows['seeds'].max())} seeds",
            "verdict": "tied"
            if set(rows["differs_from"]) == {"tied"}
            else "see the table",
            "table": tables.ids(run)["seeds"],
        }


def _mean(row: Any) -> str:
    if row.status != "ok":
        return row.status
    return f"{row.mean:.4g} ± {row.sd:.2g}"


def _speed(name: str, run: Run) -> Iterator[dict[str, Any]]:
    if run.environment["kind"] != "bench":
        return
    speed = run.speed
    chosen = speed[(speed["kind"] == "train-epoch") & (speed["dtype"] == "float32")]
    for variant, rows in chosen.groupby("variant", sort=False):
        scratch = speed[
            (speed["framework"] == "scratch") & (speed["variant"] == "lean")
        ]
        yield {
            "run": name,
            "loop": {"lean": "leanest", "idiomatic": "everyday"}.get(variant, variant),
            "scratch (ms)": f"{scratch['step_ms'].iloc[0]:.3g}",
            **_columns(rows, _ratio),
            "n": f"{int(rows['n'].max())} slices",
            "table": tables.ids(run)["speed"],
        }


def _ratio(row: Any) -> str:
    if row.status != "ok":
        return row.status
    flag = " !" if row.flag else ""
    if row.ratio_lo == row.ratio_hi:
        return f"{row.ratio_to_scratch:.3g}{flag}"
    return f"{row.ratio_to_scratch:.3g} ({row.ratio_lo:.3g}-{row.ratio_hi:.3g}){flag}"


def _again(runs: dict[str, Run], name: str, run: Run) -> Iterator[dict[str, Any]]:
    """Compare a benchmark with the one that is called the same, "-again"."""
    if f"{name}-again" in runs:
        again = runs[f"{name}-again"]
        found = repeated.differences(run, again)
        apart = found[["difference_percent", "cpu_difference_percent"]].abs().median()
        yield {
            "run": name,
            "hours apart": f"{_hours(run, again):.1f}",
            "wall time (%)": f"{apart.iloc[0]:.1f}",
            "CPU time (%)": f"{apart.iloc[1]:.1f}",
            "contains 0": f"{(found['contains_0'] == 'yes').sum()} of {len(found)}",
            "flagged": f"{(found['flag_first'] + found['flag_second'] != '').sum()}",
        }


def _hours(run: Run, other: Run) -> float:
    """From the start of one run to that of another."""
    began, later = (
        datetime.datetime.fromisoformat(one.environment["started"])
        for one in (run, other)
    )
    return abs(later - began).total_seconds() / 3600


def _columns(rows: pd.DataFrame, cell: Callable[[Any], str]) -> dict[str, str]:
    found = {row.framework: cell(row) for row in rows.itertuples()}
    return {framework: found.get(framework, "") for framework in registry.FRAMEWORKS}


def _crossovers(name: str, run: Run) -> Iterator[dict[str, Any]]:
    if run.has("scaling") and len(run.frame("scaling")):
        id_ = tables.ids(run)["scaling"]
        for row in tables.crossover_view(run).to_dict("records"):
            yield {"run": name} | row | {"table": id_}
