"""A class without internet: the bundled data need no network, nor does anything else."""

import shutil
import subprocess
import sys

import pytest

from parity_tests.conftest import INSTALLED, ROOT

CUT = ("unshare", "--map-root-user", "--net")  # a network with nobody in it


def _can_be_cut():
    if shutil.which(CUT[0]) is None:
        return False
    return subprocess.run([*CUT, "true"], capture_output=True).returncode == 0


needs_cut = pytest.mark.skipif(
    not _can_be_cut(), reason="unshare --net is not allowed on this system"
)


def offline(arguments, folder):
    return subprocess.run(
        [*CUT, sys.executable, *map(str, arguments)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
    )


@needs_cut
def test_the_network_is_cut(tmp_path):
    code = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    assert "unreachable" in offline(["-c", code], tmp_path).stderr


@needs_cut
def test_the_main_job_runs_with_the_network_cut_off(tmp_path):
    two = ",".join(INSTALLED[:2])
    done = offline(
        ["-m", "nn_parity", "compare", "--frameworks", two, "--epochs", 1, "--dtype",
         "float64", "--out", "run"],
        tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "gated rows pass" in done.stdout
    assert (tmp_path / "run" / "figures" / "loss-digits-float64.png").exists()


@needs_cut
def test_data_that_must_be_fetched_are_refused_in_one_line(tmp_path):
    done = offline(["-m", "nn_parity", "compare", "mnist"], tmp_path)
    assert done.returncode == 4
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr
