"""The divergence atlas: each row diverges, each setting heals, and the engine can tell."""

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from nn_parity import atlas, errors, registry
from nn_parity.divergences import catalogue, measuring
from nn_parity.divergences.row import Row
from parity_tests.conftest import INSTALLED, ROOT

EVERYBODY = len(INSTALLED) == len(registry.FRAMEWORKS)


@pytest.fixture(scope="session")
def frame(shared_folder):
    """The whole atlas in all installed frameworks; run once."""
    path = shared_folder / "atlas.pickle"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            atlas.atlas(frameworks=INSTALLED).to_pickle(path)
    return pd.read_pickle(path)


def pinned():
    """Whether each framework has the version that the published figures are of."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    return EVERYBODY and all(
        version.partition("+")[0] == pins[name]
        for framework in registry.FRAMEWORKS
        for name, version in registry.versions(framework).items()
    )


# -- the rows ----------------------------------------------------------------------------


def test_the_catalogue_is_in_order():
    ids = [row.id for row in catalogue.ROWS]
    assert len(ids) == len(set(ids)) >= 85
    for topic in catalogue.TOPICS:
        rows = import_module(f"nn_parity.divergences.{topic}").ROWS
        assert rows
        assert {row.topic for row in rows} == {topic}


@pytest.mark.parametrize("row", catalogue.ROWS, ids=lambda row: row.id)
def test_each_side_gets_the_same_numbers(row):
    """The worker of each framework draws them anew."""
    one, two = row.inputs(), row.inputs()
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.parametrize("row", catalogue.ROWS, ids=lambda row: row.id)
def test_a_loose_gate_has_a_reason(row):
    assert row.gate == 1e-12 or row.why


@pytest.mark.parametrize("row", catalogue.ROWS, ids=lambda row: row.id)
def test_the_row_is_as_the_atlas_says(frame, row):
    line = frame.set_index("id").loc[row.id]
    assert line["status"] not in atlas.BAD, line["reason"]
    if pinned():
        assert line["status"] in atlas.AS_SAID
        assert (line[["torch", "keras", "jax", "numpy"]] != "").sum() >= 2
        assert bool(row.setting) == (line["status"] == "diverges")


@pytest.mark.skipif(not pinned(), reason="figures are those of the pinned versions")
@pytest.mark.parametrize("row", catalogue.ROWS, ids=lambda row: row.id)
def test_the_published_figure_is_found_again(frame, row):
    measured = frame.set_index("id").loc[row.id, "naive"]
    if row.published is not None and not row.why and row.published > row.gate:
        assert row.published / 3 < measured < row.published * 3


# -- the engine --------------------------------------------------------------------------

ROW = Row("X01", "layout", "synthetic", dict, "a setting", None)


def side(naive, aligned=None):
    given = {"does": "something", "naive": {"": naive}}
    return given if aligned is None else given | {"aligned": {"": aligned}}


def judged(*sides, partial=False):
    named = dict(zip(registry.FRAMEWORKS, sides, strict=False))
    return atlas.judged(ROW, named, partial=partial)


def test_sides_that_part_and_meet_diverge():
    line = judged(side(1.0, 5.0), side(3.5, 5.0), side(2.0, 5.0))
    assert (line["status"], line["naive"], line["aligned"]) == ("diverges", 2.5, 0.0)


def test_sides_that_do_not_meet_fail():
    assert judged(side(1.0, 1.0), side(2.0, 1.0 + 1e-9))["status"] == "failed"


def test_a_remedy_of_some_only_is_no_common_setting():
    assert judged(side(1.0, 2.0), side(2.0))["status"] == "no common setting"
    assert judged(side(1.0, 2.0), side(2.0), side(3.0, 9.0))["status"] == "failed"


def test_a_divergence_that_is_gone_is_healed_only_if_everybody_was_there():
    same = side(1.0, 1.0), side(1.0 + 5e-13, 1.0)
    assert judged(*same)["status"] == "healed"
    assert judged(*same, partial=True)["status"] == "not seen"


def test_a_row_that_stands_guard_agrees_or_fails():
    guard = replace(ROW, published=4e-16)
    same = {"scratch": side(1.0, 1.0), "torch": side(1.0, 1.0)}
    assert atlas.judged(guard, same, partial=False)["status"] == "agrees"
    other = same | {"jax": side(1.1, 1.1)}
    assert atlas.judged(guard, other, partial=False)["status"] == "failed"


@pytest.mark.parametrize(
    ("a", "b", "difference"),
    [
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([np.inf, 1.0], [np.inf, 1.5], 0.5),
        ([np.inf], [-np.inf], np.inf),
        ([[1.0, 2.0]], [1.0, 2.0], np.inf),
        ([], [], 0.0),
    ],
)
def test_what_counts_as_a_difference(a, b, difference):
    assert judged(side(a, a), side(b, b))["naive"] == difference
    assert (judged(side(a, a), side(a, b))["status"] == "failed") == (difference > 0)


def test_other_names_are_other_answers():
    one = {"does": "", "naive": {"W": 1.0}, "aligned": {"W": 1.0}}
    two = {"does": "", "naive": {"V": 1.0}, "aligned": {"W": 1.0}}
    assert judged(one, two)["naive"] == np.inf


def test_a_side_that_raises_is_a_row_with_a_reason(monkeypatch):
    from scratch import atlas as scratch
    from scratch.divergences.pair import Pair

    def broken(given):
        return given["nobody gave this"]

    good = scratch.ROWS["L01"]
    rows = {"L01": good, "L02": Pair("breaks", broken, broken)}
    monkeypatch.setattr(scratch, "ROWS", rows)
    sides = measuring.measure("scratch", ["L01", "L02", "L03"])
    assert sides.keys() == {"L01", "L02"}
    assert "aligned" in sides["L01"]
    assert "KeyError" in sides["L02"]["reason"]
    line = judged(sides["L02"], side(1.0, 1.0), side(2.0, 1.0))
    assert line["status"] == "crashed"
    assert line["naive"] == 1.0  # the others go on
    assert "scratch: naive: KeyError" in line["reason"]


def test_a_row_in_no_topic_is_refused(monkeypatch):
    from scratch import atlas as scratch

    monkeypatch.setattr(scratch, "ROWS", {"L99": scratch.ROWS["L01"]})
    with pytest.raises(ValueError, match="L99"):
        measuring.measure("scratch", ["L01"])


def test_numbers_survive_the_way_to_the_parent_bit_for_bit():
    x = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    plain = json.loads(json.dumps(measuring._plain({"x": x, "nan": np.nan})))
    np.testing.assert_array_equal(np.array(plain["x"], np.float32), x)
    assert np.isnan(plain["nan"])


def test_a_worker_that_ends_is_the_reason_of_its_rows(monkeypatch):
    from nn_parity import crew

    def ends(self, job, say=None):
        raise crew.Failure("killed", "the worker was ended by SIGKILL")

    monkeypatch.setattr(crew.Worker, "run", ends)
    lines = atlas.atlas("layout", "scratch")
    assert set(lines["status"]) == {"killed"}
    assert set(lines["reason"]) == {"scratch: the worker was ended by SIGKILL"}
    assert atlas.exit_code(lines, None) == errors.PARITY_FAILED


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("diverges", 0),
        ("healed", 0),
        ("no common setting", 0),
        ("failed", 1),
        ("crashed", 1),
    ],
)
def test_exit_codes(status, code):
    assert atlas.exit_code(pd.DataFrame({"status": ["diverges", status]}), None) == code


def test_a_framework_that_is_not_there_is_a_reason(monkeypatch):
    monkeypatch.setattr(
        registry, "missing", lambda f: () if f == "scratch" else ("it",)
    )
    lines = atlas.atlas("L01", "scratch,torch")
    assert lines["status"].tolist() == ["not installed"]
    assert "pip install" in lines["reason"][0]
    assert atlas.exit_code(lines, "torch") == errors.ENVIRONMENT
    assert atlas.exit_code(lines, None) == errors.OK


# -- the command line --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "mark"),
    [("text", "┃"), ("md", "|:--"), ("tex", r"\toprule"), ("csv", ","), ("html", "<t")],
)
def test_the_table_in_every_format(cli, tmp_path, format, mark):
    options = ("--frameworks", "scratch", "--format", format, "--out", "t")
    done = cli("atlas", "L01", *options)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "t").read_text(encoding="utf-8")
    assert mark in text
    assert "L01" in text
    assert "--force" in cli("atlas", "L01", *options).stderr


def test_json_is_the_whole_frame(cli):
    done = cli("atlas", "l01", "--frameworks", "numpy", "--json")
    (line,) = json.loads(done.stdout)
    assert tuple(line) == atlas.COLUMNS
    assert line["numpy"] == "x @ W, (in, out)"
    assert line["status"] == "not seen"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["normalisation"], ["E020", "did you mean 'normalization'?"]),
        (["L999"], ["E020", "nn-parity atlas"]),
        (["--format", "pdf"], ["E013", "pdf", "text, md"]),
        (["--frameworks", "pytroch"], ["E002", "pytorch"]),
    ],
)
def test_bad_usage_is_refused(cli, arguments, words):
    done = cli("atlas", *arguments)
    assert done.returncode == errors.USAGE
    for word in words:
        assert word in done.stderr
