"""A run's tables: summaries for the screen, whole tables as Markdown, LaTeX, CSV, HTML."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nn_parity import keys
from nn_parity.agreement import QUANTITIES
from nn_parity.errors import Refusal
from nn_parity.results import TABLES, Run
from nn_parity.suggest import nearest

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

FORMATS = ("md", "tex", "csv", "html")
KINDS = (*TABLES, "summary", "parameters", "cases")


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

    data = {case.name: case.dataset for case in run.cases}
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
    return f"{size} ok ({len(gated)})"


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
                "Speed: median (times scratch: 95 % interval); quick, a first look",
            )
        )
    if run.has("accuracy"):
        shown.append(rich_table(_accuracy_view(run), "Accuracy after training"))
    return shown


def captions(run: Run) -> list[str]:
    """Lines that stand under the tables: what was measured, on what, and how again."""
    environment = run.environment
    versions = {
        name: version
        for framework in environment["frameworks"]
        for name, version in environment["versions"][framework].items()
    }
    lines = [d["description"] for d in environment.get("datasets", {}).values()]
    lines += [
        ", ".join(f"{n} {v}" for n, v in versions.items()),
        f"{environment['cpu']}, {environment['threads']} thread(s) each, "
        f"{environment['started']}, commit {environment['commit'] or 'unknown'}",
        f"{environment['command']}",
    ]
    return lines


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
    lines.append(
        f"parity: {len(gated) - len(failed)} of {len(gated)} gated rows pass; "
        f"all files in {run.path}"
    )
    return lines


def as_json(run: Run) -> dict[str, Any]:
    """Return the whole run as JSON-ready data."""
    import json

    whole = {"path": str(run.path), "exit_code": run.exit_code}
    for kind in TABLES:
        if run.has(kind):
            frame = run.parity if kind == "parity" else run.frame(kind)
            text = frame.to_json(orient="records", double_precision=15)
            whole[kind] = json.loads(text)
    return whole | {"environment": run.environment}


_WORK = {
    ("train-epoch", "lean"): "a step of an epoch, leanest loop",
    ("train-epoch", "idiomatic"): "a step of an epoch, everyday loop",
    ("train-step", "step"): "one step() call",
    ("inference", "batch-256"): "predict 256 examples",
}


def speed_view(run: Run) -> pd.DataFrame:
    """One row for each kind of work, one column for each framework.

    A cell is the median time of a step and, in brackets, how often scratch's time that is
    (median of paired ratios, with its 95 % interval).
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
    time = f"{row.step_ms:.3g} ms"
    if row.framework == "scratch" and row.ratio_lo == row.ratio_hi:
        return time
    times = f"{row.ratio_to_scratch:.3g}x ({row.ratio_lo:.3g}-{row.ratio_hi:.3g})"
    return f"{time}\n{times}"


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
    """Return one of the tables by name."""
    if kind not in KINDS:
        raise Refusal(
            "E012",
            f"no table '{kind}'",
            f"--kind is one of {', '.join(KINDS)}",
            nearest(kind, KINDS) or "see nn-parity table --help",
        )
    made = {"summary": summary, "parameters": parameters, "cases": cases}
    return made[kind](run) if kind in made else run.frame(kind)


def export(run: Run, kind: str, format: str) -> str:
    """Return a whole table as text in one of `FORMATS`, escaped for that format."""
    check_format(format)
    return as_text(frame(run, kind), format, captions(run))


def check_format(format: str, known: tuple[str, ...] = FORMATS) -> None:
    """Refuse (E013) a format that is not known."""
    if format not in known:
        raise Refusal(
            "E013",
            f"no format '{format}'",
            f"--format is one of {', '.join(known)}",
            nearest(format, known) or "name one of these",
        )


def as_text(table: pd.DataFrame, format: str, notes: list[str]) -> str:
    """Return any table as text in one of `FORMATS`; csv has no room for the notes."""
    if format == "csv":
        return table.to_csv(index=False, lineterminator="\n")
    if format == "md":
        quoted = "".join(f"> {note}\n" for note in notes)
        return f"{_markdown(table)}\n\n{quoted}"
    return _styled(table, format, notes)


def html(run: Run) -> str:
    """Return the summary tables as HTML, for a notebook."""
    views = [("Parity", summary(run))]
    if run.has("speed") and len(run.speed):
        views.append(("Speed (quick)", speed_view(run)))
    if run.has("accuracy"):
        views.append(("Accuracy", _accuracy_view(run)))
    return "".join(_styled(view, "html", [], title) for title, view in views)


def _markdown(table: pd.DataFrame) -> str:
    escaped = table.rename(columns=_markdown_cell)
    for column in escaped.columns:
        if escaped[column].dtype.kind not in "ifb":
            escaped[column] = escaped[column].map(_markdown_cell)
        else:
            escaped[column] = escaped[column].map(_cell)
    return escaped.to_markdown(index=False, disable_numparse=True)


def _markdown_cell(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _styled(
    table: pd.DataFrame, format: str, notes: list[str], title: str | None = None
) -> str:
    escape = "latex" if format == "tex" else "html"
    numeric = [c for c in table.columns if table[c].dtype.kind in "if"]
    style = table.style.hide(axis="index")
    style = style.format(escape=escape).format(_cell, subset=numeric)
    style = style.format_index(escape=escape, axis="columns")
    if format == "html":
        if title:
            style = style.set_caption(title)
        return style.to_html()
    caption = " ".join(notes)
    return style.to_latex(hrules=True, caption=_latex(caption), position="htbp")


_LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def _latex(text: str) -> str:
    """Escape a caption: the Styler escapes cells and headers only."""
    return text.translate(_LATEX)
