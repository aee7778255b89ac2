"""The sources of one network side by side: in the terminal, or as one HTML page.

Sources are read as text from the folders of the implementations. Nothing is imported
from them, so this works without any framework installed.
"""

from __future__ import annotations

import ast
import html as entities
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from nn_parity import registry
from nn_parity.errors import Refusal

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

# Section -> its heading, in the order in which a network file is read.
SECTIONS = {
    "head": "Imports and inputs",
    "model": "Model",
    "backward": "Backward",
    "loss": "Loss",
    "weights": "Weights",
    "workspace": "Workspace",
}
_AUTOGRAD = {
    "torch": "Nothing to write: torch.autograd records the forward pass and walks it back.",
    "keras": "Nothing to write: the backend's gradient tape walks the forward pass back.",
    "jax": "Nothing to write: jax.grad transforms the loss into its gradient.",
}
_CANONICAL = "Nothing to map: these parameters are already in the canonical layout."
_NARROWEST = 72  # characters of a column in the terminal
_TRAILING = re.compile(
    r"(?P<code>.*\S)(?P<gap>(?:<span class=\"w\">)? {2,}(?:</span>)?)"
    r"(?P<comment><span class=\"c1\">.*</span>)"
)


@dataclass(frozen=True)
class Source:
    """One implementation's file of a network."""

    framework: str
    file: str  # scratch/lstm.py, with forward slashes
    parts: dict[str, str]  # empty where the file does not exist

    def lines(self) -> list[str]:
        """Return all lines that are shown; one empty line where there is no file."""
        return "\n".join(self.parts.values()).split("\n")

    def cell(self, section: str) -> tuple[str, str]:
        """Return the code of a section, or else a sentence why there is none."""
        if code := self.parts.get(section, ""):
            return code, ""
        if not self.parts:
            return "", f"{self.file} does not exist."
        if section == "backward":
            return "", _AUTOGRAD.get(self.framework, "")
        return "", _CANONICAL if section == "weights" else ""


@dataclass(frozen=True)
class SideBySide:
    """A network's sources, for `print` in a rich console and for a notebook."""

    network: str
    sources: tuple[Source, ...]
    differences: str

    @property
    def shared(self) -> str:
        """The docstring block that is word for word the same; "" if it is not."""
        blocks = {s.parts.get("shared", "") for s in self.sources if s.parts}
        return blocks.pop() if len(blocks) == 1 else ""

    def rows(self) -> Iterator[tuple[str, list[tuple[Source, str, str]]]]:
        """Heading of each section that has code, with (source, code, reason) cells."""
        headings = dict(SECTIONS)
        if not self.shared:
            headings = {"shared": "Docstrings (they should be equal)"} | headings
        for section, heading in headings.items():
            cells = [(source, *source.cell(section)) for source in self.sources]
            if any(code for _, code, _ in cells):
                yield heading, cells

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Lay out as many columns as fit, in rows by section."""
        from rich.rule import Rule
        from rich.table import Table
        from rich.text import Text

        yield Text(f"{self.network}: {len(self.sources)} sources side by side", "bold")
        if self.shared:
            yield Text(f"\n{self.shared}\n")
        summaries = Table.grid(padding=(0, 2, 0, 0))
        for source in self.sources:
            summary = source.parts.get("summary") or f"{source.file} does not exist"
            summaries.add_row(Text(source.framework, "bold"), Text(summary))
        yield summaries
        across = max(1, min(options.max_width // _NARROWEST, len(self.sources)))
        for heading, cells in self.rows():
            yield Text()
            yield Rule(Text(heading, "bold"), align="left")
            for k in range(0, len(cells), across):
                if k:
                    yield Text()
                yield _columns(cells[k : k + across], across)
        if self.differences:
            yield Text()
            yield Rule(Text("Where a framework departs", "bold"), align="left")
            yield Text(self.differences)

    def _repr_html_(self) -> str:
        """Return the page in a frame, so that its style does not leak into a notebook."""
        page = entities.escape(_page(self), quote=True)
        frame = "width:100%;height:80vh;border:1px solid #ccc"
        return f'<iframe srcdoc="{page}" sandbox="" style="{frame}"></iframe>'


def sections(path: Path) -> dict[str, str]:
    """Cut a network file into its sections; every line of code is in exactly one.

    Parameters
    ----------
    path : Path
        ``<package>/<network>.py``.

    Returns
    -------
    dict of str to str
        "summary" (the first line of the docstring), "shared" (the rest of it), "head"
        (imports and constants), "model", "backward", "loss", "weights", "workspace".
        Parts the file does not have are left out.

    Raises
    ------
    Refusal
        E040: the file is not Python.
    """
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise Refusal(
            "E040", f"not a Python source: {error}", str(path), "mend the file"
        ) from error
    summary, _, shared = (ast.get_docstring(tree) or "").partition("\n\n")
    cut = {"summary": " ".join(summary.split()), "shared": shared.strip()}
    lines = text.splitlines()
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    end = tree.body[0].end_lineno or 0 if len(body) < len(tree.body) else 0
    chunks: dict[str, list[str]] = {}
    section = "head"
    for node in body:
        section = _section(node, section)
        # The comments above a definition belong to it.
        chunks.setdefault(section, []).append("\n".join(lines[end : node.end_lineno]))
        end = node.end_lineno or end
    if rest := "\n".join(lines[end:]).strip():
        chunks.setdefault(section, []).append(f"\n{rest}")
    cut |= {
        name: "\n".join(chunks[name]).strip("\n") for name in SECTIONS if name in chunks
    }
    return {name: part for name, part in cut.items() if part}


def show(network: str, *, frameworks: str | Sequence[str] | None = None) -> SideBySide:
    """Return a network's sources side by side, printable and with notebook display.

    Parameters
    ----------
    network : str
        Name of a network, such as "lstm".
    frameworks : str or sequence of str, optional
        Short names or aliases; all four if left out.

    Raises
    ------
    Refusal
        E001: no such network; E002: no such framework.
    """
    spec = registry.spec(network)
    if not (frameworks is None or isinstance(frameworks, str)):
        frameworks = tuple(frameworks)
    names = registry.canonical(frameworks, registry.FRAMEWORKS)
    sources = tuple(_source(name, network) for name in names)
    return SideBySide(network, sources, spec.differences.strip())


def terminal(network: str, frameworks: Sequence[str]) -> RenderableType:
    """Return what a rich console prints: columns where they fit, one below the other.

    Raises
    ------
    Refusal
        E001: no such network; E002: no such framework.
    """
    return show(network, frameworks=frameworks)


def html(network: str, frameworks: Sequence[str]) -> str:
    """Return one self-contained page: no script, no network, readable from a file.

    Raises
    ------
    Refusal
        E001: no such network; E002: no such framework.
    """
    return _page(show(network, frameworks=frameworks))


def _section(node: ast.stmt, before: str) -> str:
    """Return the section of a top-level statement, by the names it defines."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        name = next((t.id for t in targets if isinstance(t, ast.Name)), "")
        if name not in ("WEIGHTS", "PLAYERS", "loss"):
            return before
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        name = node.name
    else:
        return before
    if name == "WEIGHTS":
        return "weights"
    if name == "PLAYERS" or "loss" in name:
        return "loss"
    if "workspace" in name:
        return "workspace"
    return "backward" if "backward" in name else "model"


