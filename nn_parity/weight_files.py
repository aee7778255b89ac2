"""Weights in a file that every implementation can read: ``.npz`` or ``.csv``.

An ``.npz`` holds one ``.npy`` member per tensor (states as ``state/NAME``) and
``manifest.json``; a CSV holds ``tensor,index,value`` rows below one ``#`` line with the
same manifest. Files come from strangers: their bytes are read once, hashed, and parsed
in memory; nothing is allocated, unpickled or unpacked on the word of a header.

Refusals are numbered as the fault catalogue numbers its weight faults (fault W01 is
``E101``), and beyond it: ``E140`` unreadable, ``E141`` malformed manifest, ``E142``
malformed CSV; ``E012`` the file exists, ``E501`` disk full, ``E502`` not writable.
"""

import csv
import hashlib
import io
import json
import math
import os
import re
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from nn_parity import files
from nn_parity.errors import Refusal

Arrays = dict[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]

FORMAT, VERSION = "nn-parity weights", 1
STATE = "state/"  # prefix of batch-norm statistics and memories inside a file
LIMIT = 1 << 30  # bytes of a file, and of all that is unpacked from it
_MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 16 << 20
_NPY_HEADER_LIMIT = 10_000  # as NumPy's own
_RANK_LIMIT = 8
_NAME = re.compile(r"[A-Za-z]\w*(\.\w+)*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_COLUMNS = ["tensor", "index", "value"]
_AGAIN = "get the file again, or write it anew with `nn-parity weights export FILE`"

_TORCH = (
    "import numpy, torch; w = torch.load('FILE', weights_only=True); "
    "numpy.savez('weights.npz', **{k: v.numpy() for k, v in w.items()})"
)
_KERAS = (
    "import keras, numpy; m = keras.models.load_model('FILE'); numpy.savez("
    "'weights.npz', **{v.path.replace('/', '.'): v.numpy() for v in m.weights})"
)
_SAFETENSORS = (
    "import numpy, safetensors.numpy as s; "
    "numpy.savez('weights.npz', **s.load_file('FILE'))"
)
_CONVERT = {
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".ckpt": _TORCH,
    ".h5": _KERAS,
    ".hdf5": _KERAS,
    ".keras": _KERAS,
    ".safetensors": _SAFETENSORS,
}


@dataclass
class _Member:
    """One tensor of a file: its header, and how to get its values.

    ``load`` returns a native, C-contiguous array and whether its checksum was right.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    load: Callable[[], tuple[np.ndarray, bool]]


@dataclass
class _File:
    path: Path
    kind: str
    size: int
    sha256: str
    manifest: dict[str, Any] | None
    members: dict[str, _Member]
    notes: list[str] = field(default_factory=list)

    def entry(self, name: str) -> dict[str, Any] | None:
        """Return what the manifest says about a tensor, if there is a manifest."""
        return self.manifest["arrays"][name] if self.manifest else None


# ---- write ---------------------------------------------------------------------------


def write(
    path: str | Path,
    params: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    *,
    network: str,
    sizes: Mapping[str, Any],
    origin: Mapping[str, Any],
    recipe: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Path:
    """Write weights, the whole file or nothing; equal weights give equal bytes.

    Parameters
    ----------
    path : str or Path
        ``.npz`` or ``.csv``.
    params, state : Mapping
        Canonical name -> float32 or float64 array in canonical layout.
    network, sizes, recipe
        What the weights belong to; of the recipe, what a reader needs to use them.
    origin : Mapping
        Where they come from: seed, experiment, framework, commit.
    force : bool
        Replace a file that exists.

    Raises
    ------
    Refusal
        ``E012`` the file exists, ``E102`` not float32 or float64, ``E105`` NaN or
        infinite, ``E116`` a name that is no identifier, ``E121`` an empty tensor,
        ``E125`` another suffix, ``E501`` disk full, ``E502`` not writable.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".csv"):
        what = f"cannot write {suffix or 'a file without suffix'}"
        raise Refusal("E125", what, str(path), "end the name in .npz or .csv")
    if path.exists() and not force:
        raise Refusal(
            "E012", "the file exists", str(path), "choose another, or --force"
        )
    if not params:
        raise Refusal("E107", "there are no weights to write", str(path), "give some")
    arrays = {name: _writable(name, value, path) for name, value in params.items()}
    for name, value in state.items():
        arrays[f"{STATE}{name}"] = _writable(name, value, path)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "network": network,
        "sizes": dict(sizes),
        "recipe": dict(recipe or {}),
        "origin": dict(origin),
        "arrays": {name: _describe(name, value) for name, value in arrays.items()},
    }
    text = json.dumps(manifest, default=_plain, allow_nan=False)
    content = _npz(arrays, text) if suffix == ".npz" else _csv(arrays, text)
    try:
        files.write(path, lambda stream: stream.write(content))
    except OSError as error:
        what = f"cannot write: {error.strerror or error}"
        raise Refusal("E502", what, str(path), "choose another folder") from error
    return path


