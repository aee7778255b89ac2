"""A run's tables: summaries for the screen, whole tables as Markdown, LaTeX, CSV, HTML."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nn_parity import citing, keys, samples, seeds
from nn_parity.agreement import QUANTITIES
from nn_parity.benching import repeated
from nn_parity.errors import Refusal
from nn_parity.results import TABLES, Run
from nn_parity.suggest import nearest
from nn_parity.typeset import FORMATS, as_text, canonical, heading

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

KINDS = (*TABLES, "summary", "parameters", "cases", "seeds")


# -- summaries -------------------------------------------------------------------------


def parameters(run: Run) -> pd.DataFrame:
    """Count the parameters of each layer in each framework, as they were loaded.

    A layer is the number at the end of a name; a name without one stands for itself.
    """
    import pandas as pd

    rows = []
    for network, case in {c.network: c for c in run.cases}.items():
        for framework in run.environment["frameworks"]:
            dtype = run.environment["dtypes"][0]
            loaded = keys.loaded(run.transcript(case, framework, dtype))
            for tensor, value in loaded.items():
                number = tensor.rpartition("_")[2]
                layer = number if number.isdecimal() else tensor
                rows.append((network, layer, framework, value.size))
    if not rows:
        raise Refusal(
            "E604",
            "parameters are counted in the transcripts, which are not here",
            str(run.path),
            "see the tables that lie with the run",
        )
    frame = pd.DataFrame(rows, columns=["network", "layer", "framework", "n"])
    table = frame.pivot_table(
        index=["network", "layer"],
        columns="framework",
        values="n",
        aggfunc="sum",
        sort=False,
    )
    total = table.groupby("network", sort=False).sum()
    total.index = pd.MultiIndex.from_tuples([(n, "total") for n in total.index])
    return pd.concat([table, total]).rename_axis(["network", "layer"]).reset_index()


def summary(run: Run) -> pd.DataFrame:
    """Worst error of each quantity and dtype in each framework, with its verdict."""
    import pandas as pd

    rows = []
    parity = run.parity
    for (dtype, quantity), group in parity.groupby(["dtype", "quantity"], sort=False):
        row = {"dtype": dtype, "quantity": quantity}
        for framework, cell in group.groupby("framework", sort=False):
            row[framework] = _verdict(cell)
        rows.append(row)
    order = {q: i for i, q in enumerate(QUANTITIES)}
    frame = pd.DataFrame(rows).fillna("")
    return frame.sort_values(
        ["dtype", "quantity"],
        key=lambda c: c.map(order) if c.name == "quantity" else c,
        ascending=[False, True],
    ).reset_index(drop=True)


TIERS = {"integers": "exact-integer", "saturated": "saturated"}  # by the case's data


def cases(run: Run) -> pd.DataFrame:
    """Worst error of each case (a building block, say), tier and dtype in each framework."""
    import pandas as pd

    data = {case.experiment or case.name: case.dataset for case in run.cases}
    rows = []
    for (name, dtype), group in run.parity.groupby(["experiment", "dtype"], sort=False):
        case = name.removesuffix(f", {data[name]}")
        tier = TIERS.get(data[name], "random")
        row = {"case": case, "tier": tier, "dtype": dtype}
        for framework, cell in group.groupby("framework", sort=False):
            row[framework] = _verdict(cell)
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def _verdict(rows: pd.DataFrame) -> str:
    gated = rows[rows["passed"].notna()]
    if not len(gated):
        states = ", ".join(dict.fromkeys(rows["status"]))
        worst = rows["error_rel"].max()
        return states if math.isnan(worst) else f"{worst:.1e} ({states})"
    failed = gated[gated["passed"] == False]  # noqa: E712 - a column
    worst = gated["error_u"].max()
    size = "" if math.isnan(worst) else f"{worst:.3g} u"
    if len(failed):
        return f"FAILED {len(failed)} of {len(gated)}, {size}"
    astray = int(rows["reason"].str.startswith("ill-conditioned").sum())
    return f"{size} ok ({len(gated)})" + (
        f", {astray} ill-conditioned" if astray else ""
    )


# -- the screen ------------------------------------------------------------------------


def terminal(run: Run) -> list[Any]:
    """Return rich tables: parameters, parity, speed, accuracy, as far as there are any."""
    shown = [
        rich_table(
            summary(run),
            "Parity: worst error in units of roundoff u, verdict (rows gated)",
        )
    ]
    if run.environment["kind"] == "compare":
        shown.insert(0, rich_table(parameters(run), "Parameters"))
    if run.environment.get("blocks"):
        title = (
            "Building blocks: worst error in units of roundoff u, verdict (rows gated)"
        )
        shown.insert(0, rich_table(cases(run), title))
    if run.has("speed") and len(run.speed):
        shown.append(
            rich_table(
                speed_view(run),
                f"Speed{_care(run)}: median (times scratch: 95 % interval)",
            )
        )
    if run.has("scaling") and len(run.frame("scaling")):
        title = "Crossover: from which size on a framework is faster than scratch"
        shown.append(rich_table(crossover_view(run), title))
    if run.has("accuracy") and len(run.environment.get("seeds", ())) > 1:
        title = (
            "Accuracy over seeds: mean, spread, 95 % interval of the mean (Student's t)"
        )
        shown.append(rich_table(_seeds_view(run), title))
    elif run.has("accuracy"):
        shown.append(rich_table(_accuracy_view(run), "Accuracy after training"))
    return shown


def captions(run: Run) -> list[str]:
    """Lines that stand under the tables: what was measured, on what, and how again."""
    return citing.provenance(run)


def verdict(run: Run) -> list[str]:
    """Return the last lines: what failed and how, or that everything passed."""
    parity = run.parity
    gated = parity[parity["passed"].notna()]
    failed = gated[gated["passed"] == False]  # noqa: E712 - a column
    lines = []
    for row in failed.head(10).itertuples():
        lines.append(
            f"FAILED {row.experiment} {row.framework} {row.dtype} {row.quantity}: "
            f"{row.reason}"
        )
    if len(failed) > 10:
        lines.append(f"... and {len(failed) - 10} more in parity.csv")
    absent = parity[~parity["status"].isin(["ok", "failed", "reported", "diverged"])]
    cells = absent[["framework", "dtype", "status", "reason"]].drop_duplicates()
    for row in cells.itertuples():
        lines.append(f"{row.framework} {row.dtype}: {row.status}: {row.reason}")
    differing = parity[
        (parity["quantity"] == "prediction") & ~parity["reason"].str.match("(0 of|$)")
    ]
    for row in differing.itertuples():
        if row.status in ("ok", "reported"):
            lines.append(f"{row.experiment} {row.framework} {row.dtype}: {row.reason}")
    outside = run.environment.get("ignored", {})
    if said := ", ".join(f"{name}={value}" for name, value in outside.items()):
        lines.append(f"set outside, and kept from the workers: {said}")
    lines.append(
        f"parity: {len(gated) - len(failed)} of {len(gated)} gated rows pass; "
        f"all files in {run.path}"
    )
    return lines


def as_json(run: Run) -> dict[str, Any]:
    """Return the whole run as JSON-ready data; what is missing is null."""
    whole = {"path": str(run.path), "exit_code": run.exit_code}
    for kind in TABLES:
        if run.has(kind):
            cells = run.cells(kind)
            read: dict[str, Callable[[str], Any]] = {"passed": _TRUTH.get}
            read |= dict.fromkeys(_numeric(cells, kind) or (), plain)
            whole[kind] = [
                {c: read.get(c, str)(v) for c, v in row.items()}
                for row in cells.to_dict("records")
            ]
    return whole | {"environment": run.environment}


def plain(cell: str) -> float | int | str | None:
    """Return the number of a cell; "nan", "inf" and "-inf", which JSON lacks, as text."""
    try:
        number = float(cell)
    except ValueError:
        return cell or None
    if not math.isfinite(number):
        return str(number)
    return int(cell) if cell.lstrip("-").isdecimal() else number


_TRUTH = {"true": True, "false": False}


_WORK = {
    ("train-epoch", "lean"): "a step of an epoch, leanest loop",
    ("train-epoch", "idiomatic"): "a step of an epoch, everyday loop",
    ("train-epoch", "compile"): "a step of an epoch, torch.compile",
    ("train-epoch", "jit"): "a step of an epoch, fit with XLA",
    ("train-step", "step"): "one step() call",
    ("inference", "batch-1"): "predict 1 example",
    ("inference", "batch-256"): "predict 256 examples",
}


def speed_view(run: Run) -> pd.DataFrame:
    """One row for each kind of work, one column for each framework.

    A cell is the median time of a step and, in brackets, how often scratch's time that is
    (median of paired ratios, with its 95 % interval). Below it stand the row's flags, which
    docs/benchmarking.md explains.
    """
    import pandas as pd

    rows = []
    speed = run.speed.sort_values("dtype", kind="stable")
    for key, group in speed.groupby(["experiment", "dtype"], sort=False):
        head = dict(zip(("experiment", "dtype"), key, strict=True))
        for kind, cells in group.groupby(["kind", "variant"], sort=False):
            shown = {row.framework: _speed_cell(row) for row in cells.itertuples()}
            rows.append(head | {"work": f"{_WORK.get(kind, ' '.join(kind))}"} | shown)
        steps = list(group[group["kind"] == "train-step"].itertuples())
        for column, says, unit in (
            ("first_step_ms", "first step (traces, compiles)", "ms"),
            ("peak_rss_mib", "peak memory", "MiB"),
        ):
            show = _blank(f"{{:.3g}} {unit}")
            shown = {row.framework: show(getattr(row, column)) for row in steps}
            rows.append(head | {"work": says} | shown)
    return pd.DataFrame(rows).fillna("")


def _speed_cell(row: Any) -> str:
    if row.status != "ok":
        return row.status
    lines = [f"{row.step_ms:.3g} ms"]
    if row.framework != "scratch" or row.ratio_lo != row.ratio_hi:
        interval = f"({row.ratio_lo:.3g}-{row.ratio_hi:.3g})"
        lines.append(f"{row.ratio_to_scratch:.3g}x {interval}")
    flags = [flag for flag in row.flag.split("; ") if not flag.startswith(_CARE)]
    if any(flags):
        lines.append(f"! {', '.join(flags)}")
    return "\n".join(lines)


def crossover_view(run: Run) -> pd.DataFrame:
    """One row for each dimension of a scaling, one column for each framework."""
    import pandas as pd

    rows = []
    names = ["experiment", "dtype", "dimension", "threads"]
    for key, group in run.frame("scaling").groupby(names, sort=False):
        said = group[group["crossover_says"] != ""]
        shown = dict(zip(said["framework"], said["crossover_says"], strict=True))
        rows.append(dict(zip(names, key, strict=True)) | shown)
    return pd.DataFrame(rows).fillna("")


_CARE = ("quick", "short")


def _care(run: Run) -> str:
    """Say in the headline what holds for every row: that it is a first look only."""
    flags = run.speed["flag"]
    if flags.str.contains("quick").any():
        return " (quick, a first look)"
    return " (short, a first look)" if flags.str.contains("short").any() else ""


def _accuracy_view(run: Run) -> pd.DataFrame:
    frame = run.accuracy
    text = frame[["experiment", "dataset", "framework", "dtype"]].copy()
    labelled = frame["part"] != ""
    text.loc[labelled, "dataset"] = frame.loc[labelled, "part"]
    text["epochs"] = frame["epochs"].map(_blank("{:.0f}"))
    text["train loss"] = frame["train_loss"].map(_blank("{:.4f}"))
    text["test loss"] = frame["test_loss"].map(_blank("{:.4f}"))
    text["test accuracy"] = [
        f"{100 * r.test_accuracy:.2f} % ({100 * r.accuracy_lo:.1f}-{100 * r.accuracy_hi:.1f})"
        if r.test_accuracy == r.test_accuracy
        else r.reason
        for r in frame.itertuples()
    ]
    text["n"] = frame["n_test"].map(_blank("{:.0f}"))
    text["differ from scratch"] = frame["disagreements_with_scratch"].map(
        _blank("{:.0f}")
    )
    text["status"] = frame["status"]
    return text


def _seeds_view(run: Run) -> pd.DataFrame:
    frame = seeds.over_seeds(run.accuracy)
    text = frame[["experiment", "dataset", "framework", "dtype", "measure"]].copy()
    labelled = frame["part"] != ""
    text.loc[labelled, "dataset"] = frame.loc[labelled, "part"]
    for shown, column, pattern in (
        ("seeds", "seeds", "{:.0f}"),
        ("mean", "mean", "{:.4g}"),
        ("sd", "sd", "{:.2g}"),
        ("from", "low", "{:.4g}"),
        ("to", "high", "{:.4g}"),
        ("n", "n_test", "{:.0f}"),
        ("differ from scratch", "disagreements_with_scratch", "{:.0f}"),
    ):
        text[shown] = frame[column].map(_blank(pattern))
    text["differs from"] = frame["differs_from"]
    text["status"] = frame["status"]
    return text


def _blank(pattern: str) -> Callable[[float], str]:
    return lambda value: "" if math.isnan(value) else pattern.format(value)


def rich_table(frame: pd.DataFrame, title: str) -> Table:
    """Return a DataFrame as a rich table; rows that went wrong are red."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    numeric = {c for c in frame.columns if frame[c].dtype.kind in "if"}
    previous: list[str] = []
    for column in frame.columns:
        table.add_column(
            escape(str(column)),
            justify="right" if column in numeric else "left",
            overflow="fold",
        )
    for row in frame.itertuples(index=False):
        cells = [_cell(value) for value in row]
        if previous and previous[0] != cells[0]:
            table.add_section()
        previous = cells
        red = any("FAILED" in c or c in _BAD for c in cells)
        table.add_row(*map(escape, cells), style="bold red" if red else None)
    return table


