"""samples.jsonl: every raw value that the tables are made of, one JSON object a line.

JSON has no NaN and no infinity, and strict readers refuse Python's literals. A number that
is one of these stands there as the string "nan", "inf" or "-inf", and `read` turns it back
into the number; what is text (`TEXT`) stays text, even an experiment called "nan".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILE = "samples.jsonl"
TEXT = (  # of the tables, too
    "network", "experiment", "framework", "dtype", "quantity", "tensor", "status",
    "reason", "why", "part", "variant", "kind", "flag", "dataset", "record", "case",
)  # fmt: skip
_NOT_FINITE = ("nan", "inf", "-inf")

Sample = dict[str, Any]


def text(samples: Iterable[Sample]) -> str:
    """Return the samples as JSON lines."""
    lines = (json.dumps(_strict(sample), allow_nan=False) for sample in samples)
    return "".join(f"{line}\n" for line in lines)


def read(path: Path) -> list[Sample]:
    """Return the samples of a file, numbers that are not finite among them."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_numbers(json.loads(line)) for line in lines]


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
