"""Two benchmarks side by side: the difference of their ratios, its interval, its refusals."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from nn_parity import overview, results
from nn_parity.benching import intervals, repeated
from nn_parity.cli import app
from nn_parity.errors import Refusal
from parity_tests.conftest import ROOT

PUBLISHED = ROOT / "results" / "published"
DIGITS = {"experiment": "digits", "part": "", "variant": "lean", "kind": "train-epoch",
          "dtype": "float32", "batch_size": 32, "threads": 1}  # fmt: skip
RATIOS = ("ratio_to_scratch", "ratio_lo", "ratio_hi", "cpu_ratio")


def benchmark(folder, **ratios):
    """A run that has timed nothing but these: framework=(median, low, high, CPU ratio)."""
    rows = [
        DIGITS
        | {"framework": framework, "n": 155, "launches": 5, "flag": "", "status": "ok"}
        | dict(zip(RATIOS, values, strict=True))
        for framework, values in ratios.items()
    ]  # fmt: skip
    folder.mkdir()
    pd.DataFrame(rows).to_csv(folder / "speed.csv", index=False)
    environment = json.dumps({"kind": "bench"})
    (folder / "environment.json").write_text(environment, encoding="utf-8")
    return results.open_run(folder)


def test_a_difference_within_the_intervals_is_chance_and_another_is_not(tmp_path):
    first = benchmark(
        tmp_path / "first",
        scratch=(1, 1, 1, 1), torch=(4, 3.8, 4.21, 4), jax=(0.5, 0.49, 0.51, 0.5),
    )  # fmt: skip
    second = benchmark(
        tmp_path / "second",
        scratch=(1, 1, 1, 1), torch=(4.08, 3.88, 4.29, 4), jax=(0.6, 0.588, 0.612, 0.55),
    )  # fmt: skip
    found = repeated.differences(first, second).set_index("framework")
    assert list(found.index) == ["torch", "jax"]  # scratch is 1 by definition
    assert found["difference_percent"].tolist() == pytest.approx([2.0, 20.0])
    assert found["cpu_difference_percent"].tolist() == pytest.approx([0.0, 10.0])
    assert found["contains_0"].tolist() == ["yes", "no"]
    torch = found.loc["torch"]
    assert torch["percent_from"] < 0 < torch["percent_to"]
    says = repeated.says(found)
    assert "11.0 % of wall time, 5.0 % of CPU time" in says
    assert "1 of 2 rows" in says


def test_the_interval_of_a_difference_covers_what_it_promises(tmp_path):
    """Of 200 pairs of benchmarks of the same truth, whose launches differ, about 95 %."""
    rng = np.random.default_rng(2)

    def measured(run):
        ratios = {}
        for number in range(200):
            spread = 0.02 * (1 + 2 * (run == "second"))  # a noisier day
            launches = np.exp(
                rng.normal(0, spread, (5, 1)) + rng.normal(0, 0.01, (5, 31))
            )
            ends = intervals.interval(launches, resamples=200)
            ratios[f"truth-{number}"] = (np.median(launches), *ends, 1)
        return benchmark(tmp_path / run, **ratios)

    found = repeated.differences(measured("first"), measured("second"))
    within = (found["contains_0"] == "yes").sum()
    assert 0.91 * 200 <= within < 200


def test_a_benchmark_is_itself():
    found = repeated.differences(*2 * [results.open_run(PUBLISHED / "bench-digits")])
    assert found["framework"].nunique() == 4
    assert (found["difference_percent"] == 0).all()
    assert (found["contains_0"] == "yes").all()


@pytest.mark.parametrize(
    ("other", "code"), [("elsewhere", "E609"), ("untimed", "E604")]
)
def test_what_cannot_be_compared_is_refused(other, code, tmp_path):
    first = benchmark(tmp_path / "first", torch=(4, 3.8, 4.2, 4))
    benchmark(tmp_path / "elsewhere", keras=(4, 3.8, 4.2, 4))
    benchmark(tmp_path / "untimed", torch=(4, 3.8, 4.2, 4))
    (tmp_path / "untimed" / "speed.csv").unlink()
    with pytest.raises(Refusal) as raised:
        repeated.differences(first, results.open_run(tmp_path / other))
    assert raised.value.code == code


def test_the_table_says_where_both_come_from():
    folders = [str(PUBLISHED / name) for name in ("bench-digits", "bench-digits-again")]
    told = CliRunner().invoke(app, ["table", folders[0], "--against", folders[1]])
    assert told.exit_code == 0
    for line in (
        "| torch", "Median", "contains 0", "Both: numpy", "First: nn-parity bench digits",
        "Second: nn-parity bench digits",
    ):  # fmt: skip
        assert line in told.stdout


def test_the_page_of_what_is_published_compares_a_benchmark_with_its_repetition(
    tmp_path,
):
    for name in ("bench-digits", "bench-digits-again"):
        shutil.copytree(PUBLISHED / name, tmp_path / name)
    section = overview.page(tmp_path).partition("## Do they say")[2].partition("## ")[0]
    (line,) = (
        line for line in section.splitlines() if line.startswith("| bench-digits ")
    )
    runs = [results.open_run(path) for path in sorted(tmp_path.iterdir())]
    found = repeated.differences(*runs)
    typical = found["difference_percent"].abs().median()
    assert f"| {typical:.1f} " in line
    assert f"{(found['contains_0'] == 'yes').sum()} of {len(found)}" in line
