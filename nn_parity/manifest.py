"""manifest.json: a sha256 of every file of a run, written last, whole or not at all.

A run without it is not finished. The hash of the manifest itself stands for the whole run:
published elsewhere (in a paper, a signed tag), it also tells of an author who wrote the
files and the manifest anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nn_parity import files
from nn_parity.errors import Refusal

FILE = "manifest.json"
_PASSING = ("logs", "status")  # they say how a run went, and no result is made of them


def write(folder: Path, *, left_out: dict[str, Any] | None = None) -> None:
    """Hash every file of a run; ``left_out`` are those that a publication lacks."""
    found = {name: entry(folder / name) for name in names(folder)}
    _write(folder, {"files": found, "left_out": left_out or {}})


def renew(folder: Path, paths: Iterable[Path]) -> None:
    """Take in files that were made again from the run's records: its figures."""
    if not (folder / FILE).exists():
        return
    known = read(folder)
    for path in paths:
        known["files"][path.relative_to(folder).as_posix()] = entry(path)
    known["files"] = dict(sorted(known["files"].items()))
    _write(folder, known)


def read(folder: Path) -> dict[str, Any]:
    """Return the manifest; `Refusal` E606 if there is none, or it is damaged."""
    path = folder / FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(known[key], dict) for key in ("files", "left_out")):
            raise ValueError("files or left_out is no object")
    except FileNotFoundError:
        raise Refusal(
            "E606",
            "no manifest: this run was interrupted, or its manifest was taken away",
            str(path),
            "finish it with its command and --resume",
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(
            "E606", f"damaged: {error}", str(path), "get the run again"
        ) from error
    return known


def names(folder: Path) -> list[str]:
    """Return the files of a run that count, by their paths in it."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    relative = (path.relative_to(folder) for path in paths)
    return [path.as_posix() for path in relative if _counts(path)]


def _counts(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    passing = path.parts[0] in _PASSING or path.suffix == ".lock"
    return not (hidden or passing or path.as_posix() == FILE)


def entry(path: Path) -> dict[str, Any]:
    """Return what the manifest says of one file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return {"sha256": digest.hexdigest(), "bytes": path.stat().st_size}


def identity(folder: Path) -> str:
    """Return the hash of the manifest itself, which stands for the run."""
    return str(entry(folder / FILE)["sha256"])


def _write(folder: Path, known: dict[str, Any]) -> None:
    files.write_text(folder / FILE, json.dumps(known, indent=1) + "\n")
