"""Experiments run through `compare` as a user runs it, and end where a course ends."""

import json

import numpy as np
import pytest

from nn_parity import compare, inputs, predict, recipes, registry, transcripts
from nn_parity.errors import Refusal
from nn_parity.experiments import EXPERIMENTS
from parity_tests.conftest import INSTALLED, mnist_folder, needs_mnist

SMALL = ("binary-blitz", "logic-gates", "xor", "hiring", "learning-neuron")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """All five small experiments in one run: `nn-parity compare` takes several."""
    out = tmp_path_factory.mktemp("runs") / "small"
    return compare(SMALL, frameworks=INSTALLED, dtype="float64", out=out, speed=False)


def predictions(run, name, dtype="float64"):
    (case,) = (c for c in run.cases if c.name == name)
    return {
        f: run.transcript(case, f, dtype)["prediction/test@end"][:, 0]
        for f in INSTALLED
    }


def test_every_gated_row_of_the_small_experiments_passes(small):
    rows = small.parity
    assert small.exit_code == 0, rows[rows["passed"] == False]["reason"].tolist()  # noqa: E712
    assert set(rows["experiment"]) == set(SMALL)
    trained = rows[rows["tensor"].str.endswith("@end") & (rows["dtype"] == "float64")]
    assert (trained["error_rel"] <= 1e-10).all()
    assert set(trained["framework"]) == set(INSTALLED) - {"scratch"}


def test_hiring_refuses_the_first_and_hires_the_second_candidate(small):
    answers = predictions(small, "hiring")
    for framework, (first, second) in answers.items():
        assert first < 0.1 < 0.5 < second
        want = answers["scratch"]
        np.testing.assert_allclose((first, second), want, 1e-10, err_msg=framework)


def test_binary_blitz_answers_the_first_bit(small):
    for answer in predictions(small, "binary-blitz").values():
        assert answer > 0.9


def test_gates_by_hand_and_learned_are_right_and_xor_is_not(small):
    rows = small.accuracy.set_index(["part", "framework", "dtype"])["test_accuracy"]
    for framework in INSTALLED:
        for part in ("or-by-hand", "and-by-hand", "or", "and"):
            assert rows[part, framework, "float64"] == 1
        assert rows["xor", framework, "float64"] < 1


def test_two_hidden_neurons_solve_xor(small):
    rows = small.accuracy
    assert (rows[rows["experiment"] == "xor"]["test_accuracy"] == 1).all()


def test_a_learning_neuron_ends_at_the_line(small):
    for part, slope in (("x", 1.0), ("minus-x", -1.0)):
        (case,) = (c for c in small.cases if c.name == f"learning-neuron/{part}")
        for framework in INSTALLED:
            weights = small.transcript(case, framework, "float64")
            assert weights["trained/W@end"][0, 0] == pytest.approx(slope, abs=1e-5)