_BAD = (
    "failed", "crashed", "killed", "timeout", "oom", "disk full", "diverged", "withheld",
)  # fmt: skip


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


# -- export ----------------------------------------------------------------------------


def frame(run: Run, kind: str) -> pd.DataFrame:
    """Return one of the tables by name; those on disk as text, every digit kept."""
    if kind not in KINDS:
        raise Refusal(
            "E012",
            f"no table '{kind}'",
            f"--kind is one of {', '.join(KINDS)}",
            nearest(kind, KINDS) or "see nn-parity table --help",
        )
    made = {
        "summary": summary,
        "parameters": parameters,
        "cases": cases,
        "seeds": lambda run: seeds.over_seeds(run.accuracy),
    }
    return made[kind](run) if kind in made else run.cells(kind)


_CITED = {  # of tables too wide for a page: what one cites of them
    "parity": (
        "experiment", "part", "framework", "dtype", "seed", "quantity", "tensor", "error_u",
        "error_rel", "gate", "status",
    ),
    "speed": (
        "experiment", "part", "framework", "variant", "kind", "dtype", "threads",
        "batch_size", "step_ms", "ratio_to_scratch", "ratio_lo", "ratio_hi", "cpu_ratio",
        "n", "flag", "status",
    ),
    "scaling": (
        "experiment", "part", "framework", "dtype", "threads", "dimension", "value",
        "step_ms", "ratio_to_scratch", "ratio_lo", "ratio_hi", "n", "flag", "status",
    ),
}  # fmt: skip


