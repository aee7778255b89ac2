"""Figures: what is drawn is what was given, words do not collide, bytes repeat."""

import functools
import hashlib
import itertools
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nn_parity import figures
from nn_parity.figures.labels import number, power, spread
from nn_parity.figures.style import LOOKS, NEGATIVE, POSITIVE, looks

ROOT = Path(figures.__file__).parents[2]
FOUR = ("scratch", "torch", "keras", "jax")
X2 = np.array([[-9, 0], [11, -2], [-10, -3], [8, 5.0]])


def run(steps=100, u=1.1e-16, grow=0.0):
    """Four curves that differ by a few roundings, with many exact zeros between."""
    rng = np.random.default_rng(0)
    base = 2.2 * np.exp(-np.arange(steps) / 30) + 0.1 + 0.02 * rng.random(steps)
    curves = {"scratch": base}
    for framework in FOUR[1:]:
        ticks = rng.integers(-4, 5, steps) * (1 + grow * np.arange(steps))
        curves[framework] = base + ticks * u * base * (rng.random(steps) > 0.3)
    return curves


@functools.cache
def loss_float64():
    return figures.loss_curves(run(), title="float64", gate=1e-10, gated_steps=None)


@functools.cache
def loss_float32():
    curves = run(2250, 6e-8, grow=0.05)
    return figures.loss_curves(curves, title="float32", gate=1e-5, gated_steps=30)


@functools.cache
def loss_equal():
    curves = dict.fromkeys(FOUR, run()["scratch"])
    return figures.loss_curves(curves, title="equal", gate=1e-10, gated_steps=None)


@functools.cache
def loss_broken():
    curves = run(40)
    curves["torch"] = curves["torch"] + np.linspace(0, 0.3, 40)
    curves["keras"] = curves["keras"][:25]
    curves["jax"][12:] = np.nan
    return figures.loss_curves(curves, title="broken", gate=1e-10, gated_steps=35)


@functools.cache
def loss_epochs():
    return figures.loss_curves(
        run(3), title="epochs", gate=None, gated_steps=None, x_label="epoch"
    )


@functools.cache
def loss_without_scratch():
    curves = {name: run()[name] for name in ("torch", "keras")}
    return figures.loss_curves(curves, title="alone", gate=1e-10, gated_steps=None)


@functools.cache
def parts_eleven():
    """As many parts as `activations` has, some ending early, one at exactly zero."""
    epochs = np.arange(1, 31)
    losses = {f"part-{k}": 2.3 * np.exp(-epochs / (3 + 4 * k)) for k in range(11)}
    losses["part-3"] = losses["part-3"][:12]
    losses["part-5"] = np.append(losses["part-5"][:-1], 0)
    return figures.compared_trainings(losses, {}, title="eleven")


@functools.cache
def parts_watched():
    curves = {f: run(60)["scratch"] * scale for f, scale in (("l1", 1), ("none", 0.3))}
    return figures.compared_trainings(curves, curves, title="watched")


def nine_shapes():
    """Measured shapes of the nine derivatives, in the course's layout and a framework's."""
    from nn_parity.figures.jacobians import COURSE, FRAMEWORKS

    sizes = {"m": 5, "l": 2, "n": 4, "k": 3, "1": 1}
    return tuple(
        {name: tuple(sizes[axis] for axis in axes) for name, axes in layout.items()}
        for layout in (COURSE, FRAMEWORKS)
    )


@functools.cache
def jacobians():
    course, framework = nine_shapes()
    both = dict.fromkeys(FOUR, framework)
    return figures.jacobian_table(course, both, title="nine derivatives")


def labels():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 10, 360)
    return truth, np.where(rng.random(360) < 0.05, rng.integers(0, 10, 360), truth)


@functools.cache
def confusion():
    return figures.confusion_matrix(*labels(), range(10), title="digits")


@functools.cache
def confusion_words():
    names = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat"]
    names += ["Sandal", "Shirt", "Sneaker", "Bag", "Boot"]
    truth, said = (np.repeat(y, 30) for y in labels())
    return figures.confusion_matrix(truth, said, names, title="fashion")


def first_layer():
    W = np.random.default_rng(2).standard_normal((784, 16))
    W[3, 5] = 6.0  # the largest is positive, and there is only one of its size
    return W


@functools.cache
def weights():
    return figures.first_layer_weights(first_layer(), (28, 28), title="weights")