def test_delta_rule_is_w_plus_lr_delta_x():
    """One step of `learning-neuron` by hand: w += lr * (y - w x) * x."""
    case = recipes.cases("learning-neuron", changes={}, seed=0)[0][0]
    neuron = registry.build("scratch", case, dtype="float64")
    w, x, y, lr = 0.25, 2.0, 3.0, 0.1
    neuron.load({"W": np.array([[w]]), "b": np.zeros(1)}, {})
    neuron.step({"x": np.array([[x]]), "y": np.array([[y]])}, lr=lr)
    assert neuron.export()[0]["W"][0, 0] == pytest.approx(
        w + lr * (y - w * x) * x, abs=1e-15
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The main job, as `nn-parity compare` does it."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    return compare(frameworks=INSTALLED, out=out)


@pytest.fixture(scope="module")
def rows_of_digits(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "digits-rows"
    options = {"dtype": "float64", "speed": False}
    return compare("digits-rows", frameworks=INSTALLED, out=out, **options)


def test_digits_agree_to_the_end_of_training(digits):
    rows = digits.parity
    assert digits.exit_code == 0, rows[rows["passed"] == False]["reason"].tolist()  # noqa: E712
    float64 = rows[rows["dtype"] == "float64"]
    ends = float64[float64["tensor"].str.endswith("@end")]
    assert {"trained", "curve", "prediction"} <= set(ends["quantity"])
    assert (ends["passed"] == True).all()  # noqa: E712
    early = rows[
        (rows["dtype"] == "float32") & rows["tensor"].str.endswith("@30 steps")
    ]
    assert len(early)
    assert (early["passed"] == True).all()  # noqa: E712
    late = rows[(rows["dtype"] == "float32") & rows["tensor"].str.endswith("@end")]
    assert set(late["status"]) == {"reported"}


@pytest.mark.parametrize(
    "run", ["digits", pytest.param("rows_of_digits", marks=pytest.mark.thorough)]
)
def test_four_frameworks_reach_the_same_accuracy(request, run):
    rows = request.getfixturevalue(run).accuracy
    assert (rows["test_accuracy"] >= 0.95).all()
    for _, group in rows.groupby(["dtype", "part"]):
        assert group["test_accuracy"].max() - group["test_accuracy"].min() <= 0.006
    assert rows["disagreements_with_scratch"].notna().all()
    assert (rows["n_test"] == 360).all()


@pytest.mark.thorough
def test_an_lstm_agrees_to_the_end_of_training(rows_of_digits):
    rows = rows_of_digits.parity
    assert rows_of_digits.exit_code == 0, rows["reason"].unique().tolist()
    ends = rows[rows["tensor"].str.endswith("@end") & (rows["status"] == "ok")]
    assert {"lstm", "rnn", "gru", "transformer"} == set(ends["network"])
    assert (ends["error_rel"] <= ends["gate"]).all()


def test_parameter_table_of_784_16_16_10(digits):
    from nn_parity import tables

    table = tables.parameters(digits)
    mlp = table[table["network"] == "mlp"].set_index("layer")
    for framework in INSTALLED:
        assert mlp[framework].tolist() == [12_560, 272, 170, 13_002]


def test_a_run_holds_the_files_and_columns_that_the_design_names(digits):
    from nn_parity import accuracy, agreement, benching

    for kind, columns in (
        ("parity", agreement.COLUMNS),
        ("speed", benching.COLUMNS),
        ("accuracy", accuracy.COLUMNS),
    ):
        assert tuple(digits.frame(kind).columns) == columns
    environment = digits.environment
    assert environment["datasets"]["digits"]["sha256"]
    assert all(case["weights_sha256"] for case in environment["cases"])
    records = [
        json.loads(line)["record"]
        for line in (digits.path / "samples.jsonl").read_text().splitlines()
    ]
    of_tables = {"parity", *accuracy.RECORDS, *benching.RECORDS}
    assert set(records) == {"run", *of_tables}
    names = {p.name for p in (digits.path / "figures").iterdir()}
    for figure in ("loss-digits-float64", "confusion-digits-float64", "speed-digits"):
        assert {f"{figure}.svg", f"{figure}.png"} <= names
    for framework in INSTALLED:
        for dtype in ("float64", "float32"):
            folder = digits.path / "transcripts" / dtype / framework
            assert {p.name for p in folder.iterdir()} == {"mlp.npz"}


def test_times_are_positive_and_paired(digits):
    rows = digits.speed
    assert set(rows["status"]) == {"ok"}
    assert (rows["step_ms"] > 0).all()
    assert (rows["min_ms"] <= rows["step_ms"]).all()
    assert (rows["n"] >= 5).all()
    lean = rows[(rows["framework"] == "scratch") & (rows["variant"] == "lean")]
    assert (lean["ratio_to_scratch"] == 1).all()
    assert rows["flag"].str.contains("quick").all()


def test_settings_change_the_network_and_are_recorded(tmp_path):
    run = compare(
        "hiring",
        frameworks="scratch",
        dtype="float64",
        epochs=3,
        settings={"hidden": "3", "activation": "tanh", "loss": "bce", "lr": "0.25"},
        out=tmp_path / "run",
        speed=False,
    )
    (case,) = run.cases
    assert list(case.sizes["H"]) == [3]
    assert list(case.recipe["activations"]) == ["tanh", "identity"]
    assert case.recipe["loss"] == "binary_cross_entropy"
    assert (case.recipe["lr"], case.recipe["epochs"]) == (0.25, 3)
    assert run.exit_code == 0


def test_predict_gives_the_same_answer_in_every_framework():
    table = predict("hiring", ["-7,0", "test:1"], frameworks=INSTALLED)
    assert table["input"].tolist() == ["-7,0", "test:1"]
    for framework in INSTALLED:
        assert table[framework][0] < 0.1 < 0.5 < table[framework][1]
        np.testing.assert_allclose(table[framework], table["scratch"], rtol=1e-12)


@needs_mnist
def test_real_mnist_trains_by_data_folder(tmp_path):
    run = compare(
        "mnist",
        frameworks=[f for f in ("scratch", "jax") if f in INSTALLED],
        dtype="float32",
        data=mnist_folder(),
        epochs=1,
        out=tmp_path / "run",
        speed=False,
    )
    assert run.exit_code == 0
    assert (run.accuracy["test_accuracy"] > 0.9).all()
    assert (run.accuracy["n_test"] == 10_000).all()


# -- one thing varied --------------------------------------------------------------------

VARIED = {  # experiment -> (part, statement about its accuracy or loss in the end)
    "feature-cross": ("hidden-layer", lambda row: row["test_accuracy"] > 0.95),
    "spiral": ("2-16-16-1", lambda row: row["test_accuracy"] > 0.95),
    "sine": ("8-units", lambda row: row["test_loss"] < 0.003),
    "compression": ("one-layer", lambda row: row["test_accuracy"] > 0.9),
    "initialization": ("zeros", lambda row: row["test_accuracy"] < 0.5),
    "activations": ("relu", lambda row: row["test_accuracy"] > 0.9),
    "optimizers": ("adam", lambda row: row["train_loss"] < 0.2),
    "learning-rate": ("too-large", lambda row: row["train_loss"] > 1),
    "jacobians": ("", lambda row: row["train_loss"] < 0.1),
    "overfitting": ("nothing", lambda row: row["train_loss"] < 0.05 < row["test_loss"]),
}
QUICK = ("feature-cross",)


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.thorough) for n in VARIED],
)
def test_parts_agree_to_the_end_and_show_what_the_experiment_is_about(name, tmp_path):
    run = compare(
        name, frameworks=INSTALLED, dtype="float64", speed=False, out=tmp_path / "run"
    )
    rows = run.parity
    assert run.exit_code == 0, rows[rows["passed"] == False]["reason"].tolist()  # noqa: E712
    curves = rows[(rows["quantity"] == "curve") & rows["tensor"].str.endswith("@end")]
    assert (curves["error_rel"] <= 1e-10).all()
    assert set(curves["part"]) == {part.label for part in EXPERIMENTS[name].parts}
    part, holds = VARIED[name]
    for _, row in run.accuracy[run.accuracy["part"] == part].iterrows():
        assert holds(row), row
    figure = "jacobians-jacobians-float64" if part == "" else f"parts-{name}"
    assert (tmp_path / "run" / "figures" / f"{figure}.svg").exists()