def _writable(name: str, value: Any, path: Path) -> np.ndarray:
    value = np.asarray(value)
    if not _NAME.fullmatch(name):
        what = f"{name!r} is no name for a tensor"
        raise Refusal("E116", what, str(path), "use letters, digits and _")
    value = np.asarray(value, value.dtype.newbyteorder("="))
    if value.dtype not in (np.float32, np.float64):
        what = f"{name} is {value.dtype}, expected float32 or float64"
        raise Refusal("E102", what, str(path), "convert it first")
    if value.size == 0:
        what = f"{name} of shape {value.shape} holds nothing"
        raise Refusal("E121", what, str(path), "leave it out")
    _check_finite(name, value, path)
    return np.array(value, order="C")


def _describe(name: str, value: np.ndarray) -> dict[str, Any]:
    return {
        "kind": "state" if name.startswith(STATE) else "parameter",
        "shape": list(value.shape),
        "dtype": value.dtype.newbyteorder("<").str,
        "sha256": _array_sha256(value),
        "probe": probe(value).tolist(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} cannot stand in a manifest")


def _npz(arrays: Arrays, manifest: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, _MANIFEST, manifest.encode())
        for name, value in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, value, (1, 0), allow_pickle=False)
            _add(archive, f"{name}.npy", member.getvalue())
    return stream.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # no clock: equal bytes
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)


def _csv(arrays: Arrays, manifest: str) -> bytes:
    lines = [f"# {manifest}", ",".join(_COLUMNS)]
    for name, value in arrays.items():
        flat = value.astype(np.float64).ravel().tolist()
        for index, number in zip(np.ndindex(value.shape), flat, strict=True):
            lines.append(f"{name},{' '.join(map(str, index))},{number!r}")
    return ("\n".join(lines) + "\n").encode()


# ---- read ----------------------------------------------------------------------------


def read(
    path: str | Path,
    *,
    expected: Shapes,
    network: str,
    dtype: str,
    expected_state: Shapes | None = None,
    cast: bool = False,
) -> tuple[Arrays, Arrays, dict[str, Any]]:
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
    _check_network(file, network)
    wanted = {**expected}
    for name, shape in (expected_state or {}).items():
        wanted[f"{STATE}{name}"] = shape
    _adopt_plain_state(file, wanted)
    _check_names(file, wanted)
    _check_shapes(file, wanted)
    _check_dtypes(file, target, cast=cast)
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
    _check_dtypes(file, np.dtype("float64"), cast=False)
    arrays = _load(file, file.members)
    known = "unverified"
    lines = [
        f"{file.path.name}: {file.kind}, {file.size:,} bytes, sha256 {file.sha256}"
    ]
    if file.manifest:
        known = "sha256 and probe ok"
        m = file.manifest
        lines.append(f"network {m['network']}, {_pairs(m['sizes'])}")
        lines.append(
            f"recipe: {_pairs(m['recipe'])}" if m["recipe"] else "recipe: none"
        )
        lines.append(
            f"origin: {_pairs(m['origin'])}" if m["origin"] else "origin: none"
        )
    for name, value in arrays.items():
        low, high = float(value.min()), float(value.max())
        lines.append(
            f"{name} {value.shape} {value.dtype}, {low:.6g} to {high:.6g}, {known}"
        )
    return lines + [f"note: {note}" for note in file.notes]


def probe(array: np.ndarray) -> np.ndarray:
    """Multiply an array by a fixed vector along its last axis, in float64.

    Shapes cannot betray a square matrix that was transposed on the way; these numbers
    do. Shape: (size / last axis,).
    """
    matrix = np.asarray(array).real.astype(np.float64)
    matrix = matrix.reshape(-1, matrix.shape[-1] if matrix.ndim else 1)
    return matrix @ _direction(matrix.shape[1])


