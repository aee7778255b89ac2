"""The ``.npz`` format: a zip archive whose every header may be a lie."""

import hashlib
import io
import math
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nn_parity.errors import Refusal
from nn_parity.weight_files.contents import (
    AGAIN,
    LIMIT,
    RANK_LIMIT,
    Arrays,
    Manifest,
    Member,
)
from nn_parity.weight_files.formats import refuse_foreign
from nn_parity.weight_files.manifest import parse_manifest, refuse_manifest

_MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 16 << 20
_NPY_HEADER_LIMIT = 10_000  # as NumPy's own
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def encode(arrays: Arrays, manifest: str) -> bytes:
    """Return the bytes of an archive that `numpy.load` reads too."""
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


def decode(raw: bytes, path: Path) -> tuple[Manifest | None, dict[str, Member]]:
    """Return the manifest, if there is one, and the tensors, still packed."""
    infos = _directory(raw, path)
    _check_inflation(infos, len(raw), path)
    manifest = None
    if (info := infos.pop(_MANIFEST, None)) is not None:
        if info.file_size > _MANIFEST_LIMIT:
            refuse_manifest(f"it declares {info.file_size:,} bytes", path)
        text = _inflated(raw, info, path)
        _check_crc(text, info, path)
        manifest = parse_manifest(text, path)
    members = {}
    for member, info in infos.items():
        if not member.endswith(".npy"):
            what = f"the member {member!r} is no array"
            raise Refusal("E108", what, str(path), "keep only .npy members")
        members[member.removesuffix(".npy")] = _member(raw, info, path)
    if not members:
        raise Refusal("E119", "the archive holds no arrays", str(path), AGAIN)
    return manifest, members


def _directory(raw: bytes, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return member name -> entry, with only harmless names, each once."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
    except UnicodeDecodeError as error:
        what = "a member's name is not UTF-8"
        raise Refusal("E116", what, str(path), AGAIN) from error
    except zipfile.BadZipFile as error:
        code, what = "E120", f"damaged archive: {error}"
        if b"PK\x05\x06" not in raw[-(1 << 16) - 22 :]:
            code, what = "E117", "cut short: the archive's directory is not there"
        raise Refusal(code, what, str(path), AGAIN) from error
    except (ValueError, OSError, EOFError, NotImplementedError, struct.error) as error:
        what = f"damaged archive: {error}"
        raise Refusal("E120", what, str(path), AGAIN) from error
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in entries:
        name = info.orig_filename  # filename is what zipfile made of it
        _check_member_name(name, info, path)
        if name in infos:
            what = (
                f"{name} is in the archive twice, and readers differ in which they use"
            )
            raise Refusal("E109", what, str(path), AGAIN)
        infos[name] = info
    return infos


def _check_member_name(name: str, info: zipfile.ZipInfo, path: Path) -> None:
    last = name.rpartition("/")[2]
    if last == "data.pkl":
        refuse_foreign(".pt", path)
    if last == "model.weights.h5":
        refuse_foreign(".keras", path)
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


def _member(raw: bytes, info: zipfile.ZipInfo, path: Path) -> Member:
    if info.compress_type == zipfile.ZIP_STORED:
        # Nothing to unpack: a damaged header is known as such before it is believed.
        _check_crc(_stored(raw, info, path), info, path)
    start = _inflated(raw, info, path, most=_NPY_HEADER_LIMIT + 12)
    shape, fortran, dtype, offset = _npy_header(start, info, path)
    declared, there = math.prod(shape) * dtype.itemsize, info.file_size - offset
    if declared > there:
        what = f"{_tensor(info)} declares {declared:,} bytes, {there:,} are there"
        raise Refusal("E113", what, str(path), AGAIN)
    if declared < there:
        what = f"{_tensor(info)} declares {declared:,} bytes, but {there:,} are there"
        raise Refusal("E114", what, str(path), AGAIN)

    def load() -> tuple[np.ndarray, bool]:
        content = _inflated(raw, info, path)
        flat = np.frombuffer(content, dtype, offset=offset)
        value = flat.reshape(shape, order="F" if fortran else "C")
        native = np.array(value, dtype.newbyteorder("="), order="C")
        return native, zlib.crc32(content) == info.CRC

    return Member(shape, dtype, fortran and len(shape) > 1, load)


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
        raise Refusal("E120", what, str(path), AGAIN) from error
    if dtype.hasobject:
        what = f"{name} holds Python objects, which can run any program when opened"
        raise Refusal("E111", what, str(path), "save arrays of float32 or float64")
    if len(shape) > RANK_LIMIT:
        what = f"{name} declares {len(shape)} axes, at most {RANK_LIMIT} are read"
        raise Refusal("E122", what, str(path), AGAIN)
    if any(n < 1 for n in shape):
        what = f"{name} declares the shape {shape}"
        raise Refusal("E121", what, str(path), AGAIN)
    return tuple(int(n) for n in shape), fortran, dtype, stream.tell()


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
    raise Refusal("E120", what, str(path), AGAIN)


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
            raise Refusal("E120", what, str(path), AGAIN) from error
    else:
        what = f"{_tensor(info)} is compressed in a way that numpy.savez never uses"
        raise Refusal("E119", what, str(path), AGAIN)
    if len(inflated) != size:
        what = (
            f"damaged: {_tensor(info)} has {len(inflated):,} bytes, expected {size:,}"
        )
        raise Refusal("E120", what, str(path), AGAIN)
    return inflated


def _check_crc(content: bytes | memoryview, info: zipfile.ZipInfo, path: Path) -> None:
    found = zlib.crc32(content)
    if found != info.CRC:
        sha256 = hashlib.sha256(content).hexdigest()
        what = (
            f"damaged: {_tensor(info)} has CRC-32 {found:08x} (sha256 {sha256}), "
            f"expected {info.CRC:08x}"
        )
        raise Refusal("E120", what, str(path), AGAIN)


def _tensor(info: zipfile.ZipInfo) -> str:
    return info.orig_filename.removesuffix(".npy")
