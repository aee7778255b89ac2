"""samples.jsonl: every raw value that the tables are made of, one JSON object a line.

JSON has no NaN and no infinity, and strict readers refuse Python's literals. A number that
is one of these stands there as the string "nan", "inf" or "-inf", and `read` turns it back
into the number; what is text (`TEXT`) stays text, even an experiment called "nan".

The first line says by which schema the others are written, and on what machine.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nn_parity.errors import Refusal

FILE = "samples.jsonl"
COMPRESSED = "samples.jsonl.gz"  # of a published run
TEXT = (  # of the tables, too
    "network", "experiment", "framework", "dtype", "quantity", "tensor", "status",
    "reason", "why", "part", "variant", "kind", "flag", "dataset", "record", "case",
    "loss", "machine", "measure", "differs_from", "dimension", "crossover_says",
)  # fmt: skip
_NOT_FINITE = ("nan", "inf", "-inf")

Sample = dict[str, Any]


def header(schema: int, machine: str) -> Sample:
    """Return the first record of a file."""
    return {"record": "run", "schema": schema, "machine": machine}


def text(samples: Iterable[Sample]) -> str:
    """Return the samples as JSON lines."""
    lines = (json.dumps(_strict(sample), allow_nan=False) for sample in samples)
    return "".join(f"{line}\n" for line in lines)


def read(path: Path) -> list[Sample]:
    """Return the samples of a file, numbers that are not finite among them."""
    return load(path)[0]


def parse(lines: str) -> list[Sample]:
    """Return the samples of whole JSON lines."""
    return [_numbers(json.loads(line)) for line in lines.splitlines()]


def load(path: Path) -> tuple[list[Sample], str]:
    """Return the samples of a file, and what is left of a last line that was cut off.

    A process that is killed while it appends leaves half a line; that is no damage.
    `Refusal` E603 if any other line is no JSON object.
    """
    whole = content(path).decode(errors="replace")
    *lines, last = whole.split("\n")
    found = [_record(line, path, n) for n, line in enumerate(lines, 1)]
    if not last:
        return found, ""
    try:
        return [*found, _record(last, path, len(lines) + 1)], ""
    except Refusal:
        return found, last


def content(path: Path) -> bytes:
    """Return the bytes of a file of samples, compressed or not."""
    raw = path.read_bytes()
    if path.suffix != ".gz":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError) as error:
        raise Refusal(
            "E603", f"damaged: {error}", str(path), "get the file again"
        ) from error


def find(folder: Path) -> Path:
    """Return where a run's samples lie, compressed or not."""
    compressed = folder / COMPRESSED
    return compressed if compressed.exists() else folder / FILE


def _record(line: str, path: Path, number: int) -> Sample:
    try:
        record = json.loads(line)
        if not isinstance(record, dict) or not isinstance(record.get("record"), str):
            raise ValueError("no object with a record's name")
    except ValueError as error:
        raise Refusal(
            "E603",
            f"line {number} is no record: {error}",
            str(path),
            "get the file again; only a last line may be cut off",
        ) from error
    return _numbers(record)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(of) for key, of in value.items()}
    if isinstance(value, list):
        return [_strict(of) for of in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    return value


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: v if k in TEXT else _numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_numbers(of) for of in value]
    return float(value) if value in _NOT_FINITE else value