@functools.cache
def weights_few():
    W = np.random.default_rng(2).standard_normal((35, 3))
    return figures.first_layer_weights(W, (5, 7), title="weights")


def pictures():
    rng = np.random.default_rng(3)
    truth, said = labels()
    predictions = {framework: said.copy() for framework in FOUR}
    predictions["jax"][5] = (truth[5] + 1) % 10
    predictions["keras"][7] = predictions["jax"][7] = (truth[7] + 1) % 10
    predictions["torch"][9], predictions["keras"][9] = (truth[9] + [1, 2]) % 10
    predictions["jax"][9] = (truth[9] + 3) % 10
    return rng.random((360, 8, 8)), truth, predictions


@functools.cache
def wrong():
    return figures.misclassified(*pictures(), title="misclassified")


@functools.cache
def wrong_none():
    images, truth, _ = pictures()
    return figures.misclassified(images, truth, {"scratch": truth}, title="none")


def sigmoid_of_sum(x):
    return 1 / (1 + np.exp(-0.4 * x.sum(axis=1)))


@functools.cache
def region():
    return figures.decision_region(
        sigmoid_of_sum,
        X2,
        [0, 1, 0, 1],
        {"(−7, 0)": (-7, 0), "(10, −6)": (10, -6)},
        title="hiring",
        extent=(-14, 14, -9, 9),
        x_label="experience, centred (years)",
        y_label="score, centred (points)",
        classes=["rejected", "hired"],
    )


@functools.cache
def region_corners():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]])
    grid = np.add.outer(np.linspace(0, 0.5, 5), np.linspace(0, 0.25, 3))  # (y, x)
    return figures.decision_region(
        grid, corners, [0, 1, 1, 0], corners, title="corners", extent=(0, 1, 0, 1)
    )


PARAMS = {
    "W_1": [[0.8, -0.6], [0.5, 0.9]],
    "b_1": [0.1, -0.3],
    "W_2": [[3.1], [-2.2]],
    "b_2": [-0.34],
}


@functools.cache
def diagram():
    return figures.network_diagram(
        PARAMS,
        ("sigmoid", "sigmoid"),
        title="2-2-1",
        input_names=["experience", "score"],
        output_names=["hired"],
    )


@functools.cache
def diagram_neuron():
    params = {"W": [[4.87], [-0.003], [0.0]], "b": [-2.4]}
    return figures.network_diagram(params, ("sigmoid",), title="3-1")


def layered_params(*sizes):
    rng = np.random.default_rng(4)
    params = {}
    for k, (M, N) in enumerate(itertools.pairwise(sizes), start=1):
        params |= {
            f"W_{k}": rng.standard_normal((M, N)),
            f"b_{k}": rng.standard_normal(N),
        }
    return params


@functools.cache
def diagram_deep():
    params = layered_params(2, 4, 3, 1)
    return figures.network_diagram(params, ("tanh", "tanh", "sigmoid"), title="2-4-3-1")


@functools.cache
def diagram_largest():
    params = layered_params(12, 12)
    return figures.network_diagram(params, ("relu",), title="12-12")


@functools.cache
def fit():
    x = np.linspace(-2, 2, 21)
    predictions = dict.fromkeys(FOUR, 0.98 * x + 0.01)
    return figures.line_fit(x, x, predictions, title="f(x) = x")


def speed_table():
    kinds, variants = ("train-step", "train-epoch", "inference"), ("idiomatic", "lean")
    rows = []
    for k, cell in enumerate(itertools.product(kinds, FOUR, variants)):
        ok = cell[1:] != ("jax", "idiomatic")
        ratio = 0.3 * 1.2**k if ok else np.nan
        row = dict(zip(("kind", "framework", "variant"), cell, strict=True))
        row |= {
            "experiment": "digits",
            "dtype": "float32",
            "batch_size": 64,
            "threads": 1,
        }
        row |= {
            "ratio_lo": ratio * 0.9,
            "ratio_to_scratch": ratio,
            "ratio_hi": ratio * 1.1,
        }
        rows.append(row | {"status": "ok" if ok else "not installed"})
    return pd.DataFrame(rows)


@functools.cache
def speed():
    return figures.speed_ratios(speed_table())


def flagged_table():
    flags = itertools.cycle(["", "short", "quick; noisy"])
    table = speed_table().assign(flag=lambda t: [next(flags) for _ in range(len(t))])
    return table.assign(cpu_ratio=1.1 * table["ratio_to_scratch"])