def export(run: Run, kind: str, format: str) -> str:
    """Return a whole table as text, ready to be cited: with its id, units and origin.

    ``format`` is one of `FORMATS`, or "bibtex" for a BibTeX entry. The id is the beginning
    of the sha256 of the table as csv. LaTeX and Markdown get the columns that one cites;
    what is the same in all rows stands in a line with them.
    """
    check_format(format, (*FORMATS, "bibtex"))
    table = frame(run, kind)
    id_ = citing.identity(canonical(table))
    if format == "bibtex":
        return citing.bibtex(run, kind, id_)
    notes = citing.notes(run, kind)
    if format in ("md", "tex"):
        table, same = _for_a_page(table, kind)
        notes = [*same, *notes]
    return as_text(
        table,
        format,
        notes,
        title=citing.title(run, kind, id_),
        name=f"nn-parity-{kind}-{id_}",
        numeric=_numeric(table, kind),
    )


def against(run: Run, other: Run, format: str) -> str:
    """Return how far apart two benchmarks' ratios are, as text; both say what they are."""
    check_format(format)
    found = repeated.differences(run, other)
    id_ = citing.identity(canonical(found))
    same: list[str] = []
    first, second = citing.provenance(run), citing.provenance(other)
    notes = [
        f"{repeated.says(found)}.",
        *(f"Both: {line}" for line in first if line in second),
        *(f"First: {line}" for line in first if line not in second),
        *(f"Second: {line}" for line in second if line not in first),
    ]
    if format in ("md", "tex"):
        found, same = _said_once(found)
    title = citing.title(run, "against", id_)
    return as_text(
        found,
        format,
        [*same, *notes],
        title=title,
        name=f"nn-parity-against-{id_}",
    )


