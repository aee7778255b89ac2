"""The CSV format: one ``tensor,index,value`` row per number."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nn_parity.errors import Refusal
from nn_parity.weight_files.contents import (
    AGAIN,
    NAME,
    RANK_LIMIT,
    STATE,
    Arrays,
    Manifest,
    Member,
)
from nn_parity.weight_files.manifest import parse_manifest

_COLUMNS = ["tensor", "index", "value"]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


def encode(arrays: Arrays, manifest: str) -> bytes:
    """Return a table whose numbers are long enough to come back unchanged."""
    lines = [f"# {manifest}", ",".join(_COLUMNS)]
    for name, value in arrays.items():
        flat = value.astype(np.float64).ravel().tolist()
        for index, number in zip(np.ndindex(value.shape), flat, strict=True):
            lines.append(f"{name},{' '.join(map(str, index))},{number!r}")
    return ("\n".join(lines) + "\n").encode()


def decode(raw: bytes, path: Path) -> tuple[Manifest | None, dict[str, Member]]:
    """Return the manifest, if there is one, and the tensors."""
    text = _text(raw, path)
    manifest, skipped = None, 0
    if text.startswith("#"):
        line, _, text = text.partition("\n")
        manifest, skipped = parse_manifest(line[1:].encode(), path), 1
    tensors: dict[str, dict[tuple[int, ...], float]] = {}
    for line_number, row in _rows(text, skipped, path):
        name, index, value = _cell(row, line_number, path)
        numbers = tensors.setdefault(name, {})
        if index in numbers:
            what = f"line {line_number}: {name} has a second value for index {index}"
            raise Refusal("E109", what, str(path), "keep one")
        numbers[index] = value
    if not tensors:
        raise Refusal("E118", "there are no rows", str(path), AGAIN)
    members = {}
    for name, numbers in tensors.items():
        entry = manifest["arrays"].get(name) if manifest else None
        members[name] = _member(name, numbers, entry, path)
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
        raise Refusal("E142", what, str(path), AGAIN) from error


def _cell(row: list[str], line: int, path: Path) -> tuple[str, tuple[int, ...], float]:
    where = f"{path}, line {line}"
    if len(row) != 3:
        what = f"{len(row)} cells, expected 3"
        fix = "write numbers with a decimal point, not a comma"
        raise Refusal("E142", what, where, fix)
    name, index, value = (cell.strip() for cell in row)
    if not NAME.fullmatch(name.removeprefix(STATE)):
        what = f"{name[:60]!r} is no name for a tensor"
        raise Refusal("E116", what, where, "use letters, digits and _")
    steps = index.split()
    if len(steps) > RANK_LIMIT:
        what = f"{len(steps)} axes, at most {RANK_LIMIT} are read"
        raise Refusal("E122", what, where, AGAIN)
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


def _member(
    name: str,
    numbers: Mapping[tuple[int, ...], float],
    entry: Mapping[str, Any] | None,
    path: Path,
) -> Member:
    if len({len(index) for index in numbers}) > 1:
        what = f"{name} has indices of different lengths"
        raise Refusal("E142", what, str(path), "give every value the same axes")
    shape = tuple(max(steps) + 1 for steps in zip(*numbers, strict=True))
    if math.prod(shape) != len(numbers):
        what = (
            f"{name} has {len(numbers):,} values, but its indices reach shape {shape}, "
            f"which needs {math.prod(shape):,}"
        )
        raise Refusal("E117", what, str(path), AGAIN)
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
    return Member(shape, dtype, False, lambda: (value, True))
