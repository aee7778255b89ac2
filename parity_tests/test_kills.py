"""Killed at any moment, a comparison goes on to the tables of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from parity_tests.conftest import OTHERS, ROOT

KILLS = int(os.environ.get("NN_PARITY_KILLS", "6"))  # 20 takes about five minutes
TABLES = ("parity.csv", "accuracy.csv")
# several networks, so that there are finished cells to keep
ASKED = ["compare", "hiring", "xor", "binary-blitz", "jacobians", "--epochs", "20"]
ASKED += ["--dtype", "float64", "--no-speed"]


def start(folder, *options):
    asked = [*ASKED, "--frameworks", f"scratch,{OTHERS[-1]}", "--out", folder, *options]
    return subprocess.Popen(
        [sys.executable, "-m", "nn_parity", *map(str, asked)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def tables(folder):
    return {name: (folder / name).read_bytes() for name in TABLES}


def victim(process, rng):
    """The comparison itself, or one of its workers."""
    everyone = [process, *psutil.Process(process.pid).children(recursive=True)]
    return everyone[rng.integers(len(everyone))].pid


@pytest.mark.thorough
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not OTHERS, reason="needs a framework beside scratch")
def test_kills_at_random_moments_change_no_table(tmp_path):
    begun = time.monotonic()
    finish(start(tmp_path / "undisturbed"))
    seconds = time.monotonic() - begun
    expected = tables(tmp_path / "undisturbed")

    rng = np.random.default_rng(0)
    interrupted = 0
    for number in range(KILLS):
        folder = tmp_path / str(number)
        process = start(folder)
        time.sleep(rng.uniform(0.1, 0.95) * seconds)
        try:
            pid = victim(process, rng)
            os.kill(pid, rng.choice([signal.SIGKILL, signal.SIGTERM]))
        except (psutil.NoSuchProcess, ProcessLookupError):
            pass  # it had just ended
        process.communicate(timeout=300)
        interrupted += process.returncode != 0
        begun_at_all = (folder / "environment.json").exists()
        finish(start(folder, *(["--resume"] if begun_at_all else [])))
        assert tables(folder) == expected, number
    assert interrupted  # a worker that waits or has finished is not missed


@pytest.mark.skipif(not OTHERS, reason="needs a framework beside scratch")
def test_two_runs_on_one_folder_do_not_mix(tmp_path):
    """The second is refused while the first is at work, and free to go on once it is dead."""
    folder = tmp_path / "run"
    first = start(folder)
    while not (folder / "environment.json").exists():
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.02)
    second = start(folder, "--resume")
    _, said = second.communicate(timeout=60)
    assert second.returncode == 5
    assert "E503" in said
    assert str(folder) in said
    assert "Traceback" not in said
    first.kill()
    first.communicate(timeout=60)
    finish(start(folder, "--resume"))
