"""What a run leaves in its folder, and what becomes of it when something else fails."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from nn_parity import (
    agreement,
    compare,
    environment,
    files,
    jobs,
    parity,
    pictures,
    registry,
    results,
    runs,
    samples,
    tables,
    tolerances,
)
from nn_parity.agreement import Cell
from nn_parity.errors import RESOURCES, Refusal
from parity_tests.conftest import ROOT


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "neuron"
    return parity("neuron", frameworks="scratch", dtype="float64", out=out)


def hiring(out, **options):
    small = {"frameworks": "scratch", "dtype": "float64", "epochs": 2, "speed": False}
    return compare("hiring", out=out, **(small | options))


# -- parity.csv ------------------------------------------------------------------------


def test_passed_is_true_false_or_empty(tmp_path):
    case = registry.spec("mlp").cases[0]
    ours = {"grad/W_1": np.ones(3), "loss/loss": np.array(1.0)}
    other = {"grad/W_1": np.full(3, 2.0), "loss/loss": np.array(1.0)}
    rows = agreement.compare(Cell(case, "torch", "float64"), ours, other)
    rows.append(Cell(case, "jax", "float64").row("grad", "W_1", status="reported"))
    jobs.write_csv(tmp_path / "parity.csv", agreement.COLUMNS, rows)
    raw = pd.read_csv(tmp_path / "parity.csv", dtype=str, keep_default_na=False)
    assert raw["passed"].tolist() == ["true", "false", ""]
    read = results.Run(tmp_path).parity["passed"]
    assert read[0] is True
    assert read[1] is False
    assert pd.isna(read[2])


# -- samples.jsonl ---------------------------------------------------------------------


def strict(line):
    def refuse(literal):
        raise ValueError(f"{literal} is no JSON")

    return json.loads(line, parse_constant=refuse)


def test_samples_are_json_for_strict_readers_and_come_back(tmp_path):
    written = [
        {"record": "parity", "experiment": "nan", "reason": "inf", "error_u": math.inf},
        {"record": "training", "predictions": [[1.5], [-math.inf]], "epochs": 3},
        {"record": "timing", "case": "-inf", "seconds": np.float64("nan"), "flag": ""},
    ]
    path = tmp_path / samples.FILE
    path.write_text(samples.text(written), encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert strict(lines[0])["error_u"] == "inf"
    assert [strict(line)["record"] for line in lines] == [s["record"] for s in written]
    read = results.Run(tmp_path).samples
    assert read[:2] == written[:2]
    assert math.isnan(read[2].pop("seconds"))
    assert read[2] == {"record": "timing", "case": "-inf", "flag": ""}


def test_every_row_of_a_run_is_a_sample(small):
    first, *rows = small.samples
    assert first == samples.header(environment.SCHEMA, environment.machine_id())
    assert [s["record"] for s in rows] == ["parity"] * len(small.parity)
    assert [s["error_u"] for s in rows] == small.parity["error_u"].tolist()


# -- figures ---------------------------------------------------------------------------


def test_a_figure_that_fails_leaves_the_others_and_the_run(
    tmp_path, monkeypatch, capsys
):
    def broken(*args, **options):
        raise ValueError("no font\nfor this")

    monkeypatch.setattr(pictures.figures, "loss_curves", broken)
    run = hiring(tmp_path / "run")
    said = capsys.readouterr().err.strip().splitlines()
    assert said == ["no figure loss-hiring-float64: ValueError: no font for this"]
    drawn = {path.stem for path in (run.path / "figures").iterdir()}
    assert "network-hiring-float64" in drawn
    assert "loss-hiring-float64" not in drawn
    assert (run.path / "status").read_text() == "complete\n"
    assert run.exit_code == 0
    assert tables.terminal(run)


def test_a_full_disk_is_no_matter_of_one_figure(tmp_path, monkeypatch):
    def full(path, fill):
        with files.out_of_space(path):
            raise OSError(files.FULL[0], "No space left on device")

    run = hiring(tmp_path / "run")
    monkeypatch.setattr(files, "write", full)
    with pytest.raises(Refusal, match="E501") as info:
        runs._draw(run)
    assert info.value.exit_code == RESOURCES


@pytest.mark.parametrize(
    ("frameworks", "gate"),
    [(("scratch", "torch"), 1e-5), (("scratch", "torch", "jax"), 1e-4)],
)
def test_the_gate_in_the_loss_figure_is_the_widest_of_those_drawn(
    monkeypatch, frameworks, gate
):
    drawn = {}
    monkeypatch.setattr(
        pictures.figures, "loss_curves", lambda curves, **of: drawn.update(of)
    )
    (case,) = (c for c in registry.spec("mlp").cases if c.name == "relu-adam")
    curves = {f: {"curve/loss@end": np.array([2.0, 1.0])} for f in frameworks}
    pictures._loss(case, "float32", curves)
    assert drawn["gate"] == pytest.approx(gate * 2.0)
    assert tolerances.OPTAX_FLOAT32.value == 1e-4


# -- tables ----------------------------------------------------------------------------


def test_layers_without_a_number_are_called_by_their_tensor(tmp_path):
    run = parity("lstm", frameworks="scratch", dtype="float64", out=tmp_path / "run")
    table = tables.parameters(run)
    assert table["layer"].tolist() == ["W_x", "W_h", "b", "W_y", "b_y", "total"]


def test_captions_are_escaped_for_latex():
    text = tables.as_text(
        pd.DataFrame({"A_b": ["x & y"]}),
        "tex",
        [r"\input{secret} 5 % of a_1 ~ $x^2$ #&"],
    )
    caption = next(line for line in text.splitlines() if line.startswith("\\caption"))
    assert caption == (
        r"\caption{\textbackslash{}input\{secret\} 5 \% of a\_1 \textasciitilde{} "
        r"\$x\textasciicircum{}2\$ \#\&}"
    )
    assert r"A\_b" in text
    assert r"x \& y" in text


def test_nothing_private_of_pandas_is_used():
    for path in (ROOT / "nn_parity").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "pandas.io" not in source, path
        assert "pandas.core" not in source, path


# -- environment.json ------------------------------------------------------------------


def test_the_source_of_each_implementation_is_hashed(small, tmp_path):
    known = small.environment["source_sha256"]
    assert set(known) == set(registry.PACKAGES.values())
    assert known == environment.source_sha256()
    package = tmp_path / "jax_impl"
    package.mkdir()
    (package / "mlp.py").write_text("x = 1\n")
    before = environment.source_sha256(tmp_path)
    (package / "mlp.py").write_text("x = 2\n")
    changed = environment.source_sha256(tmp_path)
    (package / "mlp.py").rename(package / "lstm.py")
    renamed = environment.source_sha256(tmp_path)
    assert len({hashes["jax_impl"] for hashes in (before, changed, renamed)}) == 3
    assert len({hashes["keras_impl"] for hashes in (before, changed, renamed)}) == 1


def test_a_run_does_not_go_on_with_other_code(tmp_path, monkeypatch):
    run = hiring(tmp_path / "run")
    known = environment.source_sha256()
    again = hiring(run.path, resume=True)
    assert again.exit_code == 0
    monkeypatch.setattr(environment, "source_sha256", lambda: known | {"scratch": "0"})
    with pytest.raises(Refusal, match=r"E018.*code of the implementations"):
        hiring(run.path, resume=True)
