"""One idx file, gzipped or not, read strictly.

The format (LeCun): two zero bytes, a type code (8 is unsigned byte), the number of
axes, the length of each axis as a big-endian int32, then the values.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nn_parity.errors import Refusal

LIMIT = 1 << 30  # bytes a file may hold; MNIST's largest has 47 million
_TOO_MUCH = 16 << 20  # surplus that is still counted before we stop reading
_TYPES = {
    0x08: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "int16",
    0x0C: "int32",
    0x0D: "float32",
    0x0E: "float64",
}
_AXES = {"images": 3, "labels": 1}
_AGAIN = "get the file again, then `nn-parity data import PATH` or --data DIR"


@dataclass(frozen=True)
class Idx:
    """A file as it was read, once.

    Attributes
    ----------
    values : numpy.ndarray
        uint8, (N, height, width) for images, (N,) for labels; a view, not writable.
    sha256 : str
        Of the decompressed file, header included.
    stored : bytes
        The file as it lies on the disk.
    """

    values: np.ndarray
    sha256: str
    stored: bytes

    @property
    def compressed(self) -> bool:
        """Whether ``stored`` is gzip."""
        return self.stored[:2] == b"\x1f\x8b"


def read(path: Path, kind: str, *, shape: tuple[int, ...] | None = None) -> Idx:
    """Read ``kind`` "images" or "labels" from ``path``.

    The size that the header promises must be within `LIMIT`, and must be ``shape`` if
    that is given; a gzip stream is inflated that far and no further, so neither a
    false header nor an endless stream costs more memory than the data would.

    Raises
    ------
    Refusal
        ``E201`` cut short, ``E202`` damaged gzip, ``E203`` bytes after the gzip
        stream, ``E204`` a web page, ``E205`` too large, ``E206`` not this kind of
        file, ``E207`` fewer values than promised, ``E208`` more, ``E210`` little-
        endian header, ``E211`` not the shape asked for, ``E219`` empty, ``E221``
        labels that are no unsigned bytes, ``E230`` unreadable.
    """
    stored = _stored(path)
    payload: bytes | memoryview
    if stored[:2] == b"\x1f\x8b":
        header, payload = _inflated(stored, kind, shape, path)
    else:
        header, payload = _plain(stored, kind, shape, path)
    digest = hashlib.sha256(header)
    digest.update(payload)
    axes = struct.unpack(f">{_AXES[kind]}I", header[4:])
    values = np.frombuffer(payload, np.uint8).reshape(axes)
    return Idx(values, digest.hexdigest(), stored)


def kind_of(path: Path) -> str:
    """Tell "images" from "labels" by the first bytes of the file, not by its name."""
    start = _stored(path)
    if start[:2] == b"\x1f\x8b":
        start = _inflate_some(zlib.decompressobj(31), start, 4, path)
    return "labels" if start[:4] == b"\x00\x00\x08\x01" else "images"


def _stored(path: Path) -> bytes:
    try:
        if path.stat().st_size > LIMIT:
            what = f"{path.stat().st_size:,} bytes, at most {LIMIT:,} are read"
            raise Refusal("E205", what, str(path), _AGAIN)
        return path.read_bytes()
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise Refusal("E230", what, str(path), "check the path") from error


def _plain(
    stored: bytes, kind: str, shape: tuple[int, ...] | None, path: Path
) -> tuple[bytes, memoryview]:
    size = 4 + 4 * _AXES[kind]
    header, payload = stored[:size], memoryview(stored)[size:]
    expected = _payload_size(header, kind, shape, path)
    _check_payload(len(payload), expected, header, path)
    return header, payload


def _inflated(
    stored: bytes, kind: str, shape: tuple[int, ...] | None, path: Path
) -> tuple[bytes, bytes]:
    stream = zlib.decompressobj(wbits=31)
    header = _inflate_some(stream, stored, 4 + 4 * _AXES[kind], path)
    if len(header) < 4 + 4 * _AXES[kind] and not stream.eof:
        _refuse_cut(len(header), "a header", path)
    expected = _payload_size(header, kind, shape, path)
    payload = _inflate_some(stream, stream.unconsumed_tail, expected + 1, path)
    if len(payload) <= expected and not stream.eof:
        _refuse_cut(len(payload), f"{expected:,}", path)
    found = len(payload)
    if found > expected and not stream.eof:
        found += _surplus(stream, expected, path)
    _check_payload(found, expected, header, path)
    if stream.unused_data:
        what = f"{len(stream.unused_data):,} bytes follow the end of the gzip stream"
        raise Refusal("E203", what, str(path), _AGAIN)
    return header, payload


def _inflate_some(
    stream: "zlib._Decompress", data: bytes, most: int, path: Path
) -> bytes:
    try:
        return stream.decompress(data, most)
    except zlib.error as error:
        said = str(error)
        if "incorrect data check" in said:
            what = "damaged: the CRC-32 at the end does not fit the content"
        elif "incorrect length check" in said:
            what = "damaged: the length at the end does not fit the content"
        else:
            what = f"damaged gzip stream: {said.rpartition(': ')[2]}"
        raise Refusal("E202", what, str(path), _AGAIN) from error


def _surplus(stream: "zlib._Decompress", expected: int, path: Path) -> int:
    """Count what follows the expected values, piece by piece, up to a limit."""
    surplus = 0
    while not stream.eof and surplus <= _TOO_MUCH:
        piece = _inflate_some(stream, stream.unconsumed_tail, 1 << 20, path)
        if not piece and not stream.eof:
            _refuse_cut(expected + surplus, "an end", path)
        surplus += len(piece)
    if surplus > _TOO_MUCH:
        what = (
            f"{expected:,} values expected, but the stream goes on for more than "
            f"{surplus:,} bytes after them; reading stopped there"
        )
        raise Refusal("E205", what, str(path), _AGAIN)
    return surplus


def _payload_size(
    header: bytes, kind: str, shape: tuple[int, ...] | None, path: Path
) -> int:
    """Check the header and return how many bytes must follow it."""
    _check_magic(header, kind, path)
    axes = struct.unpack(f">{_AXES[kind]}I", header[4:])
    if 0 in axes:
        what = f"the header says {_times(axes)}: there is nothing in it"
        raise Refusal("E219", what, str(path), _AGAIN)
    size = _product(axes)
    if size > LIMIT:
        if _product(_swapped(axes)) <= LIMIT:
            _refuse_little_endian(axes, path)
        what = f"the header promises {_times(axes)} bytes, at most {LIMIT:,} are read"
        raise Refusal("E205", what, str(path), _AGAIN)
    if shape is not None and axes != shape:
        what = f"the header says {_times(axes)}, expected {_times(shape)}"
        raise Refusal("E211", what, str(path), _AGAIN)
    return size


def _check_magic(header: bytes, kind: str, path: Path) -> None:
    rank = _AXES[kind]
    wanted = bytes([0, 0, 8, rank])
    magic = header[:4]
    if not header:
        raise Refusal("E219", "the file is empty: 0 bytes", str(path), _AGAIN)
    if magic == wanted and len(header) == 4 + 4 * rank:
        return
    if header.lstrip(b"\xef\xbb\xbf \t\r\n")[:2].lower() in (b"<!", b"<h", b"<?"):
        what = "a web page (<html ...) and no data: a captive portal, or a 403 refusal"
        raise Refusal("E204", what, str(path), _AGAIN)
    if magic == wanted:
        what = f"the header has {len(header)} bytes, expected {4 + 4 * rank}"
        raise Refusal("E207", what, str(path), _AGAIN)
    if magic == wanted[::-1]:
        what = (
            f"little-endian header: magic {magic.hex(' ')}, expected {wanted.hex(' ')}"
        )
        raise Refusal("E210", what, str(path), "write idx headers big-endian")
    code, what = _why_not(magic, kind, wanted)
    raise Refusal(code, what, str(path), _AGAIN)


def _why_not(magic: bytes, kind: str, wanted: bytes) -> tuple[str, str]:
    found = f"magic {magic.hex(' ')}, expected {wanted.hex(' ')}"
    if magic[:2] != b"\x00\x00" or len(magic) < 4 or magic[2] not in _TYPES:
        return "E206", f"neither gzip nor idx {kind}: {found}"
    held = f"{_TYPES[magic[2]]} along {magic[3]} axes"
    code = "E221" if kind == "labels" and magic[2] != 8 else "E206"
    return code, f"holds {held}, expected {kind} as unsigned bytes: {found}"


def _check_payload(found: int, expected: int, header: bytes, path: Path) -> None:
    if found == expected:
        return
    axes = struct.unpack(f">{len(header) // 4 - 1}I", header[4:])
    if found == _product(_swapped(axes)):
        _refuse_little_endian(axes, path)
    code, word = ("E207", "only ") if found < expected else ("E208", "")
    what = (
        f"the header says {_times(axes)} = {expected:,} bytes, {word}{found:,} follow"
    )
    raise Refusal(code, what, str(path), _AGAIN)


def _refuse_cut(found: int, expected: str, path: Path) -> None:
    what = (
        f"cut short: the gzip stream stops after {found:,} bytes, expected {expected}"
    )
    raise Refusal("E201", what, str(path), _AGAIN)


def _refuse_little_endian(axes: tuple[int, ...], path: Path) -> None:
    what = (
        f"little-endian header: it reads {_times(axes)}, and {_times(_swapped(axes))} "
        "with its bytes reversed"
    )
    raise Refusal("E210", what, str(path), "write idx headers big-endian")


def _swapped(axes: tuple[int, ...]) -> tuple[int, ...]:
    return struct.unpack(f"<{len(axes)}I", struct.pack(f">{len(axes)}I", *axes))


def _product(axes: tuple[int, ...]) -> int:
    size = 1
    for n in axes:
        size *= n
    return size


def _times(axes: tuple[int, ...]) -> str:
    return " x ".join(f"{n:,}" for n in axes)
