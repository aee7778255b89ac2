"""What was edited in a table: cells, rows and columns that differ, each named."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nn_parity import escapes

MOST_PAIRS = 100_000  # of lost and added rows that are compared with each other
ROUNDING = 1e-9  # relative: what another processor may make of the same sum


@dataclass(frozen=True)
class Finding:
    """One thing that is not as a run wrote it.

    Attributes
    ----------
    file : str
        Where, relative to the run.
    what : str
        edited, missing, added or damaged.
    row : dict
        The columns that name the row; empty for a whole file.
    column, found, expected : str
        The cell: what stands there, and what the records say. Without a column,
        ``found`` says what is wrong.
    """

    file: str
    what: str
    row: dict[str, str] = field(default_factory=dict)
    column: str = ""
    found: str = ""
    expected: str = ""

    def __str__(self) -> str:
        """Return the one line that the user reads."""
        named = " ".join(f"{k}={escapes.plain(v)}" for k, v in self.row.items() if v)
        line = f"{self.what.upper()} {escapes.plain(self.file)}"
        line += f", row {named}" if named else ""
        found, expected = (escapes.plain(t) for t in (self.found, self.expected))
        if self.column:
            column = escapes.plain(self.column)
            return f"{line}: {column} is {found or 'empty'}, not {expected or 'empty'}"
        return f"{line}: {found}" if found else line


def read_cells(text: str) -> list[list[str]]:
    """Return the rows of a CSV text, headings first; csv.Error if it is none."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def differences(
    file: str,
    keys: Sequence[str],
    found: list[list[str]],
    expected: list[list[str]],
    *,
    exact: bool,
) -> Iterator[Finding]:
    """Compare two tables, headings first; rows belong together by their key columns.

    A row of which a key was edited is known by its other cells. Unless ``exact``,
    numbers may differ by `ROUNDING`.
    """
    columns, heading = expected[0], found[0] if found else []
    if heading != columns:
        yield from _headings(file, heading, columns)
        return
    theirs = _by_key(found[1:], columns, keys)
    ours = _by_key(expected[1:], columns, keys)
    lost: list[list[str]] = []
    for key, rows in ours.items():
        there = theirs.get(key, [])
        for row in rows:
            other = _nearest(row, there)
            if other is None:
                lost.append(row)
                continue
            there.remove(other)
            yield from _cells(file, columns, keys, other, row, exact)
    added = [row for rows in theirs.values() for row in rows]
    few = len(lost) * len(added) <= MOST_PAIRS
    for row in lost:
        other = _nearest(row, added) if few else None
        if other is None or _distance(row, other) > len(row) // 2:
            yield Finding(file, "missing", _named(columns, keys, row))
            continue
        added.remove(other)
        yield from _cells(file, columns, keys, other, row, exact)
    for row in added:
        yield Finding(file, "added", _named(columns, keys, row))
    if sorted(found[1:]) == sorted(expected[1:]) and found != expected:
        yield Finding(file, "edited", found="rows stand in another order")


def _headings(file: str, found: list[str], expected: list[str]) -> Iterator[Finding]:
    missing, added = set(expected) - set(found), set(found) - set(expected)
    for column in sorted(missing):
        yield Finding(file, "missing", found=f"column {column}")
    for column in sorted(added):
        yield Finding(file, "added", found=f"column {column}")
    if not missing and not added:
        yield Finding(file, "edited", found="columns stand in another order, or twice")


def _by_key(
    rows: list[list[str]], columns: list[str], keys: Sequence[str]
) -> dict[tuple[str, ...], list[list[str]]]:
    found: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for row in rows:
        found[tuple(_named(columns, keys, row).values())].append(row)
    return found


def _nearest(row: list[str], among: list[list[str]]) -> list[str] | None:
    return min(among, key=lambda other: _distance(row, other), default=None)


def _named(columns: list[str], keys: Sequence[str], row: list[str]) -> dict[str, str]:
    cells = dict(zip(columns, row, strict=False))
    return {key: cells.get(key, "") for key in keys}


def _distance(row: list[str], other: list[str]) -> int:
    differing = sum(a != b for a, b in zip(row, other, strict=False))
    return differing + abs(len(row) - len(other))


def _cells(
    file: str,
    columns: list[str],
    keys: Sequence[str],
    found: list[str],
    expected: list[str],
    exact: bool,
) -> Iterator[Finding]:
    row = _named(columns, keys, expected)
    if len(found) != len(expected):
        what = f"{len(found)} cells in place of {len(expected)}"
        yield Finding(file, "edited", row, found=what)
        return
    for column, is_, should in zip(columns, found, expected, strict=True):
        if is_ != should and (exact or not _as_rounded(is_, should)):
            yield Finding(file, "edited", row, column, is_, should)


def _as_rounded(found: str, expected: str) -> bool:
    try:
        return math.isclose(float(found), float(expected), rel_tol=ROUNDING)
    except ValueError:
        return False
