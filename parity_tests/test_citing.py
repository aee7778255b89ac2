"""Tables that can be cited: an id, units, n, origin; valid and escaped in every format."""

import hashlib
import html.parser
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from nn_parity import citing, compare, environment, escapes, results, tables, typeset
from parity_tests.conftest import ROOT
from parity_tests.test_verify import HOSTILE, renamed

KINDS = ("parity", "accuracy", "seeds", "summary", "parameters")
FORMATS = (*typeset.FORMATS, "bibtex")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("citing") / "run"
    return compare(
        "hiring", frameworks="scratch", epochs=2, seeds=2, speed=False, out=out
    )


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made.path, tmp_path / "run")
    return results.open_run(tmp_path / "run")


# -- what LaTeX would stumble over -------------------------------------------------------

ESCAPED = re.compile(r"\\[&%$#_{}]")


def check_latex(text):
    """Braces and environments balanced, as many cells a row as columns, no loose mark."""
    body = "\n".join(line for line in text.splitlines() if line[:1] != "%")
    bare = ESCAPED.sub("", body)
    depth = 0
    for c in bare:
        depth += (c == "{") - (c == "}")
        assert depth >= 0
    assert depth == 0
    assert not set(re.sub(r"\\\\", "", bare)) & set("$#%^_~"), "unescaped"
    opened = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+)\}", bare):
        if what == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    spec = re.search(r"\\begin\{(?:tabular|longtable)\}\{([lS]+)\}", bare)[1]
    rows = [line for line in bare.splitlines() if "&" in line and "\\\\" in line]
    assert rows
    for line in rows:
        row = line.rpartition("\\\\")[0]
        assert len(split(row)) == len(spec), line
        assert not row.lstrip().startswith(("[", "*")), "an option of the row before"
    data = [line for line in rows if not line.startswith("{")]
    for line in data:
        for kind, cell in zip(spec, split(line.rpartition("\\\\")[0]), strict=True):
            if kind == "S" and cell.strip():
                assert re.fullmatch(
                    r"-?\d+(\.\d+)?(e[+-]?\d+)?|\{.*\}", cell.strip()
                ), cell
    known = {
        "begin", "end", "caption", "label", "toprule", "midrule", "bottomrule",
        "endfirsthead", "endhead", "endfoot", "endlastfoot", "multicolumn", "usepackage",
        "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater",
        "textbar",
    }  # fmt: skip
    assert set(re.findall(r"\\([a-zA-Z]+)", bare)) <= known


def split(row):
    """Cells of a row: `&` outside braces."""
    cells, depth = [""], 0
    for c in row:
        depth += (c == "{") - (c == "}")
        if c == "&" and not depth:
            cells.append("")
        else:
            cells[-1] += c
    return cells


@pytest.mark.parametrize(
    "broken",
    [
        lambda t: t.replace("{hiring}", "{hiring", 1).replace("{epochs}", "epochs}", 1),
        lambda t: t.replace("&", "", 1),
        lambda t: t.replace("&", "& &", 1),
        lambda t: t.replace("\\end{tabular}", ""),
        lambda t: t.replace("hiring", "hiring_1"),
        lambda t: t.replace("float64", "\\input"),
        lambda t: re.sub(r"^(.*)\\\\$", r"[\1\\\\", t, flags=re.M),
        lambda t: t.replace("& 2 &", "& two &", 1),
    ],
)
def test_the_check_of_latex_can_fail(made, broken):
    text = made.table("accuracy", format="tex")
    check_latex(text)
    assert broken(text) != text
    with pytest.raises(AssertionError):
        check_latex(broken(text))


@pytest.mark.parametrize("kind", KINDS)
def test_latex_is_well_formed(made, kind):
    text = made.table(kind, format="tex")
    check_latex(text)
    long = len(tables.frame(made, kind)) > typeset.PAGE
    assert ("\\begin{longtable}" in text) == long
    packages = re.match(r"% needs \\usepackage\{(.*)\}", text)[1].split(",")
    assert {"booktabs", "siunitx"} <= set(packages)
    assert ("longtable" in packages) == long
    assert "\\toprule" in text
    assert "\\textbf" not in text


# -- hostile names -----------------------------------------------------------------------


