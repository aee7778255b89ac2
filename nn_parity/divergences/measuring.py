"""The side of the worker: what one framework makes of the inputs of each row."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from nn_parity.divergences import catalogue
from nn_parity.divergences.row import Row
from nn_parity.registry import PACKAGES


def measure(framework: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return, JSON-ready, what one implementation has for the rows of these ids.

    A row has "does", and "naive" and "aligned" as {name: nested lists}; or "does" and
    "reason" if one of them raised. Rows the implementation does not have are left out;
    ValueError if it has one that nobody else knows.
    """
    pairs = import_module(f"{PACKAGES[framework]}.atlas").ROWS
    if stray := sorted(pairs.keys() - {row.id for row in catalogue.ROWS}):
        raise ValueError(f"{framework} has rows that are in no topic: {stray}")
    rows = (row for row in catalogue.ROWS if row.id in set(ids))
    return {row.id: _side(row, pairs[row.id]) for row in rows if row.id in pairs}


def _side(row: Row, pair: Any) -> dict[str, Any]:
    side: dict[str, Any] = {"does": pair.does}
    for way, function in (("naive", pair.naive), ("aligned", pair.aligned)):
        if function is None:
            continue
        try:
            side[way] = _plain(function(row.inputs()))
        except Exception as error:  # noqa: BLE001 - becomes the reason of a row
            traceback.print_exc()
            text = next(iter(str(error).splitlines()), "")
            reason = f"{way}: {type(error).__name__}: {text}"
            return {"does": pair.does, "reason": reason}
    return side


def _plain(result: Any) -> dict[str, Any]:
    """Return arrays as nested lists: float32 and float64 survive JSON bit for bit."""
    named = result if isinstance(result, Mapping) else {"": result}
    return {name: np.asarray(a, np.float64).tolist() for name, a in named.items()}