def _for_a_page(table: pd.DataFrame, kind: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns to be cited, and what is the same in all rows as a line."""
    if kind not in _CITED:
        return table, []
    cited = [c for c in table.columns if c in _CITED[kind]]
    left_out = [f"All columns: {kind}.csv"] if len(cited) < len(table.columns) else []
    shown, lines = _said_once(table[cited])
    return shown, [*lines, *left_out]


def _said_once(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Take out what is the same in all rows, and return it as a line."""
    if len(table) < 2:
        return table, []
    same = {c: table[c].iloc[0] for c in table.columns if table[c].nunique() == 1}
    said = ", ".join(f"{heading(c)} {v}" for c, v in same.items() if v != "")
    kept = [c for c in table.columns if c not in same]
    return table[kept], [f"In all rows: {said}"] if said else []


def _numeric(table: pd.DataFrame, kind: str) -> list[str] | None:
    if kind not in TABLES:
        return None
    return [c for c in table.columns if c not in (*samples.TEXT, "passed")]


def every(run: Run, format: str) -> dict[str, str]:
    """Return all tables of a run in which something stands, in one format, by kind."""
    check_format(format, (*FORMATS, "bibtex"))
    return {kind: export(run, kind, format) for kind in _present(run)}


def ids(run: Run) -> dict[str, str]:
    """Return the ids of all tables that a run has, by kind."""
    made = {kind: canonical(frame(run, kind)) for kind in _present(run)}
    return {kind: citing.identity(text) for kind, text in made.items()}


def _present(run: Run) -> list[str]:
    needs = {"summary": "parity", "cases": "parity", "parameters": "parity"}
    needs["seeds"] = "accuracy"
    lacking = set() if run.environment["kind"] == "parity" else {"cases"}
    lacking |= {k for k in TABLES if run.has(k) and run.cells(k).empty}  # not asked for
    if not (run.path / "transcripts").is_dir():
        lacking.add("parameters")
    kinds = (kind for kind in KINDS if kind not in lacking)
    return [kind for kind in kinds if run.has(needs.get(kind, kind))]


def check_format(format: str, known: tuple[str, ...] = FORMATS) -> None:
    """Refuse (E013) a format that is not known."""
    if format not in known:
        raise Refusal(
            "E013",
            f"no format '{format}'",
            f"--format is one of {', '.join(known)}",
            nearest(format, known) or "name one of these",
        )


def html(run: Run) -> str:
    """Return the summary tables as HTML, for a notebook."""
    views = [("Parity", summary(run))]
    if run.has("speed") and len(run.speed):
        views.append((f"Speed{_care(run)}", speed_view(run)))
    if run.has("accuracy"):
        views.append(("Accuracy", _accuracy_view(run)))
    return "".join(as_text(view, "html", [], title=title) for title, view in views)
