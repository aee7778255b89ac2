"""Accuracy over seeds: every seed its own training, everywhere alike; then mean and ties."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nn_parity import compare, pictures, results, seeds, tables, verifying
from nn_parity.errors import Refusal
from parity_tests.conftest import OTHERS

OTHER = OTHERS[-1:]
FRAMEWORKS = ["scratch", *OTHER]
SMALL = {"epochs": 20, "speed": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two experiments, three seeds; `or-by-hand` is given and is trained by nobody."""
    out = tmp_path_factory.mktemp("seeds") / "run"
    return compare(
        ["hiring", "logic-gates"], frameworks=FRAMEWORKS, seeds=3, seed=5, out=out,
        **SMALL,
    )  # fmt: skip


def test_accuracy_has_a_row_for_each_seed_framework_and_dtype(run):
    rows = run.accuracy
    hiring = rows[rows["experiment"] == "hiring"]
    assert sorted(hiring["seed"].unique()) == [5, 6, 7]
    assert len(hiring) == 3 * 2 * len(FRAMEWORKS)
    assert set(rows["status"]) == {"ok"}
    by_hand = rows[rows["part"].str.endswith("by-hand")]
    assert set(by_hand["seed"]) == {5}
    assert run.environment["seeds"] == [5, 6, 7]
    assert run.exit_code == 0


def test_further_seeds_repeat_the_training_and_no_tier(run):
    rows = run.parity
    quantities = rows.groupby("seed")["quantity"].agg(set)
    assert quantities[5] > {"activation", "output", "loss", "grad", "curve"}
    further = rows[rows["seed"] > 5]
    assert set(further["quantity"]) == {"state", "curve", "trained", "prediction"}
    assert further["tensor"].str.match("(loaded/.*|.*@end)$").all()


def test_further_seeds_are_gated_in_float64(run):
    rows = run.parity
    others = rows[(rows["seed"] > 5) & (rows["framework"] != "scratch")]
    ends = others[others["tensor"].str.endswith("@end")]
    if OTHER:
        assert (ends.loc[ends["dtype"] == "float64", "passed"] == True).all()  # noqa: E712
    assert set(ends.loc[ends["dtype"] == "float32", "status"]) <= {"reported"}
    loaded = others[others["tensor"].str.startswith("loaded/")]
    assert (loaded["error_rel"] == 0).all()


def weights(run, name, framework="scratch", dtype="float64"):
    (case,) = (c for c in run.cases if c.name == name)
    found = run.transcript(case, framework, dtype)
    return {k: v for k, v in found.items() if k.startswith("state/loaded/")}


def test_each_seed_has_its_own_weights_and_each_framework_the_same(run):
    W = [
        weights(run, name)["state/loaded/W_1"]
        for name in ("hiring", "hiring, seed 6", "hiring, seed 7")
    ]
    assert not np.array_equal(W[0], W[1])
    assert not np.array_equal(W[1], W[2])
    for framework in OTHER:
        there = weights(run, "hiring, seed 7", framework, "float32")
        assert np.array_equal(there["state/loaded/W_1"], W[2].astype(np.float32))


def test_a_further_seed_is_the_run_that_its_own_seed_makes(run, tmp_path):
    """Weights, order of examples and all: the rows are the same, digit for digit."""
    alone = compare(
        ["hiring", "logic-gates"], frameworks="scratch", seed=6, out=tmp_path / "run",
        **SMALL,
    ).cells("accuracy")  # fmt: skip
    rows = run.cells("accuracy")
    rows = rows[(rows["seed"] == "6") & (rows["framework"] == "scratch")]
    alone = alone[~alone["part"].str.endswith("by-hand")]
    order = ["experiment", "part", "dtype"]
    pd.testing.assert_frame_equal(
        rows.sort_values(order).reset_index(drop=True),
        alone.sort_values(order).reset_index(drop=True),
    )


