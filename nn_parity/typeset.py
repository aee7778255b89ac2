"""Any table as Markdown, LaTeX, CSV or HTML, escaped for that format.

Nothing is set in bold: whoever is ahead in a table is ahead within its intervals, or not
at all, and the text beside it is the place to say so.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from nn_parity import escapes

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("md", "tex", "csv", "html")
PAGE = 40  # rows; a longer table is broken over pages
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
_HEADINGS = {
    "error_u": "error (u)",
    "error_rel": "error (relative)",
    "gate": "gate (relative)",
    "n": "n",
    "n_test": "n (test)",
    "max_ref": "largest value",
    "moved": "moved by training",
    "sd": "sd over seeds",
    "low": "95 % from",
    "high": "95 % to",
    "difference_percent": "difference (%)",
    "cpu_difference_percent": "difference of CPU ratios (%)",
    "percent_from": "95 % from (%)",
    "percent_to": "95 % to (%)",
    "seeds": "n (seeds)",
}
_UNITS = {
    "ms": "ms",
    "us": "us",
    "s": "s",
    "mib": "MiB",
    "gib": "GiB",
    "gflops": "GFLOP/s",
}


def heading(column: Any) -> str:
    """Return a column's name as it stands over a table: words, and the unit if any."""
    text = str(column)
    if text in _HEADINGS:
        return _HEADINGS[text]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):  # a framework's, say: as it is
        return text
    words = [word for word in text.split("_") if word]
    at = next((i for i, word in enumerate(words[1:], 1) if word in _UNITS), None)
    if at is None or "per" in words:
        return " ".join(words)
    unit = _UNITS[words.pop(at)]
    return f"{' '.join(words)} ({unit})"


def as_text(
    table: pd.DataFrame,
    format: str,
    notes: list[str],
    *,
    title: str = "",
    name: str = "",
    numeric: Collection[str] | None = None,
) -> str:
    """Return any table as text in one of `FORMATS`.

    Parameters
    ----------
    table : DataFrame
        Of values, or of text as a CSV file holds it: "" is missing, "nan" is not.
    notes : list of str
        What stands with the table; csv has no room for it.
    title : str
        Stands before the notes.
    name : str
        Of the table in its document: a label.
    numeric : collection of str, optional
        Columns of numbers; by default those with a numeric dtype.
    """
    if format == "csv":
        return canonical(table)
    if numeric is None:
        numeric = {c for c in table.columns if table[c].dtype.kind in "if"}
    made = {"md": _markdown, "tex": _latex, "html": _html}[format]
    return made(_shown(table, numeric), numeric, title, notes, name)


def canonical(table: pd.DataFrame) -> str:
    """Return the CSV text that a table is known by."""
    return table.to_csv(
        index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL, na_rep=""
    )


def number(value: Any, *, commas: bool = True) -> str:
    """Return a number for the eye, six digits of it; what is missing is empty."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return ""
    try:
        whole = isinstance(value, int) or re.fullmatch(r"-?\d+", str(value))
        read = int(value) if whole else float(value)
    except (ValueError, OverflowError):
        return str(value)
    if isinstance(read, float) and not math.isfinite(read):
        return "NaN" if math.isnan(read) else str(read)
    comma = "," if commas else ""
    return f"{read:{comma}}" if isinstance(read, int) else f"{read:{comma}.6g}"


def _shown(table: pd.DataFrame, numeric: Collection[str]) -> pd.DataFrame:
    """Return the table as text, without the columns in which nothing stands."""
    shown = {
        column: [number(v) if column in numeric else _text(v) for v in table[column]]
        for column in table.columns
    }
    import pandas as pd

    kept = {c: cells for c, cells in shown.items() if any(cells) or not cells}
    return pd.DataFrame(kept, dtype=object)


def _text(value: Any) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else str(value)


def _markdown(
    table: pd.DataFrame,
    numeric: Collection[str],
    title: str,
    notes: list[str],
    name: str,
) -> str:
    align = ["right" if column in numeric else "left" for column in table.columns]
    escaped = table.map(escapes.markdown)
    escaped.columns = [escapes.markdown(heading(c)) for c in table.columns]
    text = escaped.to_markdown(index=False, disable_numparse=True, colalign=align)
    lines = [f"**{escapes.markdown(title)}**"] if title else []
    lines += map(escapes.markdown, notes)
    return f"{text}\n\n" + ">\n".join(f"> {line}\n" for line in lines)


def _html(
    table: pd.DataFrame,
    numeric: Collection[str],
    title: str,
    notes: list[str],
    name: str,
) -> str:
    escaped = table.map(escapes.html)
    escaped.columns = [escapes.html(heading(c)) for c in table.columns]
    style = escaped.style.hide(axis="index").set_uuid(escapes.html(name) or "table")
    right = [i for i, column in enumerate(table.columns) if column in numeric]
    style = style.set_table_styles(
        [{"selector": f".data.col{i}", "props": "text-align: right"} for i in right]
    )
    if title:
        style = style.set_caption(escapes.html(title))
    paragraphs = "".join(f"<p>{escapes.html(note)}</p>\n" for note in notes)
    return style.to_html(cell_ids=False) + paragraphs


def _latex(
    table: pd.DataFrame,
    numeric: Collection[str],
    title: str,
    notes: list[str],
    name: str,
) -> str:
    """Return a table for booktabs and siunitx; a long one for longtable, too."""
    shown = {
        column: [_in_column(cell, column in numeric) for cell in table[column]]
        for column in table.columns
    }
    import pandas as pd

    escaped = pd.DataFrame(shown, dtype=object)
    escaped.columns = [escapes.latex(heading(c)) for c in table.columns]
    parts = [line.removesuffix(".") for line in [*([title] if title else []), *notes]]
    caption = ". ".join(map(escapes.latex, parts))  # the last one may be a command
    long = len(table) > PAGE
    text = escaped.style.hide(axis="index").to_latex(
        hrules=True,
        siunitx=True,
        column_format="".join("S" if c in numeric else "l" for c in table.columns),
        caption=(caption, escapes.latex(title)) if title else caption,
        label=f"tab:{name}" if name else None,
        environment="longtable" if long else None,
        position=None if long else "htbp",
    )
    packages = "booktabs,siunitx" + (",longtable" if long else "")
    return f"% needs \\usepackage{{{packages}}}\n{text}"


def _in_column(cell: str, numeric: bool) -> str:
    if not numeric:
        return escapes.latex(cell)
    plain = cell.replace(",", "")
    return (
        plain if not cell or _NUMBER.fullmatch(plain) else f"{{{escapes.latex(cell)}}}"
    )
