"""The command line as a user meets it: real processes, exit codes, one-line refusals."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nn_parity import registry
from parity_tests.conftest import BACKENDS, INSTALLED, ROOT, mnist_folder, needs_mnist


def refused(done, code):
    """One line on standard error, the right exit code, no traceback."""
    assert done.returncode == code, (done.returncode, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error[E")
    assert " -> " in lines[0]
    return lines[0]


def nothing_written(folder):
    return [p for p in folder.rglob("*") if p.is_file()] == []


def test_help_is_quick_and_names_every_command(cli):
    done = cli("--help")
    assert done.returncode == 0
    for command in (
        "list", "compare", "parity", "bench", "atlas", "show", "predict", "weights", "table",
        "plot", "verify", "publish", "data",
    ):  # fmt: skip
        assert command in done.stdout


def test_list_says_what_is_there(cli):
    done = cli("list", "--json")
    every = json.loads(done.stdout)
    assert set(every["networks"]) == set(registry.networks())
    assert "digits" in every["experiments"]
    for name, state in every["frameworks"].items():
        assert state["installed"] == (name in [*INSTALLED, *BACKENDS])
    text = cli("list").stdout
    assert "784-16-16-10" in text
    assert "fashion-mnist" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", "digist"], ["digist", "did you mean 'digits'?"]),
        (["compare", "hiring", "--frameworks", "pytroch"], ["pytroch", "pytorch"]),
        (["compare", "hiring", "--frameworks", ","], ["no framework"]),
        (
            ["compare", "hiring", "--set", "hiden=3"],
            ["hiden", "did you mean 'hidden'?"],
        ),
        (["compare", "hiring", "--set", "hidden=0"], ["hidden", "units"]),
        (["compare", "hiring", "--set", "lr"], ["KEY=VALUE"]),
        (["compare", "hiring", "--set", "lr=1", "--set", "lr=2"], ["twice"]),
        (["compare", "hiring", "--set", "lr=nan"], ["lr"]),
        (["compare", "hiring", "--set", "activation=relo"], ["relo", "relu"]),
        (["compare", "hiring", "--set", "mu=0.5"], ["mu", "optimizer=momentum"]),
        (["compare", "digits", "--set", "output=tanh"], ["output", "logits"]),
        (
            ["compare", "digits", "--set", "init=orthogonal_gates"],
            ["init", "he_normal"],
        ),
        (["compare", "hiring", "--set", "loss=ce"], ["does not fit", "hiring"]),
        (["compare", "digits", "--set", "batch=0"], ["batch", "from 1"]),
        (["compare", "hiring", "--seed", "-1"], ["seed -1", "0 to 4294967295"]),
        (["compare", "hiring", "--seed", "4294967296"], ["seed"]),
        (["compare", "hiring", "--seed", "1.5"], ["--seed", "integer"]),
        (["compare", "hiring", "--epochs", "-3"], ["epochs"]),
        (["compare", "hiring", "--dtype", "float16"], ["float16", "float32"]),
        (
            ["compare", "reverse", "--set", "activation=relu"],
            ["activation", "seq2seq"],
        ),
        (["parity", "lstn"], ["lstn", "did you mean 'lstm'?"]),
        (["show", "mpl"], ["mpl", "mlp"]),
        (["predict", "hiring", "--input", "1,2,3"], ["2 finite numbers"]),
        (["predict", "hiring", "--input", "nan,1"], ["finite"]),
        (["predict", "hiring", "--input", "test:9"], ["test:0 to test:1"]),
        (["nonsense"], ["nonsense"]),
        (["compare", "--nonsense"], ["--nonsense"]),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(cli, tmp_path, arguments, words):
    line = refused(cli(*arguments), 2)
    for word in words:
        assert word in line
    assert nothing_written(tmp_path)


def test_more_threads_than_cores_is_refused(cli):
    assert "threads" in refused(cli("compare", "hiring", "--threads", "999"), 3)


def test_an_output_folder_that_cannot_be_written_is_found_before_training(
    cli, tmp_path
):
    (tmp_path / "file").write_text("in the way")
    line = refused(cli("compare", "hiring", "--out", "file/run"), 5)
    assert "file/run" in line


def test_a_folder_that_holds_a_run_is_not_overwritten(cli, tmp_path):
    done = cli("parity", "neuron", "--frameworks", "scratch", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "holds a run already" in refused(cli("parity", "neuron", "--out", "run"), 2)


def test_json_refusals_are_objects(cli):
    done = cli("compare", "digist", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["code"] == "E004"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from nn_parity import compare

    out = tmp_path_factory.mktemp("cli") / "hiring"
    return compare("hiring", frameworks="scratch", out=out, epochs=20)


@pytest.mark.parametrize(
    "kind", ["parity", "speed", "accuracy", "summary", "parameters", "seeds"]
)
@pytest.mark.parametrize("format", ["md", "tex", "csv", "html", "bibtex"])
def test_every_table_in_every_format(cli, run, kind, format):
    done = cli("table", run.path, "--kind", kind, "--format", format)
    assert done.returncode == 0, done.stderr
    marks = {"md": "|:--", "tex": r"\toprule", "csv": ",", "html": "<table"}
    assert marks.get(format, "@misc{") in done.stdout
    assert ("hiring" if format == "bibtex" else "scratch") in done.stdout


def test_a_table_is_not_written_over_a_file_without_force(cli, run, tmp_path):
    (tmp_path / "t.md").write_text("mine")
    line = refused(cli("table", run.path, "-o", "t.md"), 2)
    assert "--force" in line
    assert (tmp_path / "t.md").read_text() == "mine"
    assert cli("table", run.path, "-o", "t.md", "--force").returncode == 0
    assert "quantity" in (tmp_path / "t.md").read_text()


def test_table_of_a_folder_that_is_no_run(cli, tmp_path):
    assert "environment.json" in refused(cli("table", tmp_path), 6)


def test_plot_draws_the_figures_again_with_the_same_bytes(cli, run, tmp_path):
    done = cli("plot", run.path, "--out", "again")
    assert done.returncode == 0, done.stderr
    drawn = sorted((tmp_path / "again").iterdir())
    assert len(drawn) >= 6
    for path in drawn:
        assert path.read_bytes() == (run.path / "figures" / path.name).read_bytes()


@pytest.mark.parametrize("suffix", ["npz", "csv"])
def test_weights_travel_from_a_run_into_the_next(cli, run, tmp_path, suffix):
    file = f"w.{suffix}"
    done = cli("weights", "export", run.path, "--to", file)
    assert done.returncode == 0, done.stderr
    assert "trained weights of hiring" in done.stdout
    done = cli("weights", "check", file, "--experiment", "hiring")
    assert done.returncode == 0, done.stderr
    assert "fits hiring" in done.stdout
    options = [
        "--weights",
        file,
        "--frameworks",
        "scratch",
        "--no-speed",
        "--epochs",
        1,
    ]
    done = cli("compare", "hiring", *options, "--out", "next")
    assert done.returncode == 0, done.stderr


def test_weights_of_another_network_are_refused(cli, tmp_path):
    assert cli("weights", "export", "xor", "--to", "w.npz").returncode == 0
    line = refused(cli("compare", "binary-blitz", "--weights", "w.npz"), 4)
    assert "mlp" in line
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda w: w | {"W_1": np.ones((3, 2))}, "W_1"),
        (lambda w: {k: v for k, v in w.items() if k != "b_2"}, "b_2"),
        (lambda w: w | {"W_1": np.full((2, 2), np.nan)}, "W_1"),
        (lambda w: w | {"W_1": np.array([[object()] * 2] * 2)}, "W_1"),
    ],
)
def test_bad_weights_are_refused_before_anything_is_written(
    cli, tmp_path, change, word
):
    good = {
        "W_1": np.ones((2, 2)),
        "b_1": np.zeros(2),
        "W_2": np.ones((2, 1)),
        "b_2": np.zeros(1),
    }
    np.savez(tmp_path / "w.npz", **change(good))
    assert word in refused(cli("compare", "hiring", "--weights", "w.npz"), 4)
    assert not (tmp_path / "results").exists()


@needs_mnist
def test_a_truncated_mnist_file_is_refused(cli, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for path in mnist_folder().glob("*.gz"):
        (folder / path.name).write_bytes(path.read_bytes())
    images = folder / "train-images-idx3-ubyte.gz"
    images.write_bytes(images.read_bytes()[:-1000])
    line = refused(cli("compare", "mnist", "--data", "data"), 4)
    assert "train-images" in line
    assert not (tmp_path / "results").exists()


def test_show_prints_the_sources_and_writes_a_page(cli, tmp_path):
    text = cli("show", "lstm", "--frameworks", "scratch,jax").stdout
    assert "dz_f[t] *= dc" in text
    assert "lax.scan" in text
    assert cli("show", "lstm", "--html", "lstm.html").returncode == 0
    assert "nn.LSTM" in (tmp_path / "lstm.html").read_text(encoding="utf-8")


def test_data_status_lists_bundled_sets(cli):
    done = cli("data", "status")
    assert done.returncode == 0
    assert "digits-file-order" in done.stdout


def test_no_colours_where_there_is_no_terminal(cli):
    done = cli("list", env={"LC_ALL": "C", "NO_COLOR": "1"})
    assert done.returncode == 0
    assert "\x1b" not in done.stdout


def test_output_may_be_cut_off(run):
    """As by `| head`: the reader goes away, and nobody hears a traceback."""
    arguments = [sys.executable, "-m", "nn_parity", "table", str(run.path)]
    with subprocess.Popen(
        [*arguments, "--kind", "parity"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as table:
        table.stdout.close()
        assert b"Traceback" not in table.stderr.read()
