"""Files that are whole or not there at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from nn_parity.errors import Refusal

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room on the disk


def write(path: Path, fill: Callable[[IO[bytes]], Any]) -> None:
    """Let ``fill`` write into a temporary neighbour, sync it, move it to ``path``."""
    with out_of_space(path):
        handle, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                fill(stream)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    write(path, lambda stream: stream.write(text.encode()))


@contextlib.contextmanager
def out_of_space(path: Path) -> Iterator[None]:
    """Turn a full disk into a refusal that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise Refusal(
                "E501", "no space left", str(path), "free space or choose --out"
            ) from error
        raise


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes away from a run; `Refusal` E503 if one is at work on it.

    The lock dies with its process, however that ends.
    """
    import filelock

    (folder / "logs").mkdir(exist_ok=True)
    lock = filelock.FileLock(folder / "logs" / "run.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise Refusal(
            "E503",
            "another process is at work on this run",
            str(folder),
            "wait until it ends, or choose another folder with --out",
        ) from None
    try:
        yield
    finally:
        lock.release()


def writable_folder(path: Path) -> Path:
    """Make a folder and prove that files can be written there, before any work."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise Refusal(
            "E502",
            f"cannot write to the output folder: {error.strerror}",
            str(path),
            "choose another folder with --out",
        ) from error
    return path
