"""Files that are written whole or not at all."""

import errno
import os
import secrets
from pathlib import Path

from nn_parity.errors import Refusal

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write(path: Path, content: bytes, *, code: str, fix: str) -> None:
    """Write beside the target, flush to the disk, then take the target's name.

    Whoever reads ``path`` meanwhile sees the old file or the new one, never a part.

    Parameters
    ----------
    path : Path
        The file; its folder must exist.
    content : bytes
        All of it.
    code, fix : str
        Of the refusal when the folder cannot be written.

    Raises
    ------
    Refusal
        ``E505`` when the disk is full, else ``code``. The old file is still there.
    """
    # A short name of its own: path.name may already fill the 255 bytes allowed.
    part = path.with_name(f".nn-parity-{secrets.token_hex(8)}.part")
    try:
        _write_through(part, content)
        os.replace(part, path)  # noqa: PTH105 - says in one word that it is atomic
        _flush_folder(path.parent)
    except OSError as error:
        if error.errno in _FULL:
            what = f"no room for {len(content):,} bytes: {error.strerror}"
            raise Refusal("E505", what, str(path), "free some space") from error
        what = f"cannot write: {error.strerror or error}"
        raise Refusal(code, what, str(path), fix) from error
    finally:
        part.unlink(missing_ok=True)


def _write_through(part: Path, content: bytes) -> None:
    with part.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the new name durable where the system lets a folder be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
