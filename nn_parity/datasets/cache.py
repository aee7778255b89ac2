"""The user's cache of data sets: one folder per set, written whole, under a lock."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nn_parity import files
from nn_parity.datasets import folder, idx
from nn_parity.datasets.published import PUBLISHED
from nn_parity.errors import Refusal

if TYPE_CHECKING:
    from filelock import FileLock

_LOG = logging.getLogger(__name__)
PATIENCE = 600.0  # seconds to wait for another process to finish its download
_ELSEWHERE = "set NN_PARITY_CACHE to a folder you can write, or use --data DIR"


def root() -> Path:
    """NN_PARITY_CACHE, or the folder that the system keeps for caches."""
    if chosen := os.environ.get("NN_PARITY_CACHE"):
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("nn-parity"))


@contextmanager
def locked(*, spare: bool = False) -> Iterator[Path]:
    """Yield the cache's root while no other process changes it.

    The lock is the system's own, so it ends with the process that held it, also one
    that was killed.

    Parameters
    ----------
    spare : bool
        Use a new temporary folder, and say so, when the cache cannot be written.

    Raises
    ------
    Refusal
        ``E228`` not writable, ``E229`` a file stands where a folder should.
    """
    from filelock import FileLock, Timeout

    place = _writable(root(), spare=spare)
    lock = FileLock(place / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _LOG.warning("waiting: another process is filling %s", place)
        _wait(lock, place)
    try:
        _sweep(place)
        yield place
    finally:
        lock.release()


def store(name: str, contents: dict[str, idx.Idx], place: Path) -> Path:
    """Put checked files into ``place/name``; the caller holds the lock.

    A new set appears in one rename. Parts that are there already stay if they hold
    the same data, make way (as ``.bad``) if the set is a published one, and otherwise
    the import is refused with ``E231``.
    """
    target = place / name
    for part, path in folder.find(target).items():
        if part in contents and not _same(path, part, contents[part]):
            if not folder.pinned(PUBLISHED.get(name)):
                what = f"another data set of the name {name} is in the cache already"
                fix = "rename your folder, or delete the one in the cache"
                raise Refusal("E231", what, str(path), fix)
            quarantine(path)
    try:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=place) as partial:
            _fill(Path(partial), target, contents)
    except OSError as error:
        what = f"cannot write: {error.strerror or error}"
        raise Refusal("E228", what, str(target), _ELSEWHERE) from error
    return target


def quarantine(path: Path) -> Path:
    """Rename a damaged file to ``.bad``, so that it is kept but never read again."""
    bad = path.with_name(path.name + ".bad")
    path.replace(bad)
    return bad


def _wait(lock: "FileLock", place: Path) -> None:
    from filelock import Timeout

    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        what = f"another process has held the cache for {PATIENCE:g} s"
        raise Refusal(
            "E510", what, str(place), "look for it, then try again"
        ) from error


def _fill(partial: Path, target: Path, contents: dict[str, idx.Idx]) -> None:
    held = folder.find(target)
    ready = partial / "set"
    ready.mkdir()
    for part, content in contents.items():
        if part not in held:
            path = ready / folder.file_name(part)
            if content.compressed:
                path = path.with_name(path.name + ".gz")
            _put(path, content.stored)
    if not target.exists():
        ready.rename(target)
        return
    for path in sorted(ready.iterdir()):
        path.replace(target / path.name)


def _put(path: Path, content: bytes) -> None:
    files.write(path, lambda stream: stream.write(content))


def _same(path: Path, part: str, content: idx.Idx) -> bool:
    try:
        return idx.read(path, folder.PARTS[part]).sha256 == content.sha256
    except Refusal:
        return False


def _writable(place: Path, *, spare: bool) -> Path:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return place
    except (FileExistsError, NotADirectoryError) as error:
        refusal = Refusal(
            "E229", "a file stands where the cache should be", str(place), _ELSEWHERE
        )
        cause: OSError = error
    except OSError as error:
        what = f"the cache cannot be written: {error.strerror or error}"
        refusal, cause = Refusal("E228", what, str(place), _ELSEWHERE), error
    if not spare:
        raise refusal from cause
    temporary = Path(tempfile.mkdtemp(prefix="nn-parity-"))
    _LOG.warning("%s; the download goes to %s instead", refusal.what, temporary)
    return temporary


def _sweep(place: Path) -> None:
    """Remove what a killed process left half written; the lock is ours."""
    for left in place.glob(".partial-*"):
        shutil.rmtree(left, ignore_errors=True)
