"""Workers that crash, hang or are not there become rows; the others finish.

Each fault is put into a copy of the packages, so that the real command meets it.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from nn_parity import registry
from parity_tests.conftest import INSTALLED, ROOT

pytestmark = pytest.mark.skipif(
    "jax" not in INSTALLED, reason="the faults are put into jax"
)
PACKAGES = (*registry.PACKAGES.values(), "nn_parity")


def copy(tmp_path, file=None, old=None, new=None):
    root = tmp_path / "source"
    for package in PACKAGES:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, root / package, ignore=ignore)
    if file:
        path = root / file
        source = path.read_text(encoding="utf-8")
        assert source.count(old) == 1
        path.write_text(source.replace(old, new), encoding="utf-8")
    return root


def command(root, *arguments, env=None):
    return subprocess.run(
        [sys.executable, "-m", "nn_parity", *map(str, arguments)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)} | (env or {}),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def read(root, kind="parity"):
    return pd.read_csv(root / "run" / f"{kind}.csv", dtype=str, keep_default_na=False)


SMALL = ["compare", "hiring", "xor", "binary-blitz", "--frameworks", "scratch,jax"]
SMALL += ["--dtype", "float64", "--epochs", "2", "--no-speed", "--out", "run"]


@pytest.mark.parametrize(
    ("fault", "status", "word", "code"),
    [
        ("import os; os._exit(7)", "crashed", "exit code 7", 1),
        ("import os; os.kill(os.getpid(), 9)", "killed", "SIGKILL", 1),
        ("import os; os.abort()", "killed", "SIGABRT", 1),
        ("raise RuntimeError('broken here')", "crashed", "broken here", 1),
        ("raise SystemExit('no CPU')", "crashed", "SystemExit", 1),
        ("raise MemoryError('array too large')", "oom", "MemoryError", 5),
        ("raise OSError(28, 'No space left')", "disk full", "disk full", 5),
        ("import time; time.sleep(999)", "timeout", "no answer within 20 s", 5),
    ],
)
def test_a_worker_that_fails_in_one_network_does_the_next(
    tmp_path, fault, status, word, code
):
    old = "def forward(params, batch, recipe, *, train):\n"
    root = copy(tmp_path, "jax_impl/mlp.py", old, f"{old}    {fault}\n")
    done = command(root, *SMALL, "--timeout", "20")
    rows = read(root)
    failed = rows[(rows["framework"] == "jax") & (rows["network"] == "mlp")]
    assert set(failed["status"]) == {status}
    assert set(failed["experiment"]) == {"hiring", "xor"}
    assert failed["reason"].str.contains(word, regex=False).all()
    others = rows[(rows["framework"] == "scratch") | (rows["network"] == "neuron")]
    assert set(others["status"]) == {"ok"}
    assert {"scratch", "jax"} == set(others["framework"])
    accuracy = read(root, "accuracy")
    assert set(accuracy[accuracy["status"] == status]["experiment"]) == {
        "hiring",
        "xor",
    }
    assert done.returncode == code
    assert word in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit on Windows")
def test_a_disk_that_fills_up_keeps_what_is_finished(tmp_path):
    """R05 in a worker, its log on the same disk: the real system calls fail."""
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    old = "from jax_impl import losses\n"
    root = copy(tmp_path, "jax_impl/mlp.py", old, f"{old}{full}")
    neuron_first = [a for a in SMALL if a != "binary-blitz"]
    neuron_first.insert(1, "binary-blitz")
    done = command(root, *neuron_first)
    rows = read(root)
    jax = rows[rows["framework"] == "jax"]
    finished, failed = jax["network"] == "neuron", jax["network"] == "mlp"
    assert set(jax[finished]["status"]) == {"ok"}
    assert set(jax[failed]["status"]) == {"disk full"}
    assert jax[failed]["reason"].str.startswith("disk full: ").all()
    assert set(rows[rows["framework"] == "scratch"]["status"]) == {"ok"}
    assert done.returncode == 5
    assert "disk full" in done.stdout
    written = [p.name for p in (root / "run" / "transcripts").rglob("jax/*")]
    assert written == ["neuron.npz"]  # and nothing half-written beside it


def test_a_library_that_prints_to_standard_output_disturbs_nothing(tmp_path):
    noise = 'import os; os.write(1, b\'{"event": "done"}\\n\' * 1000)\n'
    old = "from jax_impl import losses\n"
    root = copy(tmp_path, "jax_impl/neuron.py", old, f"{old}{noise}")
    done = command(root, *SMALL)
    assert done.returncode == 0, done.stdout


def absent(tmp_path, module):
    """A folder that makes a module look uninstalled in every process."""
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {module!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    return os.pathsep.join([str(folder), ""])


def test_a_framework_that_is_not_installed_is_a_row_with_the_install_line(tmp_path):
    root = copy(tmp_path)
    path = absent(tmp_path, "torch") + str(root)
    small = [a for a in SMALL if a not in ("--frameworks", "scratch,jax", "xor")]
    done = command(root, *small, "--dtype", "float64", env={"PYTHONPATH": path})
    rows = read(root)
    torch = rows[rows["framework"] == "torch"]
    assert set(torch["status"]) == {"not installed"}
    assert torch["reason"].str.contains(".[torch]", regex=False).all()
    assert set(rows[rows["framework"] == "jax"]["status"]) == {"ok"}
    assert done.returncode == 0
    assert '".[torch]"' in done.stdout
    listed = command(root, "list", env={"PYTHONPATH": path})
    assert '".[torch]"' in listed.stdout


def test_asked_for_by_name_it_is_exit_code_3(tmp_path):
    root = copy(tmp_path)
    path = absent(tmp_path, "torch") + str(root)
    asked = [a if a != "scratch,jax" else "pytorch" for a in SMALL]
    assert command(root, *asked, env={"PYTHONPATH": path}).returncode == 3


def test_workers_end_with_their_parent(tmp_path):
    root = copy(
        tmp_path,
        "jax_impl/mlp.py",
        "def forward(params, batch, recipe, *, train):\n",
        "def forward(params, batch, recipe, *, train):\n    import time; time.sleep(999)\n",
    )
    parent = subprocess.Popen(
        [sys.executable, "-m", "nn_parity", *SMALL],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    workers = []
    until = time.monotonic() + 60
    while not workers and time.monotonic() < until:
        time.sleep(0.1)
        workers = psutil.Process(parent.pid).children(recursive=True)
    assert workers
    time.sleep(1)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, number):
    """Killed while jax trains: with --resume, scratch is not repeated."""
    old = "def forward(params, batch, recipe, *, train):\n"
    slow = f"{old}    import os, time; os.path.exists('slow') and time.sleep(999)\n"
    root = copy(tmp_path, "jax_impl/mlp.py", old, slow)
    (root / "slow").touch()
    small = [a for a in SMALL if a not in ("xor", "binary-blitz")]
    parent = subprocess.Popen(
        [sys.executable, "-m", "nn_parity", *small],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    done = root / "run" / "transcripts" / "float64" / "scratch" / "mlp.npz"
    until = time.monotonic() + 60
    while not done.exists() and time.monotonic() < until:
        time.sleep(0.1)
    stamp = done.stat().st_mtime_ns
    parent.send_signal(number)
    _, said = parent.communicate(timeout=30)
    if number != signal.SIGKILL:
        assert parent.returncode == 130
        assert "Traceback" not in said
        assert said.endswith("interrupted: --resume --out DIR goes on with the run\n")
    assert not (root / "run" / "parity.csv").exists()

    (root / "slow").unlink()
    path = root / "jax_impl" / "mlp.py"
    source = path.read_text(encoding="utf-8")
    path.write_text(source + "# changed\n", encoding="utf-8")
    changed = command(root, *small, "--resume")
    assert changed.returncode == 2
    assert "other code" in changed.stderr
    path.write_text(source, encoding="utf-8")
    other = command(root, *small, "--resume", "--seed", 5)
    assert other.returncode == 2
    assert "other cases" in other.stderr
    finished = command(root, *small, "--resume")
    assert finished.returncode == 0, finished.stderr
    assert done.stat().st_mtime_ns == stamp
    assert set(read(root)["status"]) == {"ok"}


def test_only_an_interrupted_comparison_can_go_on(tmp_path):
    old = "def forward(params, batch, recipe, *, train):\n"
    root = copy(
        tmp_path, "jax_impl/mlp.py", old, f"{old}    import time; time.sleep(999)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-m", "nn_parity", "parity", "mlp", "--out", "run"]
        + ["--frameworks", "scratch,jax", "--dtype", "float64"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not (root / "run" / "logs").exists() and time.monotonic() < until:
        time.sleep(0.1)
    parent.send_signal(signal.SIGINT)
    _, said = parent.communicate(timeout=30)
    assert parent.returncode == 130
    assert said.endswith("interrupted\n")


def test_divergence_is_a_row_that_says_at_which_step(tmp_path):
    root = copy(tmp_path)
    options = [
        "compare",
        "learning-neuron",
        "--frameworks",
        "scratch,jax",
        "--no-speed",
    ]
    done = command(root, *options, "--set", "lr=5", "--epochs", 400, "--out", "run")
    accuracy = read(root, "accuracy")
    assert set(accuracy["status"]) == {"diverged"}
    assert accuracy["reason"].str.contains("not finite at step").all()
    assert set(accuracy["test_accuracy"]) == {""}
    assert "diverged" in done.stdout


def test_a_path_with_spaces_and_umlauts_under_lc_all_c(tmp_path):
    root = copy(tmp_path / "Grüße an alle")
    small = [a if a != "run" else "läufe/ein lauf" for a in SMALL]
    done = command(root, *small, env={"LC_ALL": "C", "LANG": "C"})
    assert done.returncode == 0, done.stderr
    assert (root / "läufe" / "ein lauf" / "parity.csv").exists()


def test_a_folder_named_like_a_package_does_not_shadow_it(tmp_path):
    root = copy(tmp_path)
    for name in ("numpy", "jax", "random"):
        (root / name).mkdir()
    away = tmp_path / "elsewhere"
    away.mkdir()
    (away / "torch.py").write_text("raise SystemExit('shadowed')")
    (away / "jax.py").write_text("raise SystemExit('shadowed')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "nn_parity", *SMALL],
        cwd=away,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
