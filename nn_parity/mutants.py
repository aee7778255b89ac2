"""Deliberate bugs: each must turn the suite red, or the suite cannot be trusted.

A mutant is one replaced line of one implementation, listed in that package's
``mutants.py`` as ``(file, old text, new text, what is wrong)``. It is applied to a copy of
the packages, and the checks run there in fresh processes.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from nn_parity import crew, environment, registry
from nn_parity.errors import Refusal

ROOT = Path(__file__).parent.parent
COPIED = (*registry.PACKAGES.values(), "nn_parity", "parity_tests")
TIMEOUT = 300.0
# file of a package -> building blocks that are compared first if it is changed
KINDS = {
    "activations": ("activation",),
    "losses": ("loss",),
    "optimizers": ("optimizer",),
    "regularizers": ("layer", "penalty"),
    "layers": ("layer", "activation"),
    "names": ("activation", "loss"),
    "sequential": ("layer", "activation"),
    "convolution": ("layer",),
    "attention": ("transformer",),
}


@dataclass(frozen=True)
class Mutant:
    """One deliberate bug."""

    framework: str
    file: str
    old: str
    new: str
    what: str

    @property
    def path(self) -> Path:
        """File below the root."""
        return Path(registry.package(self.framework)) / self.file

    def apply(self, root: Path) -> bool:
        """Change the copy under ``root``; return whether code changed, not only text.

        Raises
        ------
        Refusal
            E403 if the old text does not stand in the file exactly once.
        """
        path = root / self.path
        source = path.read_text(encoding="utf-8")
        if source.count(self.old) != 1:
            raise Refusal(
                "E403",
                f"{source.count(self.old)} places match {self.old!r}, one was expected",
                str(self.path),
                "bring the package's mutants.py up to date",
            )
        mutated = source.replace(self.old, self.new)
        path.write_text(mutated, encoding="utf-8")
        return _code(source) != _code(mutated)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: ``killed_by`` is the check that noticed, or ""."""

    mutant: Mutant
    killed_by: str
    said: str
    seconds: float


def require_source() -> None:
    """Refuse to run from an installed copy, which has no build file to copy."""
    if not (ROOT / "pyproject.toml").is_file():
        raise Refusal(
            "E303",
            "mutants need a source checkout",
            str(ROOT),
            "run python -m nn_parity mutants in a clone of the repository",
        )


def listed(frameworks: Sequence[str]) -> list[Mutant]:
    """Return the mutants of these implementations, in the order of their files."""
    return [
        Mutant(framework, *fields)
        for framework in frameworks
        for fields in _of(framework)
    ]


def _of(framework: str) -> Sequence[tuple[str, str, str, str]]:
    module = import_module(f"{registry.package(framework)}.mutants")
    if framework in registry.BACKENDS:
        return module.BACKENDS[framework]
    return module.MUTANTS


def run(
    mutants: Sequence[Mutant],
    reference: Path,
    say: Callable[[Verdict], None] = lambda verdict: None,
) -> list[Verdict]:
    """Try every mutant, as many at once as there are cores.

    Parameters
    ----------
    reference : Path
        A run of `nn_parity.parity` by the healthy code: all networks, and the blocks.
    say : callable
        Told each verdict as it comes.
    """

    def judged(mutant: Mutant) -> Verdict:
        verdict = judge(mutant, reference)
        say(verdict)
        return verdict

    with ThreadPoolExecutor(environment.cores()) as pool:
        return list(pool.map(judged, mutants))


def judge(mutant: Mutant, reference: Path) -> Verdict:
    """Apply one mutant to a copy and run the checks until one notices."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        for package in COPIED:
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, root / package, ignore=skipped)
        shutil.copy(ROOT / "pyproject.toml", root)
        changes_code = mutant.apply(root)
        for name, command in _checks(mutant, reference, changes_code):
            noticed = _run(command, root, mutant.framework)
            if noticed is not None:
                return Verdict(mutant, name, noticed, time.monotonic() - start)
    return Verdict(mutant, "", "", time.monotonic() - start)


def _checks(
    mutant: Mutant, reference: Path, changes_code: bool
) -> Iterator[tuple[str, list[str]]]:
    """Name the checks that should notice, the quickest first."""
    pytest = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    others = " or ".join(f for f in registry.FRAMEWORKS if f != mutant.framework)
    comments = [*pytest, "parity_tests/test_comments.py"]
    comments += ["-k", f"not (test_shape_comments_hold and ({others}))"]
    if not changes_code:
        yield "comments", comments
        return
    stem = Path(mutant.file).stem
    only = [*registry.networks(), "penalty", "optimizer"]
    if stem in registry.networks():
        only = [stem, *KINDS.get(stem, ())]
    elif stem in KINDS:
        only = [*KINDS[stem], *registry.networks()]
    agree = ["-m", "nn_parity.noticing", str(reference.resolve()), mutant.framework]
    yield "agreement float64", [*agree, "float64", *only]
    yield "agreement float32", [*agree, "float32", *only]
    if mutant.framework == "scratch":
        yield "gradients", [*pytest, "parity_tests/test_gradients.py"]
        kinds = ("activations", "losses", "layers", "optimizers", "blocks")
        blocks = [f"parity_tests/test_{kind}.py" for kind in kinds]
        yield "blocks", [*pytest, *blocks, "-k", "not agree"]
    present, _ = crew.available(registry.FRAMEWORKS)
    pair = mutant.framework if mutant.framework != "scratch" else present[-1]
    probes = ["parity_tests/test_probes.py", "-k", f"{pair} and not float32"]
    if mutant.framework in registry.BACKENDS:
        probes += ["-m", "thorough"]
    yield "probes", [*pytest, *probes]
    yield "loading", [*pytest, "parity_tests/test_loading.py", "-k", mutant.framework]
    yield "comments", comments


def _code(source: str) -> str:
    """Return what a module does, without its comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            del node.body[0]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _run(arguments: list[str], root: Path, framework: str) -> str | None:
    """Return what a failing check said, or None if it passed."""
    env = crew.environment(1, root / ".keras") | {"PYTHONPATH": str(root)}
    # what a bug leaves as it was need not be compiled again
    env |= crew.compiled_once() | crew.compiled_in_haste() | crew.backend(framework)
    env = {k: v for k, v in env.items() if not k.startswith("PYTEST")}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-P", *arguments],
            cwd=root,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT:g} s"
    if done.returncode == 0:
        return None
    if done.returncode != 1:  # pytest found nothing to run, or was not there
        raise Refusal(
            "E302",
            f"a check did not run (exit code {done.returncode})",
            " ".join(arguments),
            'pip install -c constraints.txt ".[test]"',
        )
    lines = (done.stdout + os.linesep + done.stderr).strip().splitlines()
    telling = [ln for ln in lines if ln.startswith(("E  ", "NOTICED", "FAILED"))]
    return (telling or lines or ["?"])[0][:200]