@functools.cache
def speed_flagged():
    return figures.speed_ratios(flagged_table())


def scaling_table():
    rows = []
    for threads, dimension, framework in itertools.product(
        (1, 2), ("batch_size", "hidden", "length"), FOUR
    ):
        k = FOUR.index(framework)
        at = float("nan") if k in (0, 3) else 128.0 / k
        for size in (8, 32, 128, 512):
            ratio = (at / size) ** 0.5 if k in (1, 2) else 1.0 + k
            row = {"threads": threads, "dimension": dimension, "framework": framework}
            row |= {"value": size, "ratio_to_scratch": ratio, "crossover": at}
            rows.append(row | {"ratio_lo": 0.9 * ratio, "ratio_hi": 1.1 * ratio})
    return pd.DataFrame(rows)


@functools.cache
def scaling():
    return figures.scaling_curves(scaling_table(), title="digits: time over size")


@functools.cache
def memory():
    table = speed_table().assign(imported_mib=100.0, loaded_mib=130.0)
    table["peak_mib"] = 140.0 + 10 * table["ratio_to_scratch"]
    return figures.memory_bars(table, title="memory")


def rates_table():
    both = [speed_table().assign(dtype=dtype) for dtype in ("float32", "float64")]
    table = pd.concat(both).assign(step_ms=0.2, peak_gflop_per_s=110.0)
    return table.assign(gflop_per_s=3 / table["ratio_to_scratch"])


@functools.cache
def roof():
    return figures.roofline(rates_table(), title="roof")


ALL = (
    loss_float64,
    loss_float32,
    loss_equal,
    loss_broken,
    loss_epochs,
    loss_without_scratch,
    parts_eleven,
    parts_watched,
    jacobians,
    confusion,
    confusion_words,
    weights,
    weights_few,
    wrong,
    wrong_none,
    region,
    region_corners,
    diagram,
    diagram_neuron,
    diagram_deep,
    diagram_largest,
    fit,
    speed,
    speed_flagged,
    scaling,
    memory,
    roof,
)
each_figure = pytest.mark.parametrize("draw", ALL, ids=lambda draw: draw.__name__)


@functools.cache
def words(figure):
    """All texts of a figure that are really drawn, with their places in pixels."""
    from matplotlib.text import Text

    drawn = []

    def remember(self, renderer):
        if self.get_visible() and self.get_text().strip():
            drawn.append((self.get_text(), Text.get_window_extent(self, renderer)))
        return original(self, renderer)

    original = Text.draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", remember)
        figure.draw_without_rendering()
    return drawn


def texts(figure):
    return [text for text, _ in words(figure)]


def points(ax):
    """All drawn coordinates (N, 2) in data units of a panel, keyed by colour."""
    found = {}
    for line in ax.lines:
        if line.get_transform() == ax.transData:
            found.setdefault(line.get_color(), []).append(line.get_xydata())
    return {colour: np.concatenate(parts) for colour, parts in found.items()}


