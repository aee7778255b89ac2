"""Who may import whom: the layout's rules, each broken once on purpose."""

import ast
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from nn_parity import registry
from parity_tests.conftest import INSTALLED, ROOT, python

ALLOWED = {  # besides the standard library and themselves: an allow-list
    "scratch": {"numpy"},
    "torch_impl": {"numpy", "torch"},
    "keras_impl": {"numpy", "keras", "tensorflow", "jax", "torch"},
    "jax_impl": {"numpy", "jax", "optax"},
}
BREAKS = {
    "No implementation imports another": ("jax_impl/mlp.py", "import torch_impl.mlp"),
    "Implementations do not know who compares them": (
        "torch_impl/mlp.py",
        "import nn_parity.batches",
    ),
    "The suite names no implementation": (
        "nn_parity/metrics.py",
        "import scratch.losses",
    ),
    "Inside scratch, imports go downhill": ("scratch/layers.py", "import scratch.mlp"),
    "The atlas stands above the networks": (
        "torch_impl/adapter.py",
        "import torch_impl.divergences.layout",
    ),
    "A spec knows only shapes and numbers": (
        "nn_parity/specs/mlp.py",
        "import nn_parity.tables",
    ),
}


def foreign_imports(path, package):
    """Top-level names a file imports that are neither its own nor standard library."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {package}


@pytest.mark.parametrize("package", ALLOWED)
def test_an_implementation_imports_only_what_is_on_its_list(package):
    files = list((ROOT / package).rglob("*.py"))
    assert len(files) > 6
    for path in files:
        assert foreign_imports(path, package) <= ALLOWED[package], path


def test_the_list_notices_an_import_that_is_not_on_it(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from scipy.special import expit\n    return expit\n")
    assert foreign_imports(bad, "scratch") == {"scipy"}


def lint_imports(root):
    script = Path(sysconfig.get_path("scripts")) / "lint-imports"
    return subprocess.run(
        [str(script), "--no-cache"], cwd=root, capture_output=True, text=True
    )


needs_linter = pytest.mark.skipif(
    not (Path(sysconfig.get_path("scripts")) / "lint-imports").exists(),
    reason="import-linter is in the dev extra: pip install '.[dev]'",
)


@needs_linter
@pytest.mark.parametrize("contract", BREAKS)
def test_each_contract_breaks_when_it_is_broken(tmp_path, contract):
    for package in (*ALLOWED, "nn_parity", "parity_tests"):
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, line = BREAKS[contract]
    path = tmp_path / file
    path.write_text(f"{line}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert f"{contract} BROKEN" in done.stdout


def test_every_contract_of_the_build_file_is_broken_here():
    contracts = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = {
        line.partition('"')[2].rstrip('"')
        for line in contracts.splitlines()
        if line.startswith("name = ") and "nn-parity" not in line
    }
    assert names == set(BREAKS)


ALONE = """
import importlib, sys
import numpy as np
package = sys.argv[1]
adapter = importlib.import_module(f"{package}.adapter").Adapter
mlp = importlib.import_module(f"{package}.mlp")
sizes = {"D": 4, "H": (3,), "K": 2}
recipe = {"activations": ("tanh", "identity"), "loss": "softmax_cross_entropy",
          "optimizer": {"name": "momentum", "mu": 0.9}, "batch_size": 5}
rng = np.random.default_rng(0)
a = adapter(mlp, sizes, recipe, dtype="float64")
a.load({"W_1": rng.normal(size=(4, 3)), "b_1": np.zeros(3),
        "W_2": rng.normal(size=(3, 2)), "b_2": np.zeros(2)}, {})
data = {"x": rng.normal(size=(20, 4)), "y": rng.integers(0, 2, 20)}
losses = [a.run_epoch(data, np.arange(20), {}, 0.5, variant="lean")["loss"].mean()
          for _ in range(30)]
assert losses[-1] < 0.8 * losses[0], losses
assert not {"nn_parity", "parity_tests"} & set(sys.modules)
"""


@pytest.mark.parametrize("framework", INSTALLED)
def test_an_implementation_trains_alone_in_an_empty_folder(tmp_path, framework):
    package = registry.PACKAGES[framework]
    shutil.copytree(ROOT / package, tmp_path / package)
    python(["-P", "-c", ALONE, package], root=tmp_path)


def test_help_list_and_api_import_no_framework():
    code = """
import sys
import nn_parity, nn_parity.cli, nn_parity.listing, nn_parity.runs, nn_parity.figures
nn_parity.listing.everything()
heavy = {"torch", "tensorflow", "keras", "jax", "pandas", "matplotlib", "sklearn"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    python(["-c", code])
