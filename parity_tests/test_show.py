"""The sources side by side: every line once, nothing imported, hostile text inert."""

import io
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from nn_parity import registry, show
from nn_parity.errors import USAGE, Refusal

ROOT = Path(show.__file__).parents[1]
FOUR = registry.FRAMEWORKS
EVIL = (
    '</pre><script>alert(1)</script><img src=x onerror="alert(2)"> {{ 7 * 7 }} & [red]'
)
CODE = show.SECTIONS


class Page(HTMLParser):
    """Tags, attributes and the lines of code of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.names, self.targets = Counter(), set(), []
        self.code, self.words, self._style, self._span = [], "", False, 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.names |= {name for name, _ in attrs}
        self.targets += [
            v for k, v in attrs if k in ("src", "href", "srcset", "action")
        ]
        given = dict(attrs)
        self._style = tag == "style"
        if tag == "pre" and given.get("class") == "code":
            self.code.append([])
        if tag == "span":
            self._span += 1
            if given.get("class") == "line":
                self.code[-1].append("")
                self._span = 1

    def handle_endtag(self, tag):
        self._style = False
        if tag == "span":
            self._span -= 1

    def handle_data(self, data):
        if self._style:
            return
        self.words += data
        if self._span:
            self.code[-1][-1] += data


@pytest.fixture(params=registry.networks())
def network(request):
    return request.param


def written(renderable, width):
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(renderable)
    return stream.getvalue()


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """An implementation of lstm whose every part is an attack."""
    folder = tmp_path / "evil_impl"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('imported')\n")
    source = f"'''{EVIL}\n\n{EVIL}\n'''\n\n# {EVIL}\nINPUTS = '''{EVIL}'''\n"
    source += f"def forward(x):  # {EVIL}\n    return x   # {EVIL}\nWEIGHTS = ()\n"
    (folder / "lstm.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.PACKAGES, "torch", "evil_impl")
    spec = replace(registry.spec("lstm"), differences=EVIL)
    monkeypatch.setattr(registry, "spec", lambda network: spec)
    return folder / "lstm.py"


@pytest.mark.parametrize("framework", FOUR)
def test_every_line_of_code_is_in_exactly_one_section(network, framework):
    path = ROOT / registry.PACKAGES[framework] / f"{network}.py"
    cut = show.sections(path)
    lines = path.read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
    shown = [line for name in CODE for line in cut.get(name, "").splitlines()]
    assert Counter(filter(None, shown)) == Counter(filter(None, lines))
    assert {"summary", "shared", "head", "model", "loss"} <= set(cut)
    assert ("backward" in cut) == (framework == "scratch")
    assert ("weights" in cut) == (framework in ("torch", "keras"))


def test_the_shared_block_is_the_same_and_shown_once(network):
    page = show.show(network)
    assert page.shared.startswith("Source\n------")
    assert show.html(network, FOUR).count("Equations\n---------") == 1
    assert written(show.terminal(network, FOUR), 400).count("Equations\n---------") == 1


def test_sections_go_by_what_a_definition_is(tmp_path):
    path = tmp_path / "gan.py"
    path.write_text(
        '"""One line\nin two.\n\nShared.\n"""\n'
        "import numpy\n"
        "EPS = 1e-5\n"
        "\n"
        "# about the model\n"
        "@decorated\n"
        "def generator_forward(z):\n    return z\n"
        "def generator_backward(dz):\n    return dz\n"
        "def critic_loss(outputs):\n    return 0\n"
        "PLAYERS = {}\n"
        "def make_workspace(B):\n    return B\n"
        "# about the weights\n"
        "WEIGHTS: tuple = ()\n"
        "# the end\n"
    )
    assert show.sections(path) == {
        "summary": "One line in two.",
        "shared": "Shared.",
        "head": "import numpy\nEPS = 1e-5",
        "model": "# about the model\n@decorated\ndef generator_forward(z):\n    return z",
        "backward": "def generator_backward(dz):\n    return dz",
        "loss": "def critic_loss(outputs):\n    return 0\nPLAYERS = {}",
        "weights": "# about the weights\nWEIGHTS: tuple = ()\n\n# the end",
        "workspace": "def make_workspace(B):\n    return B",
    }


def test_the_page_holds_every_line_as_it_is(network):
    page = Page(show.html(network, FOUR))
    cells = [cell for _, row in show.show(network).rows() for cell in row]
    expected = [code.split("\n") for _, code, _ in cells if code]
    assert page.code == expected
    for _, code, reason in cells:
        assert code or reason == "" or reason in page.words
    assert show.html(network, FOUR) == show.html(network, FOUR)


def test_the_page_needs_no_network_and_no_script(network):
    text = show.html(network, FOUR)
    page = Page(text)
    assert not page.targets
    assert not page.tags.keys() & {"script", "link", "img", "iframe", "object", "base"}
    assert not [name for name in page.names if name.startswith("on")]
    assert "@import" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert "@media print" in text


def test_hostile_text_is_only_text(evil):
    text = show.html("lstm", FOUR)
    page = Page(text)
    assert not page.tags.keys() & {"script", "img"}
    assert "onerror" not in page.names
    # Docstrings (they differ now), comment, string, two trailing comments, differences.
    assert page.words.count(EVIL) == 7
    assert [f"def forward(x):  # {EVIL}", f"    return x   # {EVIL}"] in page.code
    # Nor does the terminal take it for markup.
    assert written(show.terminal("lstm", FOUR), 400).count("[red]") == 7
    outer = Page(show.show("lstm")._repr_html_())
    assert outer.tags == {"iframe": 1}
    assert "sandbox" in outer.names


def test_docstrings_that_differ_are_shown_one_by_one(evil):
    evil.write_text(evil.read_text().replace(EVIL, "Other."))
    page = show.show("lstm")
    assert page.shared == ""
    heading, cells = next(page.rows())
    assert "should be equal" in heading
    assert [code.split("\n")[0] for _, code, _ in cells] == [
        "Source",
        "Other.",
        "Source",
        "Source",
    ]


def test_the_terminal_uses_the_columns_it_has(network):
    for width, across in ((80, 1), (160, 2), (300, 4)):
        text = written(show.terminal(network, FOUR), width)
        assert max(map(len, text.splitlines())) <= width
        model = text[text.index("Model ") :].splitlines()
        heads = [line for line in model if f"{registry.PACKAGES['scratch']}/" in line]
        assert heads[0].count(" · ") == across
        for framework in FOUR:
            assert f"{framework} · {registry.PACKAGES[framework]}/{network}.py" in text
    wide = written(show.terminal(network, FOUR), 500)
    for framework in FOUR:
        for name, part in (
            show.show(network).sources[FOUR.index(framework)].parts.items()
        ):
            lines = part.splitlines()
            assert all(line in wide for line in lines), (framework, name)


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setitem(registry.PACKAGES, "keras", "no_such_package")
    text = written(show.terminal("lstm", FOUR), 300)
    assert "no_such_package/lstm.py does not exist." in text
    page = Page(show.html("lstm", FOUR))
    assert "no_such_package/lstm.py does not exist." in page.words
    assert show.show("lstm").shared
    alone = Page(show.html("lstm", ["torch"]))
    assert "torch.autograd" not in alone.words  # no row without any code
    assert "torch.autograd" in Page(show.html("lstm", ["np", "pytorch"])).words


def test_the_differences_of_the_spec_are_shown():
    differences = registry.spec("lstm").differences
    assert differences
    words = " ".join(Page(show.html("lstm", FOUR)).words.split())
    assert " ".join(differences.split()) in words
    text = " ".join(written(show.terminal("lstm", FOUR), 120).split())
    assert " ".join(differences.split()) in text


def test_unknown_names_are_refused_with_the_nearest():
    for call in (show.html, show.terminal):
        with pytest.raises(Refusal, match="did you mean 'lstm'") as refused:
            call("lsmt", FOUR)
        assert (refused.value.code, refused.value.exit_code) == ("E001", USAGE)
        with pytest.raises(Refusal, match="did you mean 'keras'") as refused:
            call("lstm", ["kera"])
        assert refused.value.code == "E002"
    with pytest.raises(Refusal, match="E001"):
        show.show("../scratch/lstm")
    with pytest.raises(Refusal, match="E003"):
        show.show("lstm", frameworks=[])


def test_a_file_that_is_no_python_is_refused(evil):
    evil.write_text("def forward(:\n")
    with pytest.raises(Refusal, match="not a Python source") as refused:
        show.show("lstm")
    assert refused.value.code == "E040"


def test_no_framework_is_imported():
    script = (
        "import sys, io\n"
        "from rich.console import Console\n"
        "from nn_parity import show\n"
        "heavy = {'jinja2', 'pygments.formatters', 'matplotlib', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "page = show.show('lstm')\n"
        "Console(file=io.StringIO(), width=200).print(page)\n"
        "page._repr_html_()\n"
        "taboo = {'torch', 'keras', 'tensorflow', 'jax', 'scratch', 'torch_impl',\n"
        "         'keras_impl', 'jax_impl', 'matplotlib', 'pandas'}\n"
        "assert not taboo & set(sys.modules), taboo & set(sys.modules)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