def test_figures_show_the_first_seed_once(run):
    assert not [name for name in pictures.kinds(run) if "seed" in name]
    assert len(set(pictures.kinds(run))) == len(pictures.kinds(run))
    assert "loss-hiring-float64" in pictures.kinds(run)


def test_it_is_verified_and_goes_on_when_resumed(run, tmp_path):
    out = tmp_path / "run"
    asked = {"frameworks": "scratch", "seeds": 2, "out": out, **SMALL}
    first = compare("hiring", **asked)
    tables_ = {k: (out / f"{k}.csv").read_bytes() for k in ("parity", "accuracy")}
    done = first.transcript_path("scratch", "float64", "mlp")
    stamp = done.stat().st_mtime_ns
    first.transcript_path("scratch", "float32", "mlp").unlink()
    with pytest.raises(Refusal, match="E018.*other cases"):
        compare("hiring", resume=True, **asked | {"seeds": 3})
    compare("hiring", resume=True, **asked)
    assert done.stat().st_mtime_ns == stamp
    assert {k: (out / f"{k}.csv").read_bytes() for k in tables_} == tables_
    assert verifying.verify(out).findings == []
    assert verifying.verify(run.path).findings == []


def test_the_screen_shows_means_and_the_table_is_exported(run):
    titles = [str(table.title) for table in tables.terminal(run)]
    assert [t for t in titles if t.startswith("Accuracy over seeds")]
    text = run.table("seeds", format="md")
    assert "Student's t" in text
    assert "seeds 5 to 7" in text


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"seeds": 0}, "0 seeds"),
        ({"seeds": -1}, "-1 seeds"),
        ({"seeds": True}, "True seeds"),
        ({"seeds": 2.0}, "2.0 seeds"),
        ({"seeds": 2, "seed": 2**32 - 1}, "2 seeds"),
        ({"seeds": 2, "weights": "w.npz"}, "same weights"),
    ],
)
def test_impossible_seeds_are_refused(tmp_path, options, word):
    with pytest.raises(Refusal, match=f"E010.*{word}") as info:
        compare("hiring", frameworks="scratch", out=tmp_path / "run", **options)
    assert info.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_the_command_takes_seeds(cli):
    asked = ["compare", "hiring", "--frameworks", "scratch", "--dtype", "float64"]
    asked += ["--epochs", 1, "--no-speed"]
    done = cli(*asked, "--seeds", 2, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "hiring, seed 1: running" in done.stderr
    done = cli("table", "run", "--kind", "seeds", "--format", "csv")
    assert done.stdout.splitlines()[1].startswith("hiring,,hiring,scratch,float64,1,")
    assert cli(*asked, "--seeds", 0).returncode == 2


# -- means, intervals, ties --------------------------------------------------------------


def rows(**accuracies):
    """Rows of accuracy.csv from {framework: accuracy of each seed}; None diverged."""
    found = []
    for framework, values in accuracies.items():
        for seed, value in enumerate(values):
            known = {"experiment": "e", "part": "", "dataset": "d", "dtype": "float64"}
            known |= {"framework": framework, "seed": seed, "epochs": 3}
            lost = {"status": "diverged"}
            ended = {"status": "ok", "test_accuracy": value, "test_loss": 0.5}
            ended |= {"n_test": 100, "disagreements_with_scratch": seed}
            found.append(known | (lost if value is None else ended))
    columns = ["test_accuracy", "test_loss", "n_test", "disagreements_with_scratch"]
    frame = pd.DataFrame(found)
    return frame.assign(**{c: pd.to_numeric(frame[c]) for c in columns})


def summary(frame):
    return seeds.over_seeds(frame).set_index("framework")


def test_mean_spread_and_interval_are_students():
    values = [0.90, 0.95, 0.93, 0.91, 0.96]
    row = summary(rows(scratch=values)).loc["scratch"]
    percent = 100 * np.array(values)
    expected = stats.ttest_1samp(percent, 0).confidence_interval(0.95)
    assert row["mean"] == pytest.approx(percent.mean())
    assert row["sd"] == pytest.approx(percent.std(ddof=1))
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    assert (row["seeds"], row["n_test"]) == (5, 500)
    assert row["disagreements_with_scratch"] == 0 + 1 + 2 + 3 + 4
    assert row["differs_from"] == "not compared"


def test_an_accuracy_has_no_interval_beyond_100():
    row = summary(rows(scratch=[1.0, 0.97, 1.0])).loc["scratch"]
    assert row["high"] == 100
    assert row["low"] < 97


@pytest.mark.parametrize(
    ("difference", "tied"),
    [
        ([0, 0, 0, 0, 0], True),
        ([0.01, -0.01, 0.01, -0.01, 0.02], True),
        ([0.01, 0.011, 0.012, 0.01, 0.011], False),
        ([-0.01, -0.011, -0.012, -0.01, -0.011], False),
        ([0.05, 0.0, 0.0, 0.0, 0.0], True),  # one seed makes no difference
    ],
)
def test_frameworks_are_tied_unless_paired_differences_exclude_zero(difference, tied):
    """The seeds spread far more than the frameworks differ: only pairs tell."""
    scratch = np.array([0.80, 0.90, 0.70, 0.95, 0.60])
    found = summary(rows(scratch=scratch, jax=scratch + difference))
    says = found["differs_from"]
    assert (says["scratch"] == "tied") == tied
    assert (says["jax"] == "tied") == tied
    paired = stats.ttest_1samp(difference, 0).pvalue if np.any(difference) else 1
    assert (paired > 0.05) == tied
    if not tied:
        sign = "+" if difference[0] > 0 else "-"
        assert says["jax"].startswith(f"scratch by {sign}1.08 (")


def test_one_seed_tells_nothing_about_a_difference():
    found = summary(rows(scratch=[0.9], jax=[0.8]))
    assert set(found["differs_from"]) == {"not compared"}
    assert found["sd"].isna().all()
    assert found["low"].isna().all()


def test_a_seed_that_diverged_is_counted_and_no_mean_is_made_of_it():
    found = summary(rows(scratch=[0.9, 0.8, 0.7], jax=[0.9, None, 0.7]))
    assert found.loc["jax", "seeds"] == 2
    assert found.loc["jax", "mean"] == pytest.approx(80)
    assert found.loc["jax", "status"] == "1 of 3 diverged"
    assert found.loc["jax", "n_test"] == 200
    assert found.loc["scratch", "differs_from"] == "tied"  # of the seeds both have


def test_without_classes_losses_are_compared_as_they_are_printed():
    frame = rows(scratch=[0.1, 0.1, 0.1], jax=[0.1, 0.1, 0.1])
    frame["test_accuracy"] = np.nan
    frame["test_loss"] = [0.5, 0.6, 0.7, 0.5 + 1e-7, 0.6 + 1e-7, 0.7 + 1e-7]
    found = summary(frame)
    assert set(found["measure"]) == {"test loss"}
    assert set(found["differs_from"]) == {"tied"}  # rounding is no difference
    frame.loc[frame["framework"] == "jax", "test_loss"] += [0.01, 0.011, 0.012]
    assert summary(frame).loc["jax", "differs_from"].startswith("scratch by +0.011")


def test_every_part_and_dtype_is_summed_up_for_itself(run):
    frame = seeds.over_seeds(run.accuracy)
    parts = {c.name: c for c in run.first_cases}
    assert len(frame) == len(parts) * 2 * len(FRAMEWORKS)
    assert tuple(frame.columns) == seeds.COLUMNS
    mine = frame[(frame["part"] == "xor") & (frame["dtype"] == "float32")].iloc[0]
    rows = run.accuracy
    rows = rows[(rows["part"] == "xor") & (rows["dtype"] == "float32")]
    rows = rows[rows["framework"] == mine["framework"]]
    assert mine["mean"] == pytest.approx(100 * rows["test_accuracy"].mean())
    assert isinstance(run, results.Run)
