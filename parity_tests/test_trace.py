"""One training step in full: what is shown adds up, in every column and in every formula."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from nn_parity import chain_rule, errors, one_step, recipes, registry, trace, tracing
from nn_parity import trace_page as page
from nn_parity.errors import Refusal
from nn_parity.tolerances import U
from parity_tests.conftest import INSTALLED, OTHERS

SMALL = (
    ("hiring", None),
    ("xor", None),
    ("logic-gates", "xor"),
    ("learning-neuron", "x"),
)
STEP = 3


@pytest.fixture(scope="module")
def traces():
    """A step of each small experiment, taken apart in every installed framework."""
    return {
        name: tracing.taken_apart(name, part=part, step=STEP, frameworks=INSTALLED)
        for name, part in SMALL
    }


@pytest.fixture(scope="module")
def table():
    """Rows of scratch alone, made in this process: (experiment, settings) -> Table."""

    def build(experiment, settings, *, step=2, part=None, spoil=None):
        cases = recipes.cases(experiment, changes=settings, seed=0)
        case, _ = recipes.chosen_part(cases, part)
        said = one_step.record(case, "scratch", "float64", step, lambda text: None)
        arrays = {name: np.array(value) for name, value in said["arrays"].items()}
        columns = {"scratch": arrays}
        if spoil:
            name, factor = spoil
            columns["torch"] = arrays | {name: arrays[name] * factor}
        whole = {
            framework: own | chain_rule.derived(own, case, said["lr"])
            for framework, own in columns.items()
        }
        numbers = tracing.numbered(tracing.equations(case.network))
        return chain_rule.Table(case, numbers, whole, lr=said["lr"], u=U["float64"])

    return build


def rows_of(table):
    return [row for section in table.sections() for row in section.rows]


def tensors(frame, framework):
    """Tensor -> its elements in one column."""
    return {
        name: part[framework].to_numpy()
        for name, part in frame.groupby("tensor", sort=False)
    }


# -- every column by itself ------------------------------------------------------------


@pytest.mark.parametrize(("name", "part"), SMALL)
def test_the_chain_rule_gives_what_every_framework_returns(traces, name, part):
    frame = traces[name].frame
    assert list(frame.columns) == [
        "equation", "quantity", "tensor", "index", "formula", *INSTALLED, "error_u",
    ]  # fmt: skip
    for framework in INSTALLED:
        own = tensors(frame, framework)
        returned = [t for t in own if t.endswith(" returned")]
        assert len(returned) >= 2
        for tensor in returned:
            product = own[tensor.removesuffix(" returned")]
            scale = np.abs(product).max()
            assert scale > 0
            assert np.abs(own[tensor] - product).max() <= 64 * U["float64"] * scale


@pytest.mark.parametrize(("name", "part"), SMALL)
def test_a_new_weight_is_the_old_one_less_lr_times_the_gradient(traces, name, part):
    frame, lr = traces[name].frame, traces[name].case.recipe["lr"]
    for framework in INSTALLED:
        own = tensors(frame, framework)
        moved = [t.removesuffix(" new") for t in own if t.endswith(" new")]
        assert moved
        for W in moved:
            want = own[W] - lr * own[f"dL/d{W} returned"]
            assert not np.array_equal(want, own[W])
            terms = np.maximum(np.abs(own[W]), np.abs(want)).max()
            assert np.abs(own[f"{W} new"] - want).max() <= 4 * U["float64"] * terms


def test_the_errors_shown_stay_where_float64_allows(traces):
    for name, taken in traces.items():
        assert taken.exit_code == errors.OK
        assert taken.failures == {}
        assert len(taken.rows) == len(taken.frame) > 15
        # a few u in each tensor, times what p - y and b - lr * g cancel
        assert taken.widest.error_u < 1000, (name, taken.widest)
        assert f"{taken.widest.error_u:.2g}" in taken.captions[-1]


def test_columns_are_measured_one_by_one(traces):
    if OTHERS:
        frame = traces["hiring"].frame
        same = [(frame[f] == frame["scratch"]).all() for f in OTHERS]
        assert not all(same)  # not one column printed four times


def test_the_next_step_begins_with_the_new_weights():
    before = trace("hiring", step=6, frameworks="scratch")
    after = trace("hiring", step=7, frameworks="scratch")
    old, new = tensors(before, "scratch"), tensors(after, "scratch")
    for name in ("W_1", "b_1", "W_2", "b_2"):
        assert (old[f"{name} new"] == new[name]).all()
    assert tensors(trace("hiring", frameworks="scratch"), "scratch")["b_1"].tolist() == [
        0, 0,
    ]  # fmt: skip


def test_a_training_step_of_the_course_by_hand(traces):
    """The 2-2-1 network written out once more, in scalars."""
    v = {row.quantity: row.values["scratch"] for row in traces["hiring"].rows}
    h = []
    for j in (0, 1):
        z = v["x[0]"] * v[f"W_1[0,{j}]"] + v["x[1]"] * v[f"W_1[1,{j}]"] + v[f"b_1[{j}]"]
        h.append(1 / (1 + np.exp(-z)))
    z = h[0] * v["W_2[0,0]"] + h[1] * v["W_2[1,0]"] + v["b_2[0]"]
    p = 1 / (1 + np.exp(-z))
    delta = 2 * (p - v["y[0]"]) * p * (1 - p)
    back = [delta * v[f"W_2[{j},0]"] * h[j] * (1 - h[j]) for j in (0, 1)]
    want = {"loss": (p - v["y[0]"]) ** 2, "dL/dz_2[0]": delta}
    for j in (0, 1):
        want |= {f"dL/dz_1[{j}]": back[j], f"dL/dW_2[{j},0] returned": delta * h[j]}
        for i in (0, 1):
            want[f"dL/dW_1[{i},{j}]"] = v[f"x[{i}]"] * back[j]
    for quantity, value in want.items():
        assert v[quantity] == pytest.approx(value, rel=1e-12), quantity


# -- formulas --------------------------------------------------------------------------

VARIED = (
    ("hiring", {}),
    ("hiring", {"batch_size": 3, "activation": "relu", "loss": "mse"}),
    ("hiring", {"activation": "arctan", "hidden": "5"}),
    ("xor", {"loss": "bce", "batch_size": 2, "activation": "softplus"}),
    ("learning-neuron", {}),
    ("sine", {"optimizer": "sgd"}),
)


@pytest.mark.parametrize(("experiment", "settings"), VARIED)
def test_formulas_say_what_was_computed(table, experiment, settings):
    """Names replaced by values, and the numbers as they are printed, give the number."""
    rows = rows_of(table(experiment, settings))
    known = {row.quantity: float(row.values["scratch"]) for row in rows}
    names = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))))
    checked = 0
    for row in rows:
        symbols, equals, numbers = row.formula.partition(" = ")
        if not equals or "sigmoid(" in row.formula:
            continue
        python = {"e^-": "2.718281828459045**-", "lr": "LR"}
        for old, new in python.items():
            symbols, numbers = symbols.replace(old, new), numbers.replace(old, new)
        exact = names.sub(lambda found: f"({known[found[0]]!r})", symbols)
        lr = {"LR": recipes.cases(experiment, changes={}, seed=0)[0][0].recipe["lr"]}
        want = float(row.values["scratch"])
        assert eval(exact, lr) == pytest.approx(want, rel=1e-9, abs=1e-12), row  # noqa: S307
        assert eval(numbers, lr) == pytest.approx(want, rel=1e-3, abs=1e-5), row  # noqa: S307
        checked += 1
    assert checked > 5


def test_equations_carry_the_numbers_of_the_docstring(traces):
    taken = traces["xor"]
    numbers = {row.quantity: row.equation for row in taken.rows}
    assert "z_l = h_(l-1) W_l + b_l" in taken.equations
    assert numbers["x[0]"] == "(1)"
    assert (
        numbers["z_2[0]"] == numbers["dL/dW_2[1,0]"] == numbers["dL/dh_1[1]"] == "(2)"
    )
    assert numbers["h_1[0]"] == numbers["f'(z_1)[0]"] == numbers["dL/dz_2[0]"] == "(3)"
    assert numbers["prediction[0]"] == "(3)(4)"
    assert numbers["loss"] == numbers["W_1[0,0] new"] == numbers["y[0]"] == ""
    neuron = {row.quantity: row.equation for row in traces["logic-gates"].rows}
    assert neuron["z[0]"] == neuron["dL/dW[1,0] returned"] == "(1)"
    assert neuron["prediction[0]"] == neuron["f'(z)[0]"] == neuron["dL/dz[0]"] == "(2)"


# -- what is wrong is seen ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "seen", "unseen"),
    [
        ("dL/dW_1 returned", {"dL/dW_1 returned", "W_1 new"}, {"dL/dW_1", "dL/dz_1"}),
        (
            "h_1",
            {"h_1", "f'(z_1)", "dL/dz_1", "dL/dW_2", "dL/dW_1"},
            {"z_1", "W_1 new"},
        ),
        ("W_2 new", {"W_2 new"}, {"W_2", "dL/dW_2 returned", "W_1 new"}),
        ("loss", {"loss"}, {"prediction", "dL/dprediction"}),
    ],
)
def test_a_framework_that_is_off_is_named_at_its_own_rows(table, spoil, seen, unseen):
    rows = rows_of(table("hiring", {}, spoil=(spoil, 1 + 1e-6)))
    worst = {}
    for row in rows:
        worst[row.tensor] = max(worst.get(row.tensor, 0), row.error_u)
        assert row.error_u < 1000 or row.widest == "torch"
    assert min(worst[name] for name in seen) > 1e7
    assert max(worst[name] for name in unseen) < 1000


def test_no_number_is_an_infinite_difference(table):
    rows = rows_of(table("hiring", {}, spoil=("W_2 new", np.nan)))
    assert {row.tensor for row in rows if np.isinf(row.error_u)} == {"W_2 new"}


def test_moments_stand_beside_the_weights_that_they_move(table):
    rows = rows_of(table("hiring", {"optimizer": "adam"}))
    quantities = [row.quantity for row in rows]
    at = quantities.index("m/W_1[0,1]")
    assert quantities[at : at + 5] == [
        "m/W_1[0,1]", "m/W_1[0,1] new", "v/W_1[0,1]", "v/W_1[0,1] new", "W_1[0,1] new",
    ]  # fmt: skip
    values = {row.quantity: row.values["scratch"] for row in rows}
    g = values["dL/dW_1[0,1] returned"]
    assert values["m/W_1[0,1] new"] == pytest.approx(
        0.9 * values["m/W_1[0,1]"] + 0.1 * g, rel=1e-12
    )


# -- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("experiment", "options", "words"),
    [
        ("hiring", {"step": -1}, ["no step -1", "0 to 3999"]),
        ("hiring", {"step": 4000}, ["no step 4000", "4,000 steps", "epochs"]),
        ("hiring", {"step": 1.5}, ["no step 1.5"]),
        ("hiring", {"step": True}, ["no step True"]),
        ("hiring", {"settings": {"hidden": 900}}, ["numbers", "--set hidden=2", "xor"]),
        ("digits", {}, ["84,136 numbers in each column", "hiring or xor"]),
        ("digits-rows", {}, ["lstm", "neuron or mlp"]),
        ("logic-gates", {"part": "or-by-hand"}, ["not trained", "--part"]),
        ("logic-gates", {"part": "nor"}, ["no part 'nor'", "or-by-hand"]),
        ("hiring", {"settings": {"patience": 2}}, ["patience"]),
        ("hiring", {"dtype": "both"}, ["no dtype 'both'", "float32"]),
        ("hiring", {"frameworks": "pytroch"}, ["pytorch"]),
        ("hiring", {"weights": "nowhere.npz"}, ["nowhere.npz"]),
        ("hirng", {}, ["did you mean 'hiring'?"]),
    ],
)
def test_refusals_are_one_line_with_a_cure(experiment, options, words):
    with pytest.raises(Refusal) as refused:
        trace(experiment, **options)
    assert "\n" not in str(refused.value)
    for word in words:
        assert word in str(refused.value)


def test_what_diverged_before_the_step_is_refused():
    with pytest.raises(Refusal, match="training diverged at step"):
        trace("learning-neuron", step=90, settings={"lr": 1e200}, frameworks="scratch")


def test_a_framework_that_is_absent_leaves_its_column_empty(monkeypatch):
    monkeypatch.setattr(registry, "missing", lambda f: () if f == "scratch" else (f,))
    taken = tracing.taken_apart("hiring")
    assert taken.frame["jax"].isna().all()
    assert taken.frame["scratch"].notna().all()
    assert any(line.startswith("jax: not installed") for line in taken.captions)
    assert "jax: not installed" in page.html(taken)
    assert {row["jax"] for row in page.plain(taken)["rows"]} == {None}
    with pytest.raises(Refusal, match="E301"):
        trace("hiring", frameworks="jax")


# -- what is printed -------------------------------------------------------------------


class Page(HTMLParser):
    """Refuses tags that do not match; keeps the words and what is outside the page."""

    VOID = ("meta", "br", "wbr")

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.tags, self.names = [], [], set(), set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)


@pytest.mark.parametrize(("name", "part"), SMALL)
def test_the_page_is_well_formed_and_names_the_equations(traces, name, part):
    taken = traces[name]
    read = Page(page.html(taken))
    words = "".join(read.words)
    assert read.tags.isdisjoint({"script", "link", "img", "iframe"})
    assert read.names.isdisjoint({"src", "href", "onclick"})
    for line in taken.equations.splitlines():
        assert line in words
    for row in taken.rows:
        assert row.quantity in words
        assert row.formula in words
        for value in row.values.values():
            assert str(value) in words
    titles = [section.title for section in taken.sections]
    assert [words.index(f"\n{title}\n") for title in titles] == sorted(
        words.index(f"\n{title}\n") for title in titles
    )
    assert titles[1].startswith("Forward, layer 1")
    assert titles[-2].startswith("Backward, layer 1")


def test_a_table_keeps_every_digit(traces):
    taken = traces["hiring"]
    frame = taken.frame
    read = list(csv.DictReader(io.StringIO(page.as_text(taken, "csv"))))
    for framework in INSTALLED:
        assert [float(row[framework]) for row in read] == frame[framework].tolist()
        plain = page.plain(taken)["rows"]
        assert [row[framework] for row in plain] == frame[framework].tolist()
        for format in ("md", "tex"):
            text = page.as_text(taken, format)
            assert all(str(value) in text for value in frame[framework])


def test_a_narrow_terminal_rounds_and_never_cuts(traces):
    taken = traces["hiring"]
    shown = {}
    for width in (80, 120, 240):
        console = Console(width=width, force_terminal=True, color_system=None)
        shown[width] = page.printed(taken, console)
    smallest = min(abs(row.values["scratch"]) for row in taken.rows)
    assert 0 < smallest < 1e-5
    power = f"{smallest:e}".partition("e")[2]
    for width, text in shown.items():
        assert f"e{power}" in text
        assert "…" not in text
        assert (" * " in text) == (width == 240)


def test_the_command_prints_the_step(cli, tmp_path):
    done = cli("trace", "hiring", "--step", 3, "--frameworks", "numpy")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Step 3 of hiring"
    assert "h_l = f_l(z_l)" in done.stdout
    (line,) = (ln for ln in lines if re.match(r"\(2\) +dL/dW_1\[0,1\] +-?\d", ln))
    assert "x[0] * dL/dz_1[1] = 8 * " in line
    assert lines[-1].startswith("largest difference over everything: ")
    assert not any(line.endswith(" ") for line in lines)
    arguments = ("trace", "xor", "--frameworks", "numpy", "--dtype", "float32")
    done = cli(*arguments, "--json")
    said = json.loads(done.stdout)
    assert said["dtype"] == "float32"
    assert said["rows"][0]["quantity"] == "x[0]"
    done = cli(*arguments, "--format", "html", "--out", "page.html")
    assert done.returncode == 0, done.stderr
    Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    done = cli(*arguments, "--format", "html", "--out", "page.html")
    assert done.returncode == errors.USAGE
    assert "--force" in done.stderr
    assert cli("trace", "hiring", "--step", "-1").returncode == errors.USAGE