def _source(framework: str, network: str) -> Source:
    package = registry.PACKAGES[framework]
    file = f"{package}/{network}.py"
    found = find_spec(package)  # of a top-level package: looked up, not imported
    folders = found.submodule_search_locations if found else None
    for folder in folders or ():
        path = Path(folder, f"{network}.py")
        if path.is_file():
            return Source(framework, file, sections(path))
    return Source(framework, file, {})


def _columns(cells: list[tuple[Source, str, str]], across: int) -> RenderableType:
    """One row of code columns, headed by their files."""
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="bold")
    for source, _, _ in cells:
        table.add_column(f"{source.framework} · {source.file}", ratio=1)
    for _ in range(across - len(cells)):
        table.add_column(ratio=1)
    row: list[RenderableType] = [
        Syntax(
            code,
            "python",
            theme="ansi_dark",
            word_wrap=True,
            background_color="default",
        )
        if code
        else Text(reason, "italic dim")
        for _, code, reason in cells
    ]
    table.add_row(*row)
    return table


def _page(page: SideBySide) -> str:
    from jinja2 import Environment
    from markupsafe import Markup
    from pygments.formatters import HtmlFormatter

    template = Environment(autoescape=True, trim_blocks=True).from_string(_TEMPLATE)
    rows = [
        (heading, [(s, Markup(_marked(code)), why) for s, code, why in cells])
        for heading, cells in page.rows()
    ]
    light, dark = (
        Markup(HtmlFormatter(style=style).get_style_defs(".code"))
        for style in ("xcode", "github-dark")
    )
    longest = max(len(line) for s in page.sources for line in s.lines())
    return template.render(
        page=page,
        longest=longest,
        rows=rows,
        style=Markup(_STYLE),
        light=light,
        dark=dark,
    )