def check_probes(
    params: Mapping[str, np.ndarray], manifest: Mapping[str, Any], *, where: str
) -> tuple[str, ...]:
    """Compare arrays with the probes of a manifest, for instance after loading.

    Call it with what an adapter exports (states under ``state/NAME``): it then proves
    that a framework holds the matrices that the file meant.

    Returns
    -------
    tuple of str
        Names that were compared; none when the file had no manifest.

    Raises
    ------
    Refusal
        ``E127``, naming the tensor and whether it looks transposed.
    """
    entries = manifest["arrays"]
    compared = tuple(name for name in params if name in entries)
    for name in compared:
        stored = np.array(entries[name]["probe"], np.float64)
        if not _agrees(params[name], stored):
            turned = params[name].ndim == 2 and _agrees(params[name].T, stored)
            said = "it looks transposed" if turned else "it holds other values"
            what = f"{name} does not give its probe values W v: {said}"
            raise Refusal("E127", what, where, "load x @ W layouts as they are")
    return compared


def _direction(n: int) -> np.ndarray:
    """Return v, n unlike numbers in (-1, 1) that binary fractions hold exactly."""
    return (2.0 * ((7919 * np.arange(n) + 11) % 8191) - 8191) / 8192


def _agrees(array: np.ndarray, stored: np.ndarray) -> bool:
    """Compare W v within the rounding of W to its dtype and of the sum itself."""
    found = probe(array)
    if found.shape != stored.shape:
        return False
    K = array.shape[-1] if array.ndim else 1
    unit = np.finfo(array.dtype).eps + (K + 8) * np.finfo(np.float64).eps
    scale = np.abs(np.asarray(array).real.astype(np.float64)).reshape(-1, K)
    scale = scale @ np.abs(_direction(K)) + np.finfo(array.dtype).tiny
    return bool(np.all(np.abs(found - stored) <= unit * scale))


# ---- what a file must satisfy --------------------------------------------------------


def _check_network(file: _File, network: str) -> None:
    if file.manifest is None:
        return
    written = file.manifest["network"]
    if written != network:
        what = f"these are weights of {written} ({_pairs(file.manifest['sizes'])})"
        fix = f"give weights of {network}, or choose an experiment with {written}"
        raise Refusal("E123", f"{what}, expected {network}", str(file.path), fix)


def _adopt_plain_state(file: _File, wanted: Shapes) -> None:
    """Let ``numpy.savez(path, **params, **state)`` do without the prefix."""
    if file.manifest is not None:
        return
    for name in wanted:
        bare = name.removeprefix(STATE)
        if name not in file.members and bare not in wanted and bare in file.members:
            file.members[name] = file.members.pop(bare)


def _check_names(file: _File, wanted: Shapes) -> None:
    missing = [name for name in wanted if name not in file.members]
    extra = [name for name in file.members if name not in wanted]
    if not missing and not extra:
        return
    near = {m: get_close_matches(m, extra, n=1, cutoff=0.5) for m in missing}
    renames = [f"rename {found[0]} to {name}" for name, found in near.items() if found]
    parts = []
    if missing:
        parts.append(f"missing {_list(missing, wanted)}")
    if extra:
        held = {name: file.members[name].shape for name in extra}
        parts.append(f"not known {_list(extra, held)}")
    fix = ", ".join(renames) or f"expected are exactly {', '.join(wanted)}"
    code = "E107" if missing else "E108"
    raise Refusal(code, "; ".join(parts), str(file.path), fix)


def _check_shapes(file: _File, wanted: Shapes) -> None:
    wrong = [n for n in wanted if file.members[n].shape != tuple(wanted[n])]
    if not wrong:
        return
    name = wrong[0]
    found, shape = file.members[name].shape, tuple(wanted[name])
    what = f"{name} has shape {found}, expected {shape}{_layout_hint(found, shape)}"
    if wrong[1:]:
        what += f"; as wrong: {', '.join(wrong[1:])}"
    fix = "write it in the layout that x @ W needs, channels last"
    if file.manifest:
        fix += f"; the file was made for {_pairs(file.manifest['sizes'])}"
    raise Refusal("E101", what, str(file.path), fix)


