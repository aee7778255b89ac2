"""Read a weight file."""

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np

from nn_parity.errors import Refusal
from nn_parity.weight_files import csv_text, npz
from nn_parity.weight_files.checks import (
    check_dtypes,
    check_finite,
    check_inventory,
    check_names,
    check_network,
    check_shapes,
)
from nn_parity.weight_files.contents import (
    AGAIN,
    LIMIT,
    STATE,
    Arrays,
    File,
    Manifest,
    Shapes,
)
from nn_parity.weight_files.formats import CONVERT, kind_of, refuse_foreign
from nn_parity.weight_files.manifest import array_sha256, in_words
from nn_parity.weight_files.probes import check_probes


def read(
    path: str | Path,
    *,
    expected: Shapes,
    network: str,
    dtype: str,
    expected_state: Shapes | None = None,
    cast: bool = False,
) -> tuple[Arrays, Arrays, Manifest]:
    """Read weights for a network: all of them, or a refusal and none.

    Parameters
    ----------
    path : str or Path
        Written by `write`, or by ``numpy.savez(path, W_1=..., b_1=...)``; a plain
        file has no manifest, which is noted.
    expected, expected_state : Mapping
        Canonical name -> shape; nothing may be missing, and nothing may be over.
    network : str
        Compared with the manifest.
    dtype : str
        Of the arrays returned. float32 files widen to float64 exactly.
    cast : bool
        Round float64 files to float32 instead of refusing them.

    Returns
    -------
    params, state : dict
        Native, C-contiguous arrays, in the order of ``expected``.
    manifest : dict
        As in the file (``network`` None and ``arrays`` empty without one), with
        ``file_sha256`` and ``notes``: lines worth showing, such as a cast.

    Raises
    ------
    Refusal
        ``E101`` to ``E127`` as in the catalogue; ``E140`` to ``E142``.
    """
    file = _open(Path(path).expanduser())
    target = np.dtype(dtype)
    check_network(file, network)
    wanted = {**expected}
    for name, shape in (expected_state or {}).items():
        wanted[f"{STATE}{name}"] = shape
    _adopt_plain_state(file, wanted)
    check_names(file, wanted)
    check_shapes(file, wanted)
    check_dtypes(file, target, cast=cast)
    arrays = _load(file, wanted)
    arrays = {name: _converted(file, name, a, target) for name, a in arrays.items()}
    params = {n: a for n, a in arrays.items() if not n.startswith(STATE)}
    state = {n.removeprefix(STATE): a for n, a in arrays.items() if n.startswith(STATE)}
    return params, state, _report(file)


def check(path: str | Path) -> list[str]:
    """Read a file completely and say what is in it, line by line.

    Raises
    ------
    Refusal
        For every fault that can be seen without knowing the network.
    """
    file = _open(Path(path).expanduser())
    check_dtypes(file, np.dtype("float64"), cast=False)
    arrays = _load(file, file.members)
    known = "unverified"
    lines = [
        f"{file.path.name}: {file.kind}, {file.size:,} bytes, sha256 {file.sha256}"
    ]
    if file.manifest:
        known = "sha256 and probe ok"
        m = file.manifest
        lines.append(f"network {m['network']}, {in_words(m['sizes'])}")
        for key in ("recipe", "origin"):
            lines.append(f"{key}: {in_words(m[key]) or 'none'}")
    for name, value in arrays.items():
        low, high = float(value.min()), float(value.max())
        lines.append(
            f"{name} {value.shape} {value.dtype}, {low:.6g} to {high:.6g}, {known}"
        )
    return lines + [f"note: {note}" for note in file.notes]


def _open(path: Path) -> File:
    """Read the bytes, once, and parse what is needed to judge the values."""
    suffix = path.suffix.lower()
    if suffix in CONVERT:
        refuse_foreign(suffix, path)
    raw = _content(path)
    digest = hashlib.sha256(raw).hexdigest()
    kind = kind_of(raw, path)
    manifest, members = (npz if kind == "npz" else csv_text).decode(raw, path)
    file = File(path, kind, len(raw), digest, manifest, members)
    if manifest is None:
        file.notes.append("no manifest: network, hashes and probes were not checked")
    else:
        check_inventory(file, manifest)
    return file


def _content(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refusal("E140", "this is no file", str(path), "give a weights file")
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            raw = stream.read(min(size, LIMIT) + 1)  # read(n) allocates n at once
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise Refusal("E140", what, str(path), "check the path") from error
    if len(raw) > LIMIT:
        what = f"more than {LIMIT:,} bytes"
        raise Refusal("E113", what, str(path), "no network of this suite needs that")
    if not raw:
        raise Refusal("E118", "the file is empty: 0 bytes", str(path), AGAIN)
    return raw


def _adopt_plain_state(file: File, wanted: Shapes) -> None:
    """Let ``numpy.savez(path, **params, **state)`` do without the prefix."""
    if file.manifest is not None:
        return
    for name in wanted:
        bare = name.removeprefix(STATE)
        if name not in file.members and bare not in wanted and bare in file.members:
            file.members[name] = file.members.pop(bare)


def _load(file: File, names: Iterable[str]) -> Arrays:
    """Read the values and compare them with checksums, hashes and probes."""
    arrays: Arrays = {}
    for name in names:
        member, entry = file.members[name], file.entry(name)
        arrays[name], intact = member.load()
        if not intact or (entry and array_sha256(arrays[name]) != entry["sha256"]):
            _refuse_damaged(file, name, arrays[name])
        check_finite(name, arrays[name], file.path)
        if not member.dtype.isnative:
            file.notes.append(f"{name} was big-endian and was converted")
        if member.fortran:
            file.notes.append(f"{name} was in Fortran order and was made C-contiguous")
        if arrays[name].ndim > 1 and np.ptp(arrays[name]) == 0:
            value = float(arrays[name].flat[0])
            file.notes.append(
                f"symmetry: {name} is {value:g} throughout, "
                "so its units learn the same thing"
            )
    if file.manifest:
        check_probes(arrays, file.manifest, where=str(file.path))
    return arrays


def _refuse_damaged(file: File, name: str, value: np.ndarray) -> NoReturn:
    entry, got = file.entry(name), array_sha256(value)
    expected = f"sha256 expected {entry['sha256']}, got {got}" if entry else "CRC-32"
    fix = AGAIN
    if file.manifest and file.manifest["origin"]:
        fix += f" ({in_words(file.manifest['origin'])})"
    what = f"damaged or edited: {name} fails its checksum, {expected}"
    raise Refusal("E120", what, str(file.path), fix)


def _converted(
    file: File, name: str, value: np.ndarray, target: np.dtype
) -> np.ndarray:
    with np.errstate(over="ignore"):
        converted = value.astype(target)
    if np.can_cast(value.dtype, target, "safe"):
        return converted
    check_finite(name, converted, file.path)
    moved = float(np.max(np.abs(converted - value)))
    file.notes.append(
        f"{name} was cast {value.dtype} -> {target}, moved by <= {moved:.3g}"
    )
    return converted


def _report(file: File) -> Manifest:
    empty: Manifest = dict.fromkeys(("format", "version", "network"))
    empty |= {"arrays": {}, "sizes": {}, "recipe": {}, "origin": {}}
    return {**(file.manifest or empty), "file_sha256": file.sha256, "notes": file.notes}
