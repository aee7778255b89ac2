"""The published results: each can be made anew from its records, the page from the tables."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from nn_parity import compare, overview, publishing, results, verifying
from nn_parity.experiments import EXPERIMENTS
from parity_tests.conftest import INSTALLED, ROOT

PUBLISHED = ROOT / "results" / "published"
FOLDERS = sorted(path.parent for path in PUBLISHED.glob("*/environment.json"))


def each(quick):
    """Every published folder; all but one are left to the long tests."""
    return [
        folder
        if folder.name == quick
        else pytest.param(folder, marks=pytest.mark.thorough)
        for folder in FOLDERS
    ]


@pytest.mark.parametrize("folder", each("digits"), ids=lambda folder: folder.name)
def test_it_is_what_its_records_say(folder):
    assert verifying.verify(folder).findings == []


def test_every_experiment_is_there_from_five_seeds():
    there = {
        case.experiment
        for run in map(results.open_run, FOLDERS)
        if len(run.environment.get("seeds", ())) >= 5
        for case in run.cases
    }
    assert there == set(EXPERIMENTS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_gated_row_passes(folder):
    run = results.open_run(folder)
    rows = run.parity[run.parity["passed"] == False]  # noqa: E712 - a column
    assert rows["reason"].tolist() == []


@pytest.mark.parametrize("kind", ["parity", "accuracy"])
def test_one_digit_changed_in_a_table_is_found(kind, tmp_path):
    folder = tmp_path / "digits"
    shutil.copytree(PUBLISHED / "digits", folder)
    path = folder / f"{kind}.csv"
    text = path.read_text(encoding="utf-8")
    for at in np.random.default_rng(0).choice(
        [found.start() for found in re.finditer(r"\d", text)], 5, replace=False
    ):
        other = str((int(text[at]) + 1) % 10)
        path.write_text(text[:at] + other + text[at + 1 :], encoding="utf-8")
        assert verifying.verify(folder).findings


def test_the_page_is_made_of_the_tables():
    assert (PUBLISHED / overview.PAGE).read_text(encoding="utf-8") == overview.page(
        PUBLISHED
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A folder with a published comparison and another that is faulty."""
    folder = tmp_path_factory.mktemp("two")
    for name, seeds in (("hiring", 2), ("xor", 1)):
        run = compare(
            name, frameworks=INSTALLED[:2], epochs=5, seeds=seeds, speed=False,
            out=folder / "runs" / name,
        )  # fmt: skip
        publishing.publish(run.path, folder / "published" / name)
    return folder / "published"


def test_the_page_names_the_worst_error_of_each_run(two):
    text = overview.page(two)
    parity = pd.read_csv(two / "hiring" / "parity.csv", keep_default_na=False)
    ends = parity[(parity["dtype"] == "float64") & (parity["tensor"] == "loss@end")]
    worst = pd.to_numeric(ends["error_rel"]).max()
    (line,) = (
        line for line in text.splitlines() if re.match(r"\| hiring .* of ", line)
    )
    assert f"{worst:.1e}" in line
    assert f"{sum(parity['passed'] == 'true'):,} of" in line


def test_the_page_has_means_over_seeds_and_the_ids_of_tables(two):
    text = overview.page(two)
    seeds = (two / "hiring" / "tables" / "seeds.md").read_text(encoding="utf-8")
    (id_,) = set(re.findall(r"table (\w{12})", seeds))
    (line,) = (line for line in text.splitlines() if id_ in line)
    assert "2 seeds" in line
    assert overview.write(two).read_text(encoding="utf-8") == text