class Reader(html.parser.HTMLParser):
    """What a browser would make of a page: tags, and the text of cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.inside = set(), [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.inside = tag in ("td", "th")
        if self.inside:
            self.cells.append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.cells[-1] += data


def markdown_cells(text):
    """Rows of a Markdown table, its escapes undone."""
    rows = []
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|:"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            plain = (re.sub(r"\\(.)", r"\1", cell.strip()) for cell in cells)
            rows.append([html.unescape(cell) for cell in plain])
    return rows


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_and_obeyed_nowhere(run, name):
    run = renamed(run, name)
    shown = escapes.plain(name)
    assert shown.isprintable()
    check_latex(run.table("accuracy", format="tex"))
    page = run.table("accuracy", format="html")
    reader = Reader(page)
    assert reader.tags <= {
        "style",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "p",
    }
    assert shown in [cell.strip() for cell in reader.cells]
    text = run.table("accuracy", format="md")
    head, *rows = markdown_cells(text)
    assert {len(row) for row in rows} == {len(head)}
    assert shown in rows[0]
    assert "<script" not in text
    assert "\x1b" not in text + page
    entry = run.table("accuracy", format="bibtex")
    assert entry.count("{") == entry.count("}")
    check_bibtex(entry)
    frame = pd.read_csv(
        __import__("io").StringIO(run.table("accuracy", format="csv")),
        dtype=str,
        keep_default_na=False,
    )
    assert set(frame["experiment"]) == {name}


@pytest.mark.parametrize("format", ["md", "tex", "html"])
def test_headings_and_captions_are_escaped_as_cells_are(format):
    hostile = HOSTILE[-1]
    table = pd.DataFrame({hostile: [hostile], "n": [1]})
    text = typeset.as_text(table, format, [hostile], title=hostile, name="x")
    if format == "tex":
        check_latex(text)
    elif format == "html":
        allowed = {"style", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
        assert Reader(text).tags <= allowed
    else:
        assert {len(row) for row in markdown_cells(text)} == {2}
        assert "<" not in text


def test_a_row_that_begins_like_an_option_is_no_option():
    text = typeset.as_text(
        pd.DataFrame({"a": ["[1]", "*", "x"], "b": [1, 2, 3]}), "tex", []
    )
    check_latex(text)
    assert "{[}1{]} & 1" in text


# -- id, units, origin -------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_id_is_the_hash_of_the_csv_and_stands_in_every_format(made, kind):
    text = made.table(kind, format="csv")
    id_ = hashlib.sha256(text.encode()).hexdigest()[:12]
    assert tables.ids(made)[kind] == id_
    for format in ("md", "tex", "html", "bibtex"):
        assert id_ in made.table(kind, format=format)
    again = results.open_run(made.path)
    for format in FORMATS:
        assert again.table(kind, format=format) == made.table(kind, format=format)


def test_another_digit_is_another_id(run):
    before = tables.ids(run)["accuracy"]
    path = run.path / "accuracy.csv"
    path.write_text(path.read_text().replace("hiring,hiring", "hiring,hirinG", 1))
    assert tables.ids(results.open_run(run.path))["accuracy"] != before


@pytest.mark.parametrize("format", ["md", "tex", "html"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_says_where_it_comes_from(made, kind, format):
    text = made.table(kind, format=format)
    known = made.environment
    for part in (
        f"Python {known['python']}",
        f"numpy {known['versions']['scratch']['numpy']}",
        known["cpu"],
        f"{known['cores']} core(s)",
        "1 thread(s)",
        "seeds 0 to 1",
        "UTC",
        known["started"][:10],
        "hiring: four candidates",
        known["blas"][0]["internal_api"],
    ):
        escaped = {"tex": escapes.latex, "html": escapes.html, "md": escapes.markdown}
        assert escaped[format](part) in text, part


def test_the_command_leaves_out_this_machines_folders(run):
    words = "nn-parity compare mnist --data y/mnist --out a/b --resume"
    words += " --weights=/y/w.npz --seeds 5 --set 'hidden=16 16' -o b --json"
    run.environment["command"] = words
    assert citing.command(run) == (
        "nn-parity compare mnist --data mnist --weights=w.npz --seeds 5 "
        "--set 'hidden=16 16'"
    )
    run.environment["command"] = "from Python: nn_parity.compare"
    assert citing.command(run) == "from Python: nn_parity.compare"


@pytest.mark.parametrize(
    ("column", "heading"),
    [
        ("step_ms", "step (ms)"),
        ("step_ms_q1", "step q1 (ms)"),
        ("peak_rss_mib", "peak rss (MiB)"),
        ("examples_per_s", "examples per s"),
        ("error_u", "error (u)"),
        ("ratio_to_scratch", "ratio to scratch"),
        ("n_test", "n (test)"),
        ("scratch", "scratch"),
        ("A_b", "A_b"),
    ],
)
def test_headings_name_the_unit(column, heading):
    assert typeset.heading(column) == heading


def test_no_two_columns_of_a_table_have_one_heading(made):
    from nn_parity import verifying

    for _, (columns, _, _) in verifying._tables().items():
        headings = [typeset.heading(column) for column in columns]
        assert len(set(headings)) == len(headings)


def test_a_column_in_which_nothing_stands_is_left_out_but_for_the_csv(made):
    assert (made.cells("accuracy")["reason"] == "").all()
    assert "reason" not in made.table("accuracy", format="md")
    assert "reason" in made.table("accuracy", format="csv")


def test_speed_names_no_winner():
    assert "name no winner" in citing.MEANINGS["speed"]
    for kind in tables.KINDS:
        assert kind in citing.TITLES
        assert kind in citing.MEANINGS


# -- BibTeX ------------------------------------------------------------------------------


def check_bibtex(text):
    """One entry; its braces, escaped or not, are balanced in every field."""
    assert re.match(r"@misc\{[A-Za-z0-9-]+,\n", text)
    fields = re.findall(r"^  (\w+) = \{(.*)\},$", text, flags=re.M)
    assert len(fields) == text.count(" = {")
    for _, value in fields:
        depth = 0
        for c in value:
            depth += (c == "{") - (c == "}")
            assert depth >= 0
        assert depth == 0
    return dict(fields)


def test_an_entry_names_authors_title_version_and_table(made):
    fields = check_bibtex(made.table("seeds", format="bibtex"))
    known = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    author = re.search(r"name: (.*)", known)[1]
    title = re.search(r'title: "(.*)"', known)[1]
    version = re.search(r"^version: (.*)", known, flags=re.M)[1]
    assert fields["author"] == f"{{{author}}}"
    assert fields["title"].startswith(
        f"{{{title}}}. Accuracy over seeds: hiring (table "
    )
    assert fields["version"].startswith(f"{version}, commit ")
    assert fields["year"] == made.environment["started"][:4]
    assert "nn-parity" in fields["howpublished"] or "Python" in fields["howpublished"]


def test_citation_is_read_with_several_authors_and_notes():
    text = """# a comment