def _marked(code: str) -> str:
    """Colour code; each line is a block whose trailing comment can move below it."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    if not code:
        return ""
    marked = highlight(code, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    lines = []
    for plain, line in zip(code.split("\n"), marked.split("\n"), strict=False):
        indent = len(plain) - len(plain.lstrip(" "))
        if match := _TRAILING.fullmatch(line):
            line = "<b>{code}</b><i>{gap}</i><u>{comment}</u>".format(
                **match.groupdict()
            )
        else:
            line = f"<b>{line}</b>"
        # A chain of names may break after its dots, if it must.
        line = line.replace('<span class="o">.</span>', '<span class="o">.</span><wbr>')
        lines.append(f'<span class="line" style="--indent:{indent}">{line}</span>')
    return "".join(lines)


# <b>, <i> and <u> carry no emphasis here: code, the spaces after it, its comment.
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --faint: #5c5c5c; --line: #d9d9d9;
  --paper: #fff; --shade: #f6f6f6; --width: 22rem; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .5rem; font-size: 1.6rem; }
h2 { margin: 1.6rem 0 .5rem; font-size: 1.15rem; position: sticky; left: 0;
  width: fit-content; }
h3 { margin: 0; padding: .35rem .6rem; font-size: .85rem; font-weight: 600;
  border-bottom: 1px solid var(--line); background: var(--shade); }
h3 code { font-weight: 400; color: var(--faint); }
pre, code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre { margin: 0; padding: .5rem .6rem; font-size: .74rem; line-height: 1.5; }
.shared { max-width: 60rem; overflow-x: auto; font-size: .82rem; white-space: pre;
  border: 1px solid var(--line); background: var(--shade); }
.summaries { margin: .8rem 0; padding: 0; list-style: none; }
.summaries li { display: grid; grid-template-columns: 5.2rem 1fr; }
.sheet { overflow-x: auto; scroll-snap-type: x proximity; }
.row { display: grid; gap: .6rem; min-width: calc(var(--columns) * var(--width));
  grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
.cell { border: 1px solid var(--line); min-width: 0; scroll-snap-align: start; }
.why { margin: 0; padding: .5rem .6rem; color: var(--faint); font-size: .85rem;
  font-style: italic; }
.line b, .line u { font-weight: inherit; text-decoration: none; }
.line i { font-style: normal; }
.line { display: flex; flex-wrap: wrap; min-height: 1lh; }
.line b { flex: 0 1 auto; max-width: 100%; white-space: pre-wrap;
  overflow-wrap: anywhere; padding-left: calc((var(--indent) + 4) * 1ch);
  text-indent: calc((var(--indent) + 4) * -1ch); }
.line i { flex: 1 1 0; width: 0; overflow: hidden; white-space: pre; }
.line u { flex: 0 1 auto; min-width: 15ch; max-width: 100%; margin-left: auto;
  padding-left: 1ch; white-space: pre-wrap; }
body:has(#whole:checked) { --width: calc(var(--longest) * .46rem + 1.4rem); }
body:has(#whole:checked) .line { display: block; }
body:has(#whole:checked) :is(.line b, .line i, .line u) { display: inline; padding: 0;
  white-space: pre; text-indent: 0; }
@media (max-width: 640px) { :root { --width: 86vw; } body { padding: .7rem; } }
@media print {
  @page { size: A4 landscape; margin: 10mm; }
  :root { color-scheme: light; --ink: #000; --paper: #fff; --shade: #f6f6f6; }
  body { padding: 0; font-size: 9pt; }
  pre { font-size: 7.6pt; }
  label { display: none; }
  .sheet { overflow: visible; }
  .row { min-width: 0; grid-template-columns: 1fr 1fr; }
  h2, h3 { break-after: avoid; }
  .line { break-inside: avoid; }
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
<title>{{ page.network }}: {{ page.sources | length }} sources side by side</title>
<style>
{{ style }}
{{ light }}
.code { background: var(--paper); }
@media screen and (prefers-color-scheme: dark) {
:root { --ink: #e6e6e6; --faint: #a8a8a8; --line: #3a3f45; --paper: #0d1117;
  --shade: #161b22; }
{{ dark }}
.code { background: var(--paper); }
}
</style>
</head>
<body style="--columns: {{ page.sources | length }}; --longest: {{ longest }}">
<h1>{{ page.network }}</h1>
<ul class="summaries">
{% for source in page.sources %}
<li><b>{{ source.framework }}</b>
  {{ source.parts.summary or source.file ~ " does not exist" }}</li>
{% endfor %}
</ul>
{% if page.shared %}
<pre class="shared">{{ page.shared }}</pre>
{% endif %}
<p><label><input type="checkbox" id="whole"> lines as long as in the files</label></p>
<main class="sheet" tabindex="0" aria-label="The sources">
{% for heading, cells in rows %}
<h2>{{ heading }}</h2>
<div class="row">
{% for source, code, why in cells %}
<section class="cell">
<h3>{{ source.framework }} <code>{{ source.file }}</code></h3>
{% if code %}
<pre class="code">{{ code }}</pre>
{% else %}
<p class="why">{{ why }}</p>
{% endif %}
</section>
{% endfor %}
</div>
{% endfor %}
</main>
{% if page.differences %}
<h2>Where a framework departs</h2>
<p>{{ page.differences }}</p>
{% endif %}
</body>
</html>
"""