def _layout_hint(found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if len(found) == 2 and found == shape[::-1]:
        return ": it looks transposed, as torch keeps it (outputs, inputs)"
    if len(found) == 4 and found == (shape[3], shape[2], *shape[:2]):
        return ": it looks like torch's (outputs, inputs, height, width)"
    if math.prod(found) == math.prod(shape):
        return ": the number of values is right, their arrangement is not"
    return ""


def _check_dtypes(file: _File, target: np.dtype, *, cast: bool) -> None:
    for name, member in file.members.items():
        held = member.dtype.newbyteorder("=")
        if held not in (np.float32, np.float64):
            what = f"{name} is {held}, expected {target}"
            raise Refusal("E102", what, str(file.path), "save it as float32 or float64")
        narrows = not np.can_cast(held, target, "safe")
        if narrows and not (cast and target == np.float32):
            what = f"{name} is {held}, expected {target}"
            fix = "use --dtype float64, or --cast to round (it will be recorded)"
            raise Refusal("E102", what, str(file.path), fix)


def _load(file: _File, names: Iterable[str]) -> Arrays:
    """Read the values and compare them with checksums, hashes and probes."""
    arrays: Arrays = {}
    for name in names:
        member, entry = file.members[name], file.entry(name)
        arrays[name], intact = member.load()
        if not intact or (entry and _array_sha256(arrays[name]) != entry["sha256"]):
            _refuse_damaged(file, name, arrays[name])
        _check_finite(name, arrays[name], file.path)
        if not member.dtype.isnative:
            file.notes.append(f"{name} was big-endian and was converted")
        if member.fortran:
            file.notes.append(f"{name} was in Fortran order and was made C-contiguous")
        if arrays[name].ndim > 1 and np.ptp(arrays[name]) == 0:
            value = float(arrays[name].flat[0])
            file.notes.append(f"symmetry: {name} is {value:g} throughout, so its units")
            file.notes[-1] += " learn the same thing"
    if file.manifest:
        check_probes(arrays, file.manifest, where=str(file.path))
    return arrays


def _check_finite(name: str, value: np.ndarray, path: Path) -> None:
    finite = np.isfinite(value)
    if finite.all():
        return
    index = tuple(int(i) for i in np.argwhere(~finite)[0])
    count = finite.size - np.count_nonzero(finite)
    what = f"{name} holds {value[index]} at index {index}; {count:,} are not finite"
    raise Refusal("E105", what, str(path), "use weights from before the divergence")


def _converted(
    file: _File, name: str, value: np.ndarray, target: np.dtype
) -> np.ndarray:
    if np.can_cast(value.dtype, target, "safe"):
        return value.astype(target)
    with np.errstate(over="ignore"):
        rounded = value.astype(target)
    _check_finite(name, rounded, file.path)
    moved = float(np.max(np.abs(rounded - value)))
    file.notes.append(
        f"{name} was cast {value.dtype} -> {target}, moved by <= {moved:.3g}"
    )
    return rounded


def _report(file: _File) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "format": None,
        "version": None,
        "network": None,
        "arrays": {},
    }
    empty |= {"sizes": {}, "recipe": {}, "origin": {}}
    return {**(file.manifest or empty), "file_sha256": file.sha256, "notes": file.notes}


def _refuse_damaged(file: _File, name: str, value: np.ndarray) -> NoReturn:
    entry, got = file.entry(name), _array_sha256(value)
    expected = f"sha256 expected {entry['sha256']}, got {got}" if entry else "CRC-32"
    fix = _AGAIN
    if file.manifest and file.manifest["origin"]:
        fix += f" ({_pairs(file.manifest['origin'])})"
    what = f"damaged or edited: {name} fails its checksum, {expected}"
    raise Refusal("E120", what, str(file.path), fix)


# ---- bytes ---------------------------------------------------------------------------


def _open(path: Path) -> _File:
    """Read the bytes, once, and parse what is needed to judge the values."""
    suffix = path.suffix.lower()
    if suffix in _CONVERT:
        _refuse_foreign(suffix, path)
    raw = _bytes(path)
    digest = hashlib.sha256(raw).hexdigest()
    kind = _kind(raw, path)
    manifest, members = (_open_npz if kind == "npz" else _open_csv)(raw, path)
    file = _File(path, kind, len(raw), digest, manifest, members)
    if manifest is None:
        file.notes.append("no manifest: network, hashes and probes were not checked")
    else:
        _check_inventory(file, manifest)
    return file


def _bytes(path: Path) -> bytes:
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
        raise Refusal("E118", "the file is empty: 0 bytes", str(path), _AGAIN)
    return raw