@each_figure
def test_words_are_large_do_not_collide_and_stay_on_the_page(draw):
    from matplotlib.text import Text

    figure = draw()
    assert min(t.get_fontsize() for t in figure.findobj(Text) if t.get_text()) >= 11
    drawn = words(figure)
    for text, box in drawn:
        inside = figure.bbox.padded(1)
        assert inside.x0 <= box.x0 <= box.x1 <= inside.x1, text
        assert inside.y0 <= box.y0 <= box.y1 <= inside.y1, text
    for (one, a), (other, b) in itertools.combinations(drawn, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (one, other)


@pytest.mark.parametrize(
    "draw", [loss_float32, weights_few, region, diagram, fit, parts_watched]
)
def test_both_files_repeat_to_the_byte(draw, tmp_path):
    figure = draw()
    first = [path.read_bytes() for path in figures.save(figure, tmp_path / "a.b")]
    again = [path.read_bytes() for path in figures.save(figure, tmp_path / "a.b")]
    new = draw.__wrapped__()
    fresh = [path.read_bytes() for path in figures.save(new, tmp_path / "new" / "c")]
    assert first == again == fresh
    assert sorted(path.name for path in tmp_path.glob("a*")) == ["a.b.png", "a.b.svg"]


def test_another_process_with_other_settings_writes_the_same_bytes(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.linewidth: 9\n")
    script = (
        "import sys, hashlib, warnings; warnings.simplefilter('error')\n"
        "from pathlib import Path\n"
        "import nn_parity.figures as figures\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from parity_tests import test_figures as here\n"
        "for draw in (here.loss_float64, here.diagram):\n"
        "    for path in figures.save(draw(), Path('one')):\n"
        "        print(hashlib.sha256(path.read_bytes()).hexdigest())\n"
        "import matplotlib\n"
        "assert matplotlib.rcParams['font.size'] == 30\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    environment.pop("MATPLOTLIBRC", None)
    there = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    here = [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for draw in (loss_float64, diagram)
        for path in figures.save(draw(), tmp_path / "here")
    ]
    assert there.stdout.split() == here


def test_a_failed_drawing_leaves_no_file(tmp_path):
    figure = diagram.__wrapped__()

    def fail(*args, **kwargs):
        raise RuntimeError("the pen broke")

    figure.canvas.print_png = fail
    with pytest.raises(RuntimeError, match="the pen broke"):
        figures.save(figure, tmp_path / "broken")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        figures.save(diagram(), tmp_path / "file" / "figure")


def test_a_hostile_title_stays_text(tmp_path):
    title = "<script>alert(1)</script> & $\\frac{1}{0}$ Größe ≤ 1"
    figure = figures.network_diagram(PARAMS, ("tanh", "tanh"), title=title)
    svg, _ = figures.save(figure, tmp_path / "title")
    tree = ET.parse(svg)
    assert not [e for e in tree.iter() if e.tag.lower().endswith("script")]
    assert title in [e.text for e in tree.iter() if e.tag.endswith("title")]


def test_axes_name_their_units():
    expected = {
        loss_float64: ("loss (dimensionless)", "(unit of the loss)", "training step"),
        confusion: ("predicted class (cells: number of examples)",),
        weights: ("weight (per unit of input brightness)",),
        region: (
            "experience, centred (years)",
            "prediction p (probability of class 1)",
        ),
        fit: ("input x (dimensionless)", "output (dimensionless)"),
        speed: ("time / time of scratch (ratio, log scale",),
        scaling: ("time / time of scratch (log scale)", "batch size (examples)"),
        memory: ("resident memory (MiB)",),
        roof: ("operations per second (GFLOP/s, log scale)", "operations of a step"),
    }
    for draw, labels in expected.items():
        written = "\n".join(texts(draw()))
        for label in labels:
            assert label in written, draw.__name__


def test_frameworks_differ_in_colour_marker_and_width():
    for field in ("colour", "marker", "width"):
        assert len({getattr(look, field) for look in LOOKS.values()}) == len(LOOKS)
    widths = [LOOKS[name].width for name in FOUR]
    assert widths == sorted(widths, reverse=True)
    assert looks(["scratch", "native"])["native"] not in LOOKS.values()
    with pytest.raises(ValueError, match="would share colours"):
        looks([f"variant {k}" for k in range(5)])


# Loss curves


def test_every_difference_is_drawn_as_it_is():
    curves = run()
    _, bottom = loss_float64().axes
    drawn = points(bottom)
    for name in FOUR[1:]:
        x, y = drawn[LOOKS[name].colour].T
        difference = np.abs(curves[name] - curves["scratch"])
        seen = difference > 0
        steps = np.arange(1, 101)
        for step, value in zip(steps[seen], difference[seen], strict=True):
            assert np.any((x == step) & (y == value))
        # A zero stands below everything that is not zero, in the grey strip.
        at_zero = [y[x == step] for step in steps[~seen]]
        smallest = min(d[d > 0].min() for d in [difference])
        assert all(np.nanmax(values) < smallest for values in at_zero)


def test_equal_curves_stand_in_the_strip():
    figure = loss_equal()
    assert "exactly\nequal" in texts(figure)
    _, bottom = figure.axes
    for name in FOUR[1:]:
        y = points(bottom)[LOOKS[name].colour][:, 1]
        assert np.isfinite(y).sum() == 100
        assert np.nanmax(y) < 1e-11
    assert "exactly\nequal" not in texts(loss_without_scratch())


def test_a_long_run_keeps_its_worst_step_and_its_gate():
    curves = run(2250, 6e-8, grow=0.05)
    figure = loss_float32()
    _, bottom = figure.axes
    drawn = points(bottom)
    for name in FOUR[1:]:
        worst = np.abs(curves[name] - curves["scratch"]).max()
        assert np.nanmax(drawn[LOOKS[name].colour][:, 1]) == worst
    written = texts(figure)
    assert {"gated: steps 1 to 30", "reported only", "gate 10⁻⁵"} <= set(written)
    assert "each point: largest of up to 54 steps" in written


@pytest.mark.parametrize(("steps", "gated"), [(2250, 30), (3000, 301), (1000, 500)])
def test_no_point_mixes_gated_steps_with_later_ones(steps, gated):
    late = np.where(np.arange(1, steps + 1) > gated, 1.5, 1.0)
    curves = {"scratch": np.ones(steps), "jax": late}
    figure = figures.loss_curves(curves, title="late", gate=1e-10, gated_steps=gated)
    x, y = points(figure.axes[1])[LOOKS["jax"].colour].T
    assert x[y == 0.5].min() > gated
    assert x[y < 0.5].max() <= gated
    means = points(figure.axes[0])[LOOKS["jax"].colour][:, 1]
    assert set(means.tolist()) == {1.0, 1.5}
    assert "jax (over the gate)" not in texts(figure)


def test_broken_curves_are_named():
    written = texts(loss_broken())
    assert "torch (over the gate)" in written
    assert "keras (ends at 25)" in written
    assert "jax (not finite at 13)" in written
    assert "gated: steps 1 to 35, then reported only" in written
    assert "scratch has no curve: no differences to draw" in texts(
        loss_without_scratch()
    )


def test_a_difference_after_the_gated_steps_is_not_over_the_gate():
    curves = run(40)
    curves["torch"][35:] += 1.0
    for gated, words_ in ((35, False), (36, True), (None, True)):
        figure = figures.loss_curves(
            curves, title="late", gate=1e-10, gated_steps=gated
        )
        assert ("torch (over the gate)" in texts(figure)) is words_


def test_the_table_of_derivatives_marks_three_cells_as_transposed():
    said = texts(jacobians())
    assert said.count("transposed") == said.count("the same") == 3
    assert said.count("one axis of length 1") == 3


def test_a_derivative_of_another_shape_is_refused():
    course, framework = nine_shapes()
    broken = framework | {"de_dX": (3, 4)}
    with pytest.raises(ValueError, match="de_dX"):
        figures.jacobian_table(course, {"torch": broken}, title="broken")


def test_every_part_has_a_look_of_its_own_and_every_value_is_drawn():
    (ax,) = parts_eleven().axes
    drawn = [line for line in ax.lines if len(line.get_xdata()) >= 12]
    looks_used = {(line.get_color(), line.get_marker()) for line in drawn}
    assert len(drawn) == len(looks_used) == 11
    assert sorted(len(line.get_xdata()) for line in drawn) == [12] + [30] * 10
    assert min(line.get_ydata().min() for line in drawn) == 1e-12  # stands for zero
    assert {text.get_text() for text in ax.texts} == {f"part-{k}" for k in range(11)}


def test_what_is_watched_has_a_panel_with_the_same_axis():
    first, second = parts_watched().axes
    assert first.get_ylim() == second.get_ylim()
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == (
        "training loss",
        "test loss",
    )


@pytest.mark.parametrize("losses", [{}, {"a": []}])
def test_parts_without_an_epoch_are_refused(losses):
    with pytest.raises(ValueError, match="expected an epoch"):
        figures.compared_trainings(losses, {}, title="none")


@pytest.mark.parametrize("curves", [{}, {"scratch": []}, {"scratch": [[1.0]]}])
def test_curves_that_cannot_be_drawn_are_refused(curves):
    with pytest.raises(ValueError, match="expected"):
        figures.loss_curves(curves, title="none", gate=None, gated_steps=None)


# Classification


def test_a_confusion_matrix_writes_every_count():
    truth, said = labels()
    figure = confusion()
    ax = figure.axes[0]
    written = {
        tuple(round(v) for v in t.get_position()): t.get_text() for t in ax.texts
    }
    for i, j in np.ndindex(10, 10):
        count = int(((truth == i) & (said == j)).sum())
        assert written[j, i] == (str(count) if count or i == j else "·")
    right = int((truth == said).sum())
    assert f"{right} of 360 right ({right / 360:.1%})" in texts(figure)


@pytest.mark.parametrize(
    ("truth", "said"), [([0, 1], [0]), ([], []), ([0, 3], [0, 1]), ([0, 1], [0, -1])]
)
def test_labels_that_are_no_classes_are_refused(truth, said):
    with pytest.raises(ValueError, match="labels"):
        figures.confusion_matrix(np.array(truth, int), said, "abc", title="refused")


def test_misclassified_shows_who_disagrees():
    images, truth, predictions = pictures()
    figure = wrong()
    written = texts(figure)
    table = np.stack(list(predictions.values()))
    wrongs = (table != truth).any(axis=0)
    split = (table != table[0]).any(axis=0)
    shown = min(24, wrongs.sum())
    assert sum("→" in text for text in written) == shown
    assert sum(text.endswith("→ ?") for text in written) == split.sum() == 3
    assert f"{truth[5]} → ?" in written
    assert f"{predictions['jax'][5]}: jax\n{truth[5]}: the others" in written
    count = f"{wrongs.sum()} of 360 images misclassified by at least one framework"
    assert any(text.startswith(count) for text in written)
    assert "none of the 360 images is misclassified" in texts(wrong_none())
    few = figures.misclassified(images, truth, predictions, title="few", limit=2)
    assert sum(text.endswith("→ ?") for text in texts(few)) == 2
    with pytest.raises(ValueError, match="keras"):
        figures.misclassified(images, truth, {"keras": truth[:5]}, title="refused")


def test_weights_share_a_scale_that_is_symmetric(monkeypatch):
    W = first_layer()
    figure = weights()
    shown = [ax.images[0] for ax in figure.axes if ax.images]
    assert len(shown) == 16
    for n, picture in enumerate(shown):
        assert picture.get_clim() == (-np.abs(W).max(), np.abs(W).max())
        np.testing.assert_array_equal(picture.get_array(), W[:, n].reshape(28, 28))
    monkeypatch.setattr("nn_parity.figures.pictures._MOST_UNITS", 3)
    many = figures.first_layer_weights(np.zeros((4, 5)), (2, 2), title="zeros")
    assert "the first 3 of 5 units" in texts(many)
    for refused in (np.zeros((5, 2)), np.zeros(4), np.full((4, 1), np.nan)):
        with pytest.raises(ValueError, match="expected"):
            figures.first_layer_weights(refused, (2, 2), title="refused")


# Small networks


def test_a_region_writes_the_p_of_each_query():
    figure = region()
    written = texts(figure)
    for name, at in (("(−7, 0)", (-7, 0)), ("(10, −6)", (10, -6))):
        p = sigmoid_of_sum(np.array([at]))[0]
        assert f"{name}\np = {number(p, 3)}" in written
    assert {"p = 0.5", "rejected", "hired", "query"} <= set(written)
    # Values of a grid are interpolated, and the sign says so.
    corners = texts(region_corners())
    for x, y in itertools.product((0, 1), (0, 1)):
        assert f"({x}, {y})\np ≈ {number(x / 4 + y / 2, 3)}" in corners


@pytest.mark.parametrize("draw", [region, region_corners])
def test_answers_stay_in_the_plane_and_off_the_points(draw):
    figure = draw()
    ax = figure.axes[0]
    frame = ax.get_window_extent()
    marks = [line.get_xydata() for line in ax.lines if len(line.get_xydata())]
    spots = ax.transData.transform(np.concatenate(marks))
    answers = [box for text, box in words(figure) if "\np" in text]
    assert len(answers) == (2 if draw is region else 4)
    for box in answers:
        assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
        assert frame.y0 <= box.y0 <= box.y1 <= frame.y1
        assert not any(box.contains(*spot) for spot in spots)


def test_the_half_line_lies_where_p_is_one_half():
    for figure, p in (
        (region(), sigmoid_of_sum),
        (region_corners(), lambda at: at @ [0.25, 0.5]),
    ):
        line = figure.axes[0].collections[-1].get_paths()[0].vertices
        assert len(line) > 1
        np.testing.assert_allclose(p(line), 0.5, atol=1e-3)


def test_a_constant_region_has_no_half_line():
    figure = figures.decision_region(
        lambda x: np.full((len(x), 1), 0.2),
        X2,
        [0, 1, 0, 1],
        {},
        title="constant",
        extent=(-14, 14, -9, 9),
    )
    assert not {"p = 0.5", "query"} & set(texts(figure))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extent": (1, 1, 0, 1)}, "empty"),
        ({"labels": [0, 1]}, "do not belong together"),
        ({"predict": lambda x: x}, "returned shape"),
        ({"predict": np.full((3, 3), np.nan)}, "not finite"),
        ({"predict": np.zeros(4)}, "expected \\(rows, columns\\)"),
        ({"queries": [[1, 2, 3]]}, "expected \\(Q, 2\\)"),
        ({"labels": range(4), "points": X2, "classes": "ab"}, "2 names, expected 4"),
    ],
)
def test_regions_that_cannot_be_drawn_are_refused(change, message):
    given = {"predict": sigmoid_of_sum, "points": X2, "labels": [0, 1, 0, 1]}
    given |= {"queries": {}, "extent": (-14, 14, -9, 9)} | change
    with pytest.raises(ValueError, match=message):
        figures.decision_region(**given, title="refused")


@pytest.mark.parametrize("sizes", [(3, 1), (2, 2, 1), (2, 4, 3, 1), (12, 12)])
def test_a_diagram_writes_every_weight_and_bias(sizes):
    params = layered_params(*sizes)
    figure = figures.network_diagram(params, ["tanh"] * (len(sizes) - 1), title="all")
    written = texts(figure)
    numbers = [t for t in written if re.fullmatch(r"−?[\d.]+(·10.+)?", t)]
    expected = [number(w) for k, W in params.items() if k[0] == "W" for w in W.flat]
    assert sorted(numbers) == sorted(expected)
    biases = [f"b = {number(b)}" for k, a in params.items() if k[0] == "b" for b in a]
    assert sorted(t for t in written if t.startswith("b = ")) == sorted(biases)
    names = [t for t in written if re.fullmatch(r"[xhp][\d.]*", t)]
    assert len(set(names)) == len(names) == sum(sizes)


def test_each_weight_stands_on_its_own_line():
    params = layered_params(2, 4, 3, 1)
    figure = figures.network_diagram(params, ["tanh"] * 3, title="places")
    ax = figure.axes[0]
    places = {t.get_text(): np.array(t.get_position()) for t in ax.texts}
    lines = [line for line in ax.lines if line.get_alpha()]
    layers = sorted({float(x) for line in lines for x in line.get_xdata()})
    largest = max(np.abs(W).max() for name, W in params.items() if name[0] == "W")
    for left, right, k in zip(layers, layers[1:], (1, 2, 3), strict=False):
        here = [line for line in lines if line.get_xdata()[0] == left]
        # Units are numbered from the top.
        sources, targets = (
            sorted({float(line.get_ydata()[end]) for line in here}, reverse=True)
            for end in (0, 1)
        )
        for line in here:
            low, high = line.get_ydata()
            weight = params[f"W_{k}"][sources.index(low), targets.index(high)]
            x, y = places[number(weight)]
            assert y == pytest.approx(np.interp(x, [left, right], [low, high]))
            assert line.get_color() == (POSITIVE if weight > 0 else NEGATIVE)
            assert line.get_linewidth() == pytest.approx(
                0.8 + 5 * abs(weight) / largest
            )


@pytest.mark.parametrize(
    ("params", "activations", "message"),
    [
        (layered_params(3, 13), ["tanh"], "3-13 units cannot be read"),
        (layered_params(3, 2), ["tanh", "tanh"], "with 2 layers"),
        ({"W_x": np.zeros((2, 8))}, ["tanh"], "not those of a network"),
        ({"W_1": np.zeros((2, 3)), "W_2": np.zeros((2, 1))}, ["tanh"] * 2, r"\(3, N\)"),
        ({"W": np.zeros((2, 3)), "b": np.zeros(2)}, ["tanh"], r"b_1 has shape \(2,\)"),
        ({"W": [[np.nan]], "b": [0.0]}, ["tanh"], "not finite"),
    ],
)
def test_networks_that_cannot_be_drawn_are_refused(params, activations, message):
    with pytest.raises(ValueError, match=message):
        figures.network_diagram(params, activations, title="refused")


def test_a_fit_needs_as_many_values_as_inputs():
    assert {"scratch", "torch", "keras", "jax", "target"} <= set(texts(fit()))
    x = np.array([2.0, 0.0, 1.0])
    figure = figures.line_fit(x, x, {"torch": -x[:, None]}, title="f(x) = -x")
    line = figure.axes[0].lines[0]
    assert line.get_color() == LOOKS["torch"].colour
    assert line.get_xydata().tolist() == [[0, 0], [1, -1], [2, -2]]
    with pytest.raises(ValueError, match="as many of each"):
        figures.line_fit([1, 2], [1, 2], {"scratch": [1]}, title="refused")


# Speed


def test_speed_has_a_row_for_every_cell():
    table = speed_table()
    written = texts(speed())
    assert written.count("not installed") == 3
    for ratio in table["ratio_to_scratch"].dropna():
        start = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"
        assert any(text.startswith(f"{start}  (") for text in written)
    assert {"train-step", "train-epoch", "inference", "jax, lean"} <= set(written)
    drawn = {}
    for ax in speed().axes:
        for line in ax.lines:
            if line.get_marker() not in ("", "None", None):
                drawn.setdefault(ax.get_title(loc="left"), []).append(
                    (float(line.get_xdata()[0]), line.get_color())
                )
    for kind, part in table.dropna(subset="ratio_to_scratch").groupby("kind"):
        looked = [LOOKS[name].colour for name in part["framework"]]
        expected = list(zip(part["ratio_to_scratch"], looked, strict=True))
        assert drawn[kind] == expected
    both = pd.concat([table, table.assign(dtype="float64")])
    assert "inference, float64" in texts(figures.speed_ratios(both))
    with pytest.raises(ValueError, match="ratio_hi"):
        figures.speed_ratios(table.drop(columns="ratio_hi"))
    many = pd.concat([table.assign(batch_size=size) for size in (1, 8, 64, 512)])
    with pytest.raises(ValueError, match="12 panels cannot be read"):
        figures.speed_ratios(many)
    with pytest.raises(ValueError, match="lacks rows"):
        figures.speed_ratios(table.head(0))


# Words


def test_a_flagged_row_is_hollow_and_a_run_that_is_short_is_not():
    table = flagged_table().dropna(subset="ratio_to_scratch")
    own = table["flag"].str.contains("noisy")
    hollow = {
        float(line.get_xdata()[0])
        for ax in speed_flagged().axes
        for line in ax.lines
        if line.get_marker() != "None" and line.get_markerfacecolor() == "white"
    }
    assert hollow == set(table[own]["ratio_to_scratch"])
    assert any(
        "hollow: the table has a flag on it" in t for t in texts(speed_flagged())
    )
    assert not any("hollow" in text for text in texts(speed()))


def test_a_scaling_marks_each_crossover():
    written = texts(scaling())
    assert written.count("torch: faster from 128") == 6
    assert written.count("keras: faster from 64") == 6
    assert written.count("jax") == 6  # it never is
    for ax in scaling().axes:
        marks = {
            (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
            for line in ax.lines
            if line.get_marker() != "None" and line.get_markerfacecolor() == "white"
        }
        assert marks == {(128.0, 1.0), (64.0, 1.0)}
    with pytest.raises(ValueError, match="crossover"):
        figures.scaling_curves(scaling_table().drop(columns="crossover"))


def test_a_bar_ends_at_the_peak():
    known = speed_table().dropna(subset="ratio_to_scratch")
    bars = memory().axes[0].patches
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    assert ends[2::3] == pytest.approx(list(140 + 10 * known["ratio_to_scratch"]))
    assert len(bars) == 3 * len(known)


def test_a_roof_hangs_at_the_measured_peak():
    for ax in roof().axes:
        heights = [float(line.get_ydata()[0]) for line in ax.lines]
        assert heights[0] == 110.0
        drawn = points(ax)
        assert all((xy[:, 1] < 110).all() for xy in drawn.values())
    with pytest.raises(ValueError, match="gflop_per_s"):
        figures.roofline(speed_table())


def test_numbers_are_short_and_lose_no_sign():
    shown = {-0.0: "0", 3.14159: "3.14", -2.5: "−2.50", 0.0031: "0.0031"}
    shown |= {-1.25e-7: "−1.2·10⁻⁷", 12345.0: "1.2·10⁴", 1e-9: "10⁻⁹"}
    for value, text in shown.items():
        assert number(value) == text
    assert power(1e-16) == "10⁻¹⁶"
    assert power(5e-13) == "5·10⁻¹³"


def test_spread_keeps_order_and_distance():
    assert spread([0.5, 0.5, 0.5], 0.1, 0.0, 1.0) == pytest.approx([0.5, 0.6, 0.7])
    assert spread([0.95, 0.99], 0.1, 0.0, 1.0) == pytest.approx([0.9, 1.0])
    assert spread([0.9, 0.1], 0.1, 0.0, 1.0) == pytest.approx([0.9, 0.1])
    crowded = spread([0.5] * 30, 0.1, 0.0, 1.0)
    assert min(crowded) >= 0
    assert max(crowded) <= 1
    assert np.diff(crowded) == pytest.approx(1 / 29)
    assert spread([], 0.1, 0.0, 1.0) == []
