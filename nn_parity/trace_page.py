"""A trace for the eye: tables in the terminal, or one HTML page that reads from the top."""

from __future__ import annotations

import math
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from nn_parity import tables
from nn_parity.chain_rule import Row
from nn_parity.tracing import Trace

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, RenderableType

FORMATS = ("text", *tables.FORMATS)
_ONE_LINE = 240  # columns in which a row fits on a line, formula and all
_FORMULA = 30  # columns that a formula needs, or it is left out
_FRAME = 22  # columns of the equation, of the difference and between them
_FEWEST = 11  # columns of a number: three digits, and sign, point and e-102


def printed(trace: Trace, console: Console) -> str:
    """Return the text for that console; one that is no terminal has long lines."""
    least = _FRAME + _quantities(trace) + len(trace.frameworks) * (_FEWEST + 2)
    console.width = max(console.width, least) if console.is_terminal else _ONE_LINE
    with console.capture() as text:
        console.print(*terminal(trace, console.width), sep="\n")
    return "".join(f"{line.rstrip()}\n" for line in text.get().splitlines())


def terminal(trace: Trace, width: int) -> list[RenderableType]:
    """Return what a rich console of that width prints; a narrow one rounds the numbers.

    Formulas need about 180 columns beside four frameworks in float64.
    """
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = [
        Text(trace.title, "bold"),
        Text(trace.about),
        Text(f"\n{trace.equations}"),
    ]
    count, longest = len(trace.frameworks), _digits(trace)
    room = width - _quantities(trace) - _FRAME
    formulas = room - count * (longest + 2) >= _FORMULA
    digits = min(longest, max(room // count - 2, _FEWEST))
    rounded = digits - 8 if digits < longest else None
    for section in trace.sections:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("", width=6, no_wrap=True)
        table.add_column("", width=_quantities(trace), no_wrap=True)
        for framework in trace.frameworks:
            table.add_column(f" {framework}", no_wrap=True, width=digits)
        table.add_column("difference", justify="right", no_wrap=True, width=10)
        if formulas:
            table.add_column("", overflow="fold")
        for row in section.rows:
            values = [
                Text.assemble(same, (differs, "bold red"))
                for same, differs in _marked(_values(trace, row, rounded))
            ]
            formula = [Text(row.formula)] if formulas else []
            head = map(Text, (row.equation, row.quantity))
            table.add_row(*head, *values, Text(_u(row)), *formula)
        shown += [Text(f"\n{section.title}", "bold"), Text(section.about, "dim"), table]
    return [*shown, Text(), *map(Text, trace.captions)]


def _quantities(trace: Trace) -> int:
    return max(len(row.quantity) for row in trace.rows)


def _digits(trace: Trace) -> int:
    return max(len(cell) for row in trace.rows for cell in _values(trace, row))


def as_text(trace: Trace, format: str) -> str:
    """Return the whole table as md, tex or csv, or the page as html; every digit kept."""
    if format == "html":
        return html(trace)
    table: pd.DataFrame = trace.frame
    if format != "csv":  # these would round numbers for the eye
        cells = [_values(trace, row) for row in trace.rows]
        table = table.assign(
            **{
                framework: [row[column].strip() for row in cells]
                for column, framework in enumerate(trace.frameworks)
            },
            error_u=[_u(row) for row in trace.rows],
        )
    return tables.as_text(table, format, [trace.title, trace.about, *trace.captions])


def plain(trace: Trace) -> dict[str, Any]:
    """Return all of it as JSON-ready data; what is missing or no number is null."""
    rows = [
        {
            key: value if isinstance(value, str) or math.isfinite(value) else None
            for key, value in row.items()
        }
        for row in trace.frame.to_dict("records")
    ]
    return {
        "experiment": trace.case.experiment,
        "part": trace.case.label,
        "step": trace.step,
        "dtype": trace.dtype,
        "lr": trace.lr,
        "rows": rows,
        "failures": trace.failures,
        "notes": [trace.about, *trace.captions],
    }


def html(trace: Trace) -> str:
    """Return one self-contained page: no script, no network, readable from a file."""
    from jinja2 import Environment
    from markupsafe import Markup

    template = Environment(autoescape=True, trim_blocks=True).from_string(_TEMPLATE)
    sections = [
        (
            section,
            [(row, _marked(_values(trace, row)), _u(row)) for row in section.rows],
        )
        for section in trace.sections
    ]
    return template.render(
        trace=trace, sections=sections, digits=_digits(trace), style=Markup(_STYLE)
    )


def _values(trace: Trace, row: Row, rounded: int | None = None) -> list[str]:
    """Shortest digits that tell a number from its neighbours, or so many where rounded.

    Signs take a column of their own.
    """
    own = [row.values.get(framework) for framework in trace.frameworks]
    write = str if rounded is None else f"{{:.{rounded}g}}".format
    texts = ["" if value is None else write(value) for value in own]
    return [text if text.startswith("-") else f" {text}" for text in texts]


def _marked(values: list[str]) -> list[tuple[str, str]]:
    """Cut each number in two: digits as in the first column, and digits that differ."""
    same = [commonprefix([values[0], value]) for value in values]
    return [
        (start, value.removeprefix(start))
        for value, start in zip(values, same, strict=True)
    ]


def _u(row: Row) -> str:
    return "0" if row.error_u == 0 else f"{row.error_u:.2g} u"


_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --faint: #5c5c5c; --line: #d9d9d9;
  --paper: #fff; --shade: #f6f6f6; --apart: #b3261e; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --faint: #a8a8a8; --line: #3a3f45; --paper: #0d1117;
    --shade: #161b22; --apart: #ff9a8f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 84rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 1.8rem 0 0; font-size: 1.15rem; }
p { margin: .2rem 0 .6rem; max-width: 60rem; }
pre, td, .number { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
pre { margin: 1rem 0; padding: .6rem .8rem; overflow-x: auto; width: fit-content;
  max-width: 100%; border: 1px solid var(--line); background: var(--shade);
  font-size: .85rem; }
.sheet { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem; }
th { padding: .3rem .6rem; text-align: left; font-weight: 600; }
thead th { color: var(--faint); border-bottom: 1px solid var(--line); }
td, tbody th { padding: .25rem .6rem; vertical-align: top;
  border-bottom: 1px solid var(--line); }
tbody th { min-width: 21rem; font-weight: 400; }
td { white-space: pre; min-width: calc(var(--digits) * 1ch + 1.2rem); }
td:first-child { min-width: 4.4rem; }
td:last-child { min-width: 6rem; }
td:first-child, .formula { color: var(--faint); }
td:last-child { text-align: right; }
.formula { display: block; font-size: .92em; overflow-wrap: anywhere; }
td b { font-weight: 600; color: var(--apart); }
ul { padding-left: 1.2rem; color: var(--faint); font-size: .9rem; max-width: 60rem; }
ul li:last-child { color: var(--ink); }
@media (max-width: 640px) { tbody th { min-width: 11rem; } body { padding: .7rem; } }
@media print {
  @page { size: A4 landscape; margin: 10mm; }
  body { padding: 0; font-size: 9pt; }
  table { font-size: 7.4pt; }
  .sheet { overflow: visible; }
  h2, p { break-after: avoid; }
  tr { break-inside: avoid; }
}
"""
_TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ trace.title }}</title>
<style>{{ style }}</style>
</head>
<body style="--digits: {{ digits }}">
<h1>{{ trace.title }}</h1>
<p>{{ trace.about }}</p>
<p>The same step in {{ trace.frameworks | length }} implementations, each trained up to here
by itself from the same initial weights and data. Digits that differ from the first column's
are <b style="color: var(--apart)">marked</b>. A local derivative or a product on the way to
a gradient is worked out from the numbers of its own column; what is <i>returned</i> or
<i>new</i> is the framework's own.</p>
<pre>{{ trace.equations }}</pre>
<main>
{% for section, rows in sections %}
<section>
<h2>{{ section.title }}</h2>
<p>{{ section.about }}</p>
<div class="sheet">
<table>
<thead><tr><th scope="col">eq.</th><th scope="col">quantity</th>
{% for framework in trace.frameworks %}
<th scope="col">{{ framework }}</th>
{% endfor %}
<th scope="col">difference</th></tr></thead>
<tbody>
{% for row, values, apart in rows %}
<tr><td>{{ row.equation }}</td>
<th scope="row"><span class="number">{{ row.quantity }}</span>
{% if row.formula %}
<span class="formula">{{ row.formula }}</span>
{% endif %}
</th>
{% for same, differs in values %}
<td>{{ same }}{% if differs %}<b>{{ differs }}</b>{% endif %}</td>
{% endfor %}
<td>{{ apart }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
</section>
{% endfor %}
</main>
<ul>
{% for caption in trace.captions %}
<li>{{ caption }}</li>
{% endfor %}
</ul>
</body>
</html>
"""