cff-version: 1.2.0
title: "A: b"
authors:
  - family-names: Curie
    given-names: Marie
    affiliation: "Paris: Sorbonne"
  - name: The others
version: 2.0
repository-code: https://example.org/x
abstract: >-
  title: not this one
"""
    found = citing._of_cff(text)
    assert found["title"] == "A: b"
    assert found["authors"] == ["Marie Curie", "The others"]
    assert found["version"] == "2.0"
    assert found["repository-code"] == "https://example.org/x"


def test_without_the_file_the_package_is_cited(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(citing, "__file__", str(tmp_path / "citing.py"))
    about = {"Author": None, "Version": "9"}
    monkeypatch.setattr(citing.metadata, "metadata", lambda name: about)
    assert citing.citation()["authors"] == ["The nn-parity authors"]
    assert citing.citation()["version"] == "9"


# -- environment.json --------------------------------------------------------------------


def test_the_environment_says_all_that_a_result_depends_on(made):
    known = json.loads((made.path / "environment.json").read_text())
    for key in (
        "schema", "nn_parity", "started", "command", "commit", "dirty", "python", "cpu",
        "cores", "os", "architecture", "machine", "platform", "memory_gib", "blas",
        "versions", "settings", "threads", "seed", "seeds", "datasets", "cases",
        "source_sha256", "suite_sha256",
    ):  # fmt: skip
        assert known[key] not in (None, {}, []), key
    assert known["dirty"] == known["commit"].endswith("+")
    assert all(b["internal_api"] and b["version"] for b in known["blas"])
    assert known["started"].endswith("+00:00")
    assert known["settings"]["OMP_NUM_THREADS"] == "1"
    assert len(known["datasets"]["hiring"]["sha256"]) == 64
    for case in known["cases"]:
        assert len(case["weights_sha256"]) == 64
        assert case["seeds"][0] in known["seeds"]
    assert known["cores"] == environment.cores()
    assert known["memory_gib"] > 0.1


def test_a_machine_has_one_id_that_tells_it_from_others(monkeypatch):
    own = environment.machine_id()
    assert own == environment.machine_id()
    assert not own.isdecimal()
    for part in ("cpu", "cores"):
        with monkeypatch.context() as patch:
            patch.setattr(environment, part, lambda: "another")
            assert environment.machine_id() != own


def test_numbers_for_the_eye_keep_six_digits():
    shown = [typeset.number(v) for v in (1234567, 0.1 + 0.2, 1e-12, "12560", "", None)]
    assert shown == ["1,234,567", "0.3", "1e-12", "12,560", "", ""]
    assert typeset.number(np.nan) == ""
    assert typeset.number("nan") == "NaN"
