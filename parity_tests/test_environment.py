"""What a run finds around it: quotas, versions it does not know, settings of the shell."""

import ast
import json
import os
import subprocess
import sys

import pytest

from nn_parity import citing, crew, environment, registry, results
from parity_tests.conftest import ROOT, python


@pytest.mark.parametrize(
    ("text", "processors"),
    [
        ("max 100000", 0),
        ("200000 100000", 2),
        ("150000 100000", 1),  # one and a half: no second thread runs all the time
        ("50000 100000", 1),
        ("", 0),
    ],
)
def test_a_containers_quota_counts(text, processors, tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "CPU_MAX", tmp_path / "cpu.max")
    there = environment.cores()  # no such file
    (tmp_path / "cpu.max").write_text(f"{text}\n", encoding="ascii")
    assert environment.quota() == processors
    assert environment.cores() == (min(there, processors) if processors else there)


def test_the_tested_versions_are_those_of_constraints():
    tested = environment.tested()
    assert {"numpy", "torch", "tensorflow-cpu", "keras", "jax", "optax"} <= set(tested)
    assert f"jax=={tested['jax']}\n" in (ROOT / "constraints.txt").read_text()


def test_another_version_is_named_where_its_second_number_differs(monkeypatch):
    tested = environment.tested()
    one, two = tested["torch"].split(".")[:2]
    here = {
        "torch": {"torch": f"{one}.{two}.99+cpu"},
        "jax": {"jax": "0.999.0", "optax": tested["optax"]},
    }
    monkeypatch.setattr(registry, "versions", lambda name: here.get(name, {}))
    assert environment.untested() == {"jax": f"0.999.0, tested with {tested['jax']}"}


@pytest.fixture(scope="module")
def unsettled(tmp_path_factory):
    """A run in a shell that sets what would change numbers or times; its output."""
    out = tmp_path_factory.mktemp("unsettled") / "run"
    shell = {
        "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "0", "OMP_NUM_THREADS": "7",
        "PYTHONHASHSEED": "3", "TF_CLI_CONFIG_FILE": "/nowhere",
    }  # fmt: skip
    words = ["compare", "hiring", "--frameworks", "scratch", "--epochs", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "nn_parity", *words, "--no-speed", "--out", str(out)],
        cwd=ROOT,
        env=os.environ | shell,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_settings_of_the_shell_reach_no_worker_and_are_named(unsettled):
    out, printed = unsettled
    known = json.loads((out / "environment.json").read_text(encoding="utf-8"))
    assert known["settings"]["OMP_NUM_THREADS"] == "1"
    assert known["settings"]["KERAS_BACKEND"] == "tensorflow"
    said = {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "0", "OMP_NUM_THREADS": "7"}
    assert said.items() <= known["ignored"].items()
    assert "TF_CLI_CONFIG_FILE" not in known["ignored"]  # Terraform's
    (line,) = (line for line in printed.splitlines() if "kept from the workers" in line)
    assert "KERAS_BACKEND=jax" in line
    assert "OMP_NUM_THREADS=7" in line


def test_a_workers_environment_is_the_same_whatever_the_shell_sets(
    monkeypatch, tmp_path
):
    for name in list(os.environ):
        if name.startswith(crew.SCRUBBED):
            monkeypatch.delenv(name)
    quiet = crew.environment(1, tmp_path)
    assert crew.ignored(1) == {}
    ask = "import os, sklearn; print({n: v for n, v in os.environ.items() if 'KMP_' in n})"
    for name, value in ast.literal_eval(python(["-c", ask]).stdout).items():
        monkeypatch.setenv(name, value)
    assert crew.ignored(1) == {}  # nobody's shell has set these
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as we would set it: no news
    assert crew.environment(1, tmp_path) == quiet
    assert set(crew.ignored(1)) == {"XLA_FLAGS", "PYTHONOPTIMIZE"}


def test_tables_of_an_untested_combination_say_so(unsettled):
    run = results.open_run(unsettled[0])
    assert not any("Untested" in line for line in citing.provenance(run))
    run.environment["untested"] = {"jax": "9.0, tested with 0.10.2"}
    assert "Untested combination: jax 9.0, tested with 0.10.2" in citing.provenance(run)
