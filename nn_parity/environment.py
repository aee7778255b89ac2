"""What a result depends on besides the code: versions, machine, settings."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from nn_parity import registry

SCHEMA = 2  # of a run's files: raised when a row is made of other records, or otherwise
ROOT = Path(__file__).parent.parent


def describe(**request: Any) -> dict[str, Any]:
    """Return the content of environment.json; ``request`` is what was asked for."""
    head = commit()
    return {
        "schema": SCHEMA,
        "nn_parity": metadata.version("nn-parity") if _installed() else "source",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": _command(),
        "commit": head,
        "dirty": head.endswith("+"),
        "python": platform.python_version(),
        **machine(),
        "machine": machine_id(),
        "platform": platform.platform(),
        "memory_gib": memory_gib(),
        "load_average": _load(),
        "blas": blas(),
        "source_sha256": source_sha256(),
        "suite_sha256": hashed(ROOT / "nn_parity", ROOT),
        "versions": {f: registry.versions(f) for f in registry.ALL},
        "untested": untested(),
        **request,
    }


def _command() -> str:
    if Path(sys.argv[0]).name in ("nn-parity", "__main__.py", "cli.py"):
        return shlex.join(["nn-parity", *map(without_home, sys.argv[1:])])
    return "from Python: nn_parity.compare or nn_parity.parity, with the cases below"


def machine() -> dict[str, Any]:
    """Return what times depend on: two machines that agree in it may share a column."""
    return {
        "cpu": cpu(),
        "cores": cores(),
        "os": platform.system(),
        "architecture": platform.machine(),
    }


def machine_id() -> str:
    """Return a short name of `machine`, the same on every machine of its kind."""
    line = json.dumps(machine(), sort_keys=True)
    return "m" + hashlib.sha256(line.encode()).hexdigest()[:11]  # "m": never a number


def memory_gib() -> float:
    """Return how much memory the machine has."""
    import psutil

    return round(psutil.virtual_memory().total / 2**30, 1)


def cores() -> int:
    """Return the processors this process may use; a container's quota counts, too."""
    affine = hasattr(os, "sched_getaffinity")
    there = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    return min(there, quota() or there)


CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # of Linux' control groups, version 2


def quota() -> int:
    """Return the whole processors that a container is given, at least 1; 0 if unlimited."""
    try:
        most, period = CPU_MAX.read_text(encoding="ascii").split()
        return max(1, int(most) // int(period))
    except (OSError, ValueError):  # no such group, or "max"
        return 0


def cpu() -> str:
    """Return the processor's own name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def blas() -> list[dict[str, Any]]:
    """Return the linear-algebra library of NumPy; all that are loaded, if it is unknown."""
    from threadpoolctl import threadpool_info

    keys = ("internal_api", "version", "architecture")
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    own = [pool for pool in pools if "numpy" in Path(pool["filepath"]).as_posix()]
    return [{k: pool.get(k) for k in keys} for pool in own or pools] or [_built_with()]


def _built_with() -> dict[str, Any]:
    """Return the library NumPy was built with, such as Accelerate, which has no pool."""
    import numpy as np

    known: Any = np.show_config(mode="dicts")
    blas = known.get("Build Dependencies", {}).get("blas", {})
    return {"internal_api": blas.get("name"), "version": blas.get("version")}


def untested() -> dict[str, str]:
    """Return the libraries that are here in another version than the suite was tested with.

    The first two numbers of a version count: ``{"jax": "0.11.1, tested with 0.10.2"}``.
    """
    here = {n: v for f in registry.ALL for n, v in registry.versions(f).items()}
    return {
        name: f"{version}, tested with {known}"
        for name, version in here.items()
        if (known := tested().get(name))
        and version.split(".")[:2] != known.split(".")[:2]
    }


def tested() -> dict[str, str]:
    """Return the versions of constraints.txt, with which the gates were measured."""
    for folder in (Path(__file__).parent, ROOT):  # installed; a checkout
        path = folder / "constraints.txt"
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            pinned = (line.partition("==") for line in lines if "==" in line)
            return {name: version for name, _, version in pinned}
    return {}


def commit() -> str:
    """Return the commit of a source checkout, with "+" if it was changed; else "".

    Results that were published since are no change.
    """
    if not (ROOT / ".git").exists():
        return ""
    try:
        head = _git(ROOT, "rev-parse", "--short=12", "HEAD")
        sources = ("--", ".", ":!results")
        changed = _git(ROOT, "status", "--porcelain", "-uno", *sources)
        return head + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def source_sha256(root: Path = ROOT) -> dict[str, str]:
    """Return a hash of the Python files of each implementation package in ``root``."""
    return {
        package: hashed(root / package, root) for package in registry.PACKAGES.values()
    }


def hashed(folder: Path, root: Path) -> str:
    """Return a hash of the Python files of one package: names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - fixed arguments
        ["git", *arguments],  # noqa: S607 - the user's git
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def _installed() -> bool:
    try:
        metadata.version("nn-parity")
    except metadata.PackageNotFoundError:
        return False
    return True


def _load() -> list[float]:
    return list(os.getloadavg()) if hasattr(os, "getloadavg") else []


def without_home(text: str | Path) -> str:
    """Return the text with the user's home folder as "~": names are nobody's business."""
    home = str(Path.home())
    return str(text).replace(home, "~") if len(home) > 1 else str(text)