def _kind(raw: bytes, path: Path) -> str:
    """Tell the format by the bytes; a name can say anything."""
    if raw[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "npz"
    if raw[:4] == b"\x89HDF":
        _refuse_foreign(".h5", path)
    if raw[8:9] == b"{" and int.from_bytes(raw[:8], "little") < len(raw):
        _refuse_foreign(".safetensors", path)
    if raw[:1] == b"\x80":
        what = "this is a Python pickle, which can run any program when it is opened"
        fix = "where you trust it, save its arrays with numpy.savez('weights.npz', ...)"
        raise Refusal("E112", what, str(path), fix)
    if raw[:6] == b"\x93NUMPY":
        what = "this is one bare .npy array; it does not say which"
        raise Refusal("E119", what, str(path), "use numpy.savez(path, W_1=..., ...)")
    if path.suffix.lower() == ".csv":
        return "csv"
    what = f"neither .npz nor .csv: it begins with {raw[:8].hex(' ')}"
    raise Refusal("E119", what, str(path), _AGAIN)


def _refuse_foreign(suffix: str, path: Path) -> NoReturn:
    what = f"{suffix} files are not read: they can hold programs, or lose values unseen"
    fix = (
        f'where you trust it, run python -c "{_CONVERT[suffix]}", then give the arrays '
        "our names and the layout of x @ W"
    )
    raise Refusal("E125", what, str(path), fix)


def _check_inventory(file: _File, manifest: dict[str, Any]) -> None:
    """Compare the members of a file with its manifest, before anything is unpacked."""
    listed = manifest["arrays"]
    if missing := [name for name in listed if name not in file.members]:
        what = f"the manifest lists {', '.join(missing)}, but the file lacks it"
        raise Refusal("E107", what, str(file.path), _AGAIN)
    for name, member in file.members.items():
        if name not in listed:
            what = f"{name} is not in the manifest"
            raise Refusal("E108", what, str(file.path), _AGAIN)
        entry = listed[name]
        said = (tuple(entry["shape"]), np.dtype(entry["dtype"]).newbyteorder("="))
        held = (member.shape, member.dtype.newbyteorder("="))
        if said != held:
            what = (
                f"{name} is declared as {held[1]} {held[0]}, "
                f"the manifest says {said[1]} {said[0]}"
            )
            raise Refusal("E114", what, str(file.path), _AGAIN)


def _array_sha256(value: np.ndarray) -> str:
    little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


# ---- npz -----------------------------------------------------------------------------


def _open_npz(
    raw: bytes, path: Path
) -> tuple[dict[str, Any] | None, dict[str, _Member]]:
    infos = _directory(raw, path)
    _check_inflation(infos, len(raw), path)
    manifest = None
    if (info := infos.pop(_MANIFEST, None)) is not None:
        if info.file_size > _MANIFEST_LIMIT:
            _refuse_manifest(f"it declares {info.file_size:,} bytes", path)
        text = _inflated(raw, info, path)
        _check_crc(text, info, path)
        manifest = _parse_manifest(text, path)
    members = {}
    for member, info in infos.items():
        if not member.endswith(".npy"):
            what = f"the member {member!r} is no array"
            raise Refusal("E108", what, str(path), "keep only .npy members")
        members[member.removesuffix(".npy")] = _npz_member(raw, info, path)
    if not members:
        raise Refusal("E119", "the archive holds no arrays", str(path), _AGAIN)
    return manifest, members


def _directory(raw: bytes, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return member name -> entry, with only harmless names, each once."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
    except UnicodeDecodeError as error:
        what = "a member's name is not UTF-8"
        raise Refusal("E116", what, str(path), _AGAIN) from error
    except zipfile.BadZipFile as error:
        code, what = "E120", f"damaged archive: {error}"
        if b"PK\x05\x06" not in raw[-(1 << 16) - 22 :]:
            code, what = "E117", "cut short: the archive's directory is not there"
        raise Refusal(code, what, str(path), _AGAIN) from error
    except (ValueError, OSError, EOFError, NotImplementedError, struct.error) as error:
        what = f"damaged archive: {error}"
        raise Refusal("E120", what, str(path), _AGAIN) from error
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in entries:
        name = info.orig_filename  # filename is what zipfile made of it
        _check_member_name(name, info, path)
        if name in infos:
            what = (
                f"{name} is in the archive twice, and readers differ in which they use"
            )
            raise Refusal("E109", what, str(path), _AGAIN)
        infos[name] = info
    return infos


def _check_member_name(name: str, info: zipfile.ZipInfo, path: Path) -> None:
    last = name.rpartition("/")[2]
    if last == "data.pkl":
        _refuse_foreign(".pt", path)
    if last == "model.weights.h5":
        _refuse_foreign(".keras", path)
    if ".." in name.replace("\\", "/").split("/"):
        what = f"the member {name!r} points out of the archive"
        raise Refusal("E115", what, str(path), "do not use this file")
    strange = not name.isascii() or not name.isprintable() or "\\" in name
    absolute = name.startswith("/") or name[1:2] == ":"
    if strange or absolute or stat.S_ISLNK(info.external_attr >> 16):
        what = f"the member {name!r} is a link or has a name that no tensor has"
        raise Refusal("E116", what, str(path), "do not use this file")


def _check_inflation(
    infos: Mapping[str, zipfile.ZipInfo], size: int, path: Path
) -> None:
    total = sum(info.file_size for info in infos.values())
    if total > LIMIT or total > max(100 * size, 64 << 20):
        what = f"{size:,} bytes that would unpack to {total:,}"
        raise Refusal("E114", what, str(path), "do not use this file")


def _npz_member(raw: bytes, info: zipfile.ZipInfo, path: Path) -> _Member:
    if info.compress_type == zipfile.ZIP_STORED:
        # Nothing to unpack: a damaged header is known as such before it is believed.
        _check_crc(_stored(raw, info, path), info, path)
    start = _inflated(raw, info, path, most=_NPY_HEADER_LIMIT + 12)
    shape, fortran, dtype, offset = _npy_header(start, info, path)
    declared, there = math.prod(shape) * dtype.itemsize, info.file_size - offset
    if declared > there:
        what = f"{_tensor(info)} declares {declared:,} bytes, {there:,} are there"
        raise Refusal("E113", what, str(path), _AGAIN)
    if declared < there:
        what = f"{_tensor(info)} declares {declared:,} bytes, but {there:,} are there"
        raise Refusal("E114", what, str(path), _AGAIN)

    def load() -> tuple[np.ndarray, bool]:
        content = _inflated(raw, info, path)
        flat = np.frombuffer(content, dtype, offset=offset)
        value = flat.reshape(shape, order="F" if fortran else "C")
        native = np.array(value, dtype.newbyteorder("="), order="C")
        return native, zlib.crc32(content) == info.CRC

    return _Member(shape, dtype, fortran and len(shape) > 1, load)


def _npy_header(
    start: bytes, info: zipfile.ZipInfo, path: Path
) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Parse the header of a ``.npy`` member by NumPy's rules, and judge it by ours."""
    name = _tensor(info)
    if start[:1] == b"\x80":
        what = f"{name} is a Python pickle, which can run any program when it is opened"
        raise Refusal("E111", what, str(path), "do not use this file")
    stream = io.BytesIO(start)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of Python 2 are warned about
            shape, fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except Exception as error:  # hostile text fails in NumPy's parser in many ways
        what = f"{name} has no readable .npy header"
        raise Refusal("E120", what, str(path), _AGAIN) from error
    if dtype.hasobject:
        what = f"{name} holds Python objects, which can run any program when opened"
        raise Refusal("E111", what, str(path), "save arrays of float32 or float64")
    if len(shape) > _RANK_LIMIT:
        what = f"{name} declares {len(shape)} axes, at most {_RANK_LIMIT} are read"
        raise Refusal("E122", what, str(path), _AGAIN)
    if any(n < 1 for n in shape):
        what = f"{name} declares the shape {shape}"
        raise Refusal("E121", what, str(path), _AGAIN)
    return tuple(int(n) for n in shape), fortran, dtype, stream.tell()


_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _tensor(info: zipfile.ZipInfo) -> str:
    return info.orig_filename.removesuffix(".npy")


def _stored(raw: bytes, info: zipfile.ZipInfo, path: Path) -> memoryview:
    """Return the bytes of a member as they lie in the archive."""
    at = info.header_offset
    fixed = raw[at : at + 30] if at >= 0 else b""
    if len(fixed) == 30 and fixed[:4] == b"PK\x03\x04" and not info.flag_bits & 1:
        n_name, n_extra = struct.unpack("<HH", fixed[26:])
        begin = at + 30 + n_name + n_extra
        own_name = raw[at + 30 : at + 30 + n_name]
        content = memoryview(raw)[begin : begin + info.compress_size]
        if (
            own_name == info.orig_filename.encode()
            and len(content) == info.compress_size
        ):
            return content
    what = f"damaged archive: {_tensor(info)} is not where the directory says"
    raise Refusal("E120", what, str(path), _AGAIN)


def _inflated(
    raw: bytes, info: zipfile.ZipInfo, path: Path, *, most: int | None = None
) -> bytes:
    """Return a member's content, or its first ``most`` bytes; never more than said."""
    content = _stored(raw, info, path)
    size = info.file_size if most is None else min(most, info.file_size)
    if info.compress_type == zipfile.ZIP_STORED:
        inflated = bytes(content[:size])
    elif info.compress_type == zipfile.ZIP_DEFLATED:
        try:
            inflated = zlib.decompressobj(-15).decompress(content, max(size, 1))
        except zlib.error as error:
            what = f"damaged: {_tensor(info)} cannot be unpacked ({error})"
            raise Refusal("E120", what, str(path), _AGAIN) from error
    else:
        what = f"{_tensor(info)} is compressed in a way that numpy.savez never uses"
        raise Refusal("E119", what, str(path), _AGAIN)
    if len(inflated) != size:
        what = (
            f"damaged: {_tensor(info)} has {len(inflated):,} bytes, expected {size:,}"
        )
        raise Refusal("E120", what, str(path), _AGAIN)
    return inflated


def _check_crc(content: bytes | memoryview, info: zipfile.ZipInfo, path: Path) -> None:
    found = zlib.crc32(content)
    if found != info.CRC:
        sha256 = hashlib.sha256(content).hexdigest()
        what = (
            f"damaged: {_tensor(info)} has CRC-32 {found:08x} (sha256 {sha256}), "
            f"expected {info.CRC:08x}"
        )
        raise Refusal("E120", what, str(path), _AGAIN)


# ---- csv -----------------------------------------------------------------------------


def _open_csv(
    raw: bytes, path: Path
) -> tuple[dict[str, Any] | None, dict[str, _Member]]:
    text = _text(raw, path)
    manifest, skipped = None, 0
    if text.startswith("#"):
        line, _, text = text.partition("\n")
        manifest, skipped = _parse_manifest(line[1:].encode(), path), 1
    tensors: dict[str, dict[tuple[int, ...], float]] = {}
    for line_number, row in _rows(text, skipped, path):
        name, index, value = _cell(row, line_number, path)
        numbers = tensors.setdefault(name, {})
        if index in numbers:
            what = f"line {line_number}: {name} has a second value for index {index}"
            raise Refusal("E109", what, str(path), "keep one")
        numbers[index] = value
    if not tensors:
        raise Refusal("E118", "there are no rows", str(path), _AGAIN)
    members = {}
    for name, numbers in tensors.items():
        entry = manifest["arrays"].get(name) if manifest else None
        members[name] = _csv_member(name, numbers, entry, path)
    return manifest, members


def _text(raw: bytes, path: Path) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 at byte {error.start:,}"
        raise Refusal("E142", what, str(path), "save the table as UTF-8") from error
    if not text.endswith("\n"):
        what = "the last line has no end: the file may be cut short"
        raise Refusal("E117", what, str(path), "if it is whole, end it with a newline")
    return text


def _rows(text: str, skipped: int, path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if [cell.strip() for cell in header] != _COLUMNS:
            what = f"the columns are {','.join(header)[:60]!r}"
            raise Refusal("E142", what, str(path), f"expected {','.join(_COLUMNS)}")
        for row in reader:
            if row:
                yield reader.line_num + skipped, row
    except csv.Error as error:
        what = f"line {reader.line_num + skipped}: {error}"
        raise Refusal("E142", what, str(path), _AGAIN) from error


def _cell(row: list[str], line: int, path: Path) -> tuple[str, tuple[int, ...], float]:
    where = f"{path}, line {line}"
    if len(row) != 3:
        what = f"{len(row)} cells, expected 3"
        fix = "write numbers with a decimal point, not a comma"
        raise Refusal("E142", what, where, fix)
    name, index, value = (cell.strip() for cell in row)
    if not _NAME.fullmatch(name.removeprefix(STATE)):
        what = f"{name[:60]!r} is no name for a tensor"
        raise Refusal("E116", what, where, "use letters, digits and _")
    steps = index.split()
    if len(steps) > _RANK_LIMIT:
        what = f"{len(steps)} axes, at most {_RANK_LIMIT} are read"
        raise Refusal("E122", what, where, _AGAIN)
    if not all(step.isascii() and step.isdigit() and len(step) < 10 for step in steps):
        what = f"{index[:60]!r} is no index"
        raise Refusal(
            "E121", what, where, "write whole numbers and spaces, such as 0 3"
        )
    if _NOT_FINITE.fullmatch(value):
        what = f"{name} holds {value} at index {index}"
        raise Refusal("E105", what, where, "use weights from before the divergence")
    if not _NUMBER.fullmatch(value):
        what = f"{value[:60]!r} is no number"
        raise Refusal("E142", what, where, "write it as in 0.25 or -1e-3")
    return name, tuple(int(step) for step in steps), float(value)


def _csv_member(
    name: str,
    numbers: Mapping[tuple[int, ...], float],
    entry: Mapping[str, Any] | None,
    path: Path,
) -> _Member:
    if len({len(index) for index in numbers}) > 1:
        what = f"{name} has indices of different lengths"
        raise Refusal("E142", what, str(path), "give every value the same axes")
    shape = tuple(max(steps) + 1 for steps in zip(*numbers, strict=True))
    if math.prod(shape) != len(numbers):
        what = (
            f"{name} has {len(numbers):,} values, but its indices reach shape {shape}, "
            f"which needs {math.prod(shape):,}"
        )
        raise Refusal("E117", what, str(path), _AGAIN)
    value = np.empty(shape)
    for index, number in numbers.items():
        value[index] = number
    # Without a manifest, values that float32 holds exactly count as float32.
    with np.errstate(over="ignore"):
        single = value.astype(np.float32)
    exact = np.array_equal(single, value)
    dtype = np.dtype(np.float32 if exact else np.float64)
    if entry is not None and exact:
        dtype = np.dtype(entry["dtype"]).newbyteorder("=")
    value = value.astype(dtype)
    return _Member(shape, dtype, False, lambda: (value, True))


# ---- manifest ------------------------------------------------------------------------


def _parse_manifest(text: bytes, path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if twice := [key for key in keys if keys.count(key) > 1]:
            what = f"the manifest has the key {twice[0]!r} twice"
            raise Refusal("E110", what, str(path), _AGAIN)
        return dict(pairs)

    def no_constant(word: str) -> NoReturn:
        _refuse_manifest(f"{word} is no JSON", path)

    try:
        manifest = json.loads(
            text, object_pairs_hook=unique, parse_constant=no_constant
        )
    except (ValueError, RecursionError) as error:
        _refuse_manifest(str(error), path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        _refuse_manifest(f"it does not say {FORMAT!r}", path)
    version = manifest.get("version")
    if type(version) is not int or version < 1:
        _refuse_manifest(f"version {version!r}", path)
    if version > VERSION:
        what = f"manifest version {version}, this nn-parity reads up to {VERSION}"
        raise Refusal("E124", what, str(path), "upgrade nn-parity")
    _check_manifest(manifest, path)
    return manifest


def _check_manifest(manifest: dict[str, Any], path: Path) -> None:
    kinds = {"network": str, "sizes": dict, "recipe": dict, "origin": dict}
    for key, kind in {**kinds, "arrays": dict}.items():
        if not isinstance(manifest.get(key), kind):
            _refuse_manifest(f"{key} is {manifest.get(key)!r:.60}", path)
    if not _NAME.fullmatch(manifest["network"]):
        _refuse_manifest(f"network {manifest['network']!r:.60}", path)
    for name, entry in manifest["arrays"].items():
        if not isinstance(entry, dict) or not _is_entry(entry):
            _refuse_manifest(f"the entry of {name[:60]!r}", path)


def _is_entry(entry: dict[str, Any]) -> bool:
    shape, numbers = entry.get("shape"), entry.get("probe")
    return (
        entry.get("kind") in ("parameter", "state")
        and entry.get("dtype") in ("<f4", "<f8")
        and isinstance(shape, list)
        and all(type(n) is int and n > 0 for n in shape)
        and isinstance(entry.get("sha256"), str)
        and isinstance(numbers, list)
        and all(type(v) is float for v in numbers)
    )


def _refuse_manifest(what: str, path: Path) -> NoReturn:
    fix = f"{_AGAIN}; without its manifest a file is read with a note"
    raise Refusal("E141", f"malformed manifest: {what}", str(path), fix)


def _pairs(mapping: Mapping[str, Any]) -> str:
    return ", ".join(f"{_text_of(key)} {_text_of(mapping[key])}" for key in mapping)


def _text_of(value: Any) -> str:
    """Shorten a value from a manifest, and keep terminal codes out of messages."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(c if c.isprintable() else "?" for c in text)[:80]


def _list(names: Sequence[str], shapes: Shapes) -> str:
    said = ", ".join(f"{name[:60]} {tuple(shapes[name])}" for name in names[:8])
    return said + (f" and {len(names) - 8} more" if names[8:] else "")
