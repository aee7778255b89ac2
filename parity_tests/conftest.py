"""What several test files share: one parity run, probe transcripts, the command line."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from nn_parity import crew, registry, results, runs

ROOT = Path(__file__).parent.parent

# many processes compile the same tiny functions: let JAX keep them between processes
_CACHE = str(ROOT / ".pytest_cache" / "jax")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _CACHE)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
INSTALLED = [f for f in registry.FRAMEWORKS if not registry.missing(f)]
OTHERS = [f for f in INSTALLED if f != "scratch"]
BACKENDS = [f for f in registry.BACKENDS if not registry.missing(f)]


@pytest.fixture(scope="session")
def shared_folder(request, tmp_path_factory):
    """One folder for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(request.config, "workerinput") else base


@pytest.fixture(scope="session")
def parity_run(shared_folder):
    """Every network and block, installed framework and dtype, made once.

    Blocks in float32: only those in whole numbers; `nn-parity mutants` does them all.
    """
    folder = shared_folder / "parity"
    with FileLock(shared_folder / "parity.lock"):
        if not (folder / "status").exists():
            everything = registry.networks()
            runs.parity(
                everything, blocks=True, short=True, frameworks=INSTALLED, out=folder
            )
    return results.open_run(folder)


@pytest.fixture(scope="session")
def probes(shared_folder):
    """Transcript of all probe networks in one framework and dtype."""

    def record(framework, dtype):
        path = shared_folder / f"probes-{framework}-{dtype}.npz"
        with FileLock(f"{path}.lock"):
            if not path.exists():
                module = [sys.executable, "-m", "parity_tests.probes.record"]
                module += [framework, dtype, str(path)]
                python(module[1:], framework=framework)
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}

    return record


def python(arguments, *, root=ROOT, folder=None, check=True, framework=""):
    """Run Python as a worker would run, on the packages under ``root``."""
    home = Path(tempfile.gettempdir()) / "nn-parity-tests-keras"
    env = crew.environment(1, home) | {"PYTHONPATH": str(root)}
    env |= crew.compiled_in_haste() | crew.backend(framework)
    run = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder or root,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if check:
        assert run.returncode == 0, run.stderr[-3000:]
    return run


@pytest.fixture
def cli(tmp_path):
    """Run the command line as a user does, in an empty folder."""

    def command(*arguments, env=None, **options):
        return subprocess.run(
            [sys.executable, "-m", "nn_parity", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            **options,
        )

    return command


def mnist_folder():
    """Where the real MNIST lies, or None."""
    named = os.environ.get("NN_PARITY_DATA")
    beside = ROOT.parent.glob("*/data/mnist")  # a folder of data beside this one
    for folder in [Path(named)] if named else beside:
        if (folder / "train-images-idx3-ubyte.gz").exists():
            return folder
    return None


needs_mnist = pytest.mark.skipif(
    mnist_folder() is None, reason="MNIST not found: set NN_PARITY_DATA to its folder"
)