@pytest.mark.parametrize("name", [n for n in EXPERIMENTS if not n.startswith("mnist")])
def test_every_part_of_every_experiment_can_be_trained(name):
    for case, _ in recipes.cases(name, changes={}, seed=0):
        adapter = registry.build("scratch", case, dtype="float64")
        given = inputs.of(case)
        adapter.load(given.params, given.state)
        rows = inputs.batch_rows(case, len(given.train["x"]))
        noise = inputs.noise(case, len(rows), epoch=0)
        batch = {key: a[rows] for key, a in given.train.items()} | noise
        losses, grads = adapter.losses_and_grads(batch)
        assert np.isfinite(losses["loss"])
        assert grads.keys() >= given.params.keys()


def test_early_stopping_waits_as_long_as_it_says_and_returns_to_the_best_weights():
    changes = {"patience": 3, "epochs": 60, "lr": 0.02}
    case = recipes.chosen_part(
        recipes.cases("overfitting", changes=changes, seed=0), "nothing"
    )[0]
    adapter, given = registry.build("scratch", case, dtype="float64"), inputs.of(case)
    adapter.load(given.params, given.state)
    out = transcripts.train(adapter, case, given, lambda text: None)
    watched = out["curve/validation@end"]
    best = int(watched.argmin())
    assert len(watched) == best + 1 + 3 < 60
    n = len(given.train["x"]) - len(given.train["x"]) // 5
    held_back = {key: a[n:] for key, a in given.train.items()}
    prediction = transcripts.predict(adapter, held_back)
    from nn_parity import metrics

    again = metrics.loss(case.recipe["loss"], prediction, held_back["y"])
    assert again == watched[best]


@pytest.mark.parametrize(
    ("name", "changes", "code"),
    [
        ("learning-rate", {"hidden": "4"}, "E005"),  # every part is a neuron
        ("digits", {"rho": "0.9"}, "E008"),  # sgd has none
        ("digits", {"dropout": "0.5"}, "E005"),  # the plain mlp has no such layer
        ("overfitting", {"augment": "rotate"}, "E006"),
        ("digits", {"schedule": "step(2)"}, "E006"),
        ("digits", {"activation": "leaky_relu"}, "E006"),
        ("digits", {"clip_norm": "1", "clip_value": "1"}, "E008"),
    ],
)
def test_a_setting_that_nothing_reads_or_that_makes_no_sense_is_refused(
    name, changes, code
):
    with pytest.raises(Refusal, match=code):
        recipes.cases(name, changes=changes, seed=0)


def test_a_setting_that_one_part_reads_is_taken():
    cases = {
        case.label: case.recipe
        for case, _ in recipes.cases("optimizers", changes={"mu": "0.8"}, seed=0)
    }
    assert cases["momentum"]["optimizer"]["mu"] == 0.8
    assert "mu" not in cases["sgd"]["optimizer"]
