"""Records of timings -> rows of the tables: pure functions, which `verify` calls again.

A ratio is a cell's time over scratch's in the same round of the same launch: both ran
within the same second, whatever else the machine did. Four kinds of record make a row:

``timing-cell``  what is known when a process stands ready, once for each launch, or why
                 there is none (withheld, not installed, crashed);
``timing``       one slice: seconds, CPU seconds, steps;
``timing-end``   how the launch ended, and the process's peak memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn_parity.benching.entries import BASIS, NAMES, PEAK
from nn_parity.benching.intervals import interval
from nn_parity.samples import Sample

Row = dict[str, Any]
Key = tuple[Any, ...]
Turn = tuple[int, int, int]  # launch, start, round

RECORDS = ("timing-cell", "timing", "timing-end")
SCALING_KEYS = NAMES
KEYS = NAMES[: NAMES.index("dimension")]
COLUMNS = (
    "experiment", "framework", "variant", "kind", "dtype", "batch_size", "threads",
    "first_step_ms", "compile_ms", "step_ms", "step_ms_q1", "step_ms_q3", "min_ms",
    "examples_per_s", "ratio_to_scratch", "ratio_lo", "ratio_hi", "cpu_ratio",
    "peak_rss_mib", "n", "flag", "status", "reason", "part", "epoch_ms", "min_ratio",
    "step_cpu_ms", "cpu_per_wall", "launches", "startup_ms", "gflop_per_s",
    "peak_gflop_per_s", "peak_share", "machine",
)  # fmt: skip

LAUNCHES, ROUNDS = 5, 31  # fewer are called short
DIFFER = 0.05  # wall and CPU ratios further apart than this share
SPREAD = 0.2  # quartiles further apart than this share of the median: noisy
BUSY, IDLE = 1.1, 0.9  # CPU seconds per second and thread, at most and at least
LATE = 0.1  # share of a slice that was still to be done when its clock had stopped
FIRST = 0.25  # share of a slice that its first call may take longer than the others
# how far the first epoch's movement may be from scratch's: the same work, not parity
SAME_WORK = {"float64": 1e-6, "float32": 1e-2}


@dataclass
class Cell:
    """All that was recorded of one row."""

    names: dict[str, Any]
    ready: list[Sample] = field(default_factory=list)  # timing-cell
    ends: list[Sample] = field(default_factory=list)  # timing-end
    slices: dict[Turn, Sample] = field(default_factory=dict)
    status: str = ""
    reason: str = ""
    quick: bool = False

    def told(self, name: str) -> list[Any]:
        """Return what the launches say of one thing, those that do."""
        return [r[name] for r in (*self.ready, *self.ends) if r.get(name) is not None]

    def median(self, name: str) -> float | str:
        """Return the median of it; "" if no launch knows."""
        values = self.told(name)
        return float(np.median(values)) if values else ""

    def per_step(self, of: str) -> np.ndarray:
        """Seconds of a step in every slice."""
        return np.array([_per_step(s, of) for s in self.slices.values()])

    def launches(self) -> int:
        """In how many launches it was timed."""
        return len({turn[:2] for turn in self.slices})


def rows(records: Sequence[Sample]) -> list[Row]:
    """Return the rows of speed.csv."""
    cells = gather(records)
    return [
        dict.fromkeys(COLUMNS, "") | _shown(cell.names, KEYS) | measured(cell, cells)
        for cell in cells.values()
        if cell.names["kind"] != PEAK and not cell.names["dimension"]
    ]


def gather(records: Iterable[Sample]) -> dict[Key, Cell]:
    """Sort records by the row that they make, in the order of the rows."""
    cells: dict[Key, Cell] = {}
    for record in records:
        if record["record"] not in RECORDS:
            continue
        names = {name: record[name] for name in SCALING_KEYS}
        cell = cells.setdefault(tuple(names.values()), Cell(names))
        if record["record"] == "timing":
            turn = record["launch"], record["start"], record["round"]
            cell.slices[turn] = record
            continue
        cell.status, cell.reason = record["status"], record["reason"]
        cell.quick = bool(record["quick"])
        if record["status"] == "ok":
            ready = record["record"] == "timing-cell"
            (cell.ready if ready else cell.ends).append(record)
    return cells


def measured(cell: Cell, cells: dict[Key, Cell]) -> Row:
    """Return the numbers of a cell, or why it has none."""
    basis = cells.get(_basis(cell.names))
    status, reason = cell.status, cell.reason
    if status == "ok":
        status, reason = _sound(cell, basis)
    if status != "ok":
        return {"status": status, "reason": reason}
    found = _times(cell) | _first_call(cell) | _against(cell, basis)
    found |= _share_of_peak(cell, cells)
    flags = "; ".join(_flags(cell, found))
    return found | {"flag": flags, "status": "ok", "reason": ""}


def _basis(names: dict[str, Any]) -> Key:
    """Return the key of scratch's cell that a cell is compared with."""
    variant = BASIS.get(names["variant"], names["variant"])
    return tuple((names | {"framework": "scratch", "variant": variant}).values())


def _sound(cell: Cell, basis: Cell | None) -> tuple[str, str]:
    """Return "ok", or why these times are not to be shown."""
    if not cell.slices:
        return "killed", "interrupted before the first slice"
    # work that goes on is left over in every slice; a busy machine is late in some
    left = [s["late"] / s["seconds"] for s in cell.slices.values()]
    late = np.quantile(left, 0.25)
    if late > LATE:
        why = f"not blocked: {late:.0%} of a slice was left when its clock stopped"
        return "withheld", why
    ours, theirs = cell.median("size"), basis.median("size") if basis else ""
    if isinstance(ours, float) and isinstance(theirs, float):
        both = math.isfinite(ours) and math.isfinite(theirs)
        near = SAME_WORK[cell.names["dtype"]]
        if both and not math.isclose(ours, theirs, rel_tol=near):
            what = (
                "predictions are"
                if cell.names["kind"] == "inference"
                else "the weights moved by"
            )
            why = (
                f"not the same work: {what} {ours:.6g} in norm, scratch's {theirs:.6g}"
            )
            return "withheld", why
    return "ok", ""


def _times(cell: Cell) -> Row:
    milliseconds = 1e3 * cell.per_step("seconds")
    q1, median, q3 = np.percentile(milliseconds, [25, 50, 75])
    one = next(iter(cell.slices.values()))
    found: Row = {
        "step_ms": float(median),
        "step_ms_q1": float(q1),
        "step_ms_q3": float(q3),
        "min_ms": float(milliseconds.min()),
        "examples_per_s": float(1e3 * one["examples"] / one["steps"] / median),
        "step_cpu_ms": float(1e3 * np.median(cell.per_step("cpu"))),
        "cpu_per_wall": float(
            np.median([s["cpu"] / s["seconds"] for s in cell.slices.values()])
        ),
        "peak_rss_mib": cell.median("peak_mib"),
        "n": len(cell.slices),
        "launches": cell.launches(),
    }
    if cell.names["kind"] == "train-epoch":
        found["epoch_ms"] = found["step_ms"] * one["steps_once"]
    return found


def _first_call(cell: Cell) -> Row:
    """Tell how long the first call took, and how much longer than later ones.

    The first call of an epoch is the whole epoch; its first step is what is left when the
    other steps have taken as long as they do later.
    """
    startup, first = cell.median("startup_seconds"), cell.median("first_seconds")
    found: Row = {"startup_ms": 1e3 * startup if isinstance(startup, float) else ""}
    if isinstance(first, float):
        step = float(np.median(cell.per_step("seconds")))
        one = next(iter(cell.slices.values()))
        whole = cell.names["kind"] == "train-epoch"
        others = one["steps_once"] - 1 if whole else 0
        found["first_step_ms"] = 1e3 * max(step, first - others * step)
        found["compile_ms"] = found["first_step_ms"] - 1e3 * step
    return found


def _against(cell: Cell, basis: Cell | None) -> Row:
    """Paired ratios to scratch: of wall time, of CPU time, of the fastest slices."""
    if basis is None or not basis.slices or basis.status != "ok":
        return {}
    turns = sorted(cell.slices.keys() & basis.slices.keys())
    if not turns:
        return {}
    wall, cpu = (
        [
            _per_step(cell.slices[turn], of) / _per_step(basis.slices[turn], of)
            for turn in turns
        ]
        for of in ("seconds", "cpu")
    )
    launches: dict[tuple[int, int], list[float]] = {}
    for turn, ratio in zip(turns, wall, strict=True):
        launches.setdefault(turn[:2], []).append(ratio)
    low, high = interval(list(launches.values()))
    least = cell.per_step("seconds").min() / basis.per_step("seconds").min()
    return {
        "ratio_to_scratch": float(np.median(wall)),
        "ratio_lo": low,
        "ratio_hi": high,
        "cpu_ratio": float(np.median(cpu)),
        "min_ratio": float(least),
    }


def _share_of_peak(cell: Cell, cells: dict[Key, Cell]) -> Row:
    """Operations per second, and their share of what matrix products reach here."""
    rate = _rate(cell)
    if not rate:
        return {}
    found: Row = {"gflop_per_s": rate}
    same = {name: cell.names[name] for name in _OF_PEAK}
    reached = [
        _rate(peak)
        for peak in cells.values()
        if peak.names["kind"] == PEAK
        and peak.slices
        and same == {name: peak.names[name] for name in _OF_PEAK}
    ]
    if reached:
        found["peak_gflop_per_s"] = max(reached)
        found["peak_share"] = rate / max(reached)
    return found


def _rate(cell: Cell) -> float:
    """Billions of operations in a second; 0 where they were not counted."""
    operations = cell.median("operations") or 0.0
    return float(operations) / float(np.median(cell.per_step("seconds"))) / 1e9


_OF_PEAK = ("experiment", "part", "dtype", "threads", "machine")


def _flags(cell: Cell, found: Row) -> Iterator[str]:
    """Name what a reader should know before believing a number."""
    slices = list(cell.slices.values())
    if cell.quick:
        yield "quick"
    elif cell.launches() < LAUNCHES or len(slices) < LAUNCHES * ROUNDS:
        yield f"short: {cell.launches()} launches, {len(slices)} slices"
    wall, cpu = found.get("ratio_to_scratch"), found.get("cpu_ratio")
    if wall and cpu and abs(cpu / wall - 1) > DIFFER:
        yield "wall and cpu differ"
    threads = cell.names["threads"]
    if found["cpu_per_wall"] > BUSY * threads:
        yield f"more than {threads} thread{'s' * (threads > 1)}"
    if found["cpu_per_wall"] < IDLE:
        yield "waits"
    if found["step_ms_q3"] - found["step_ms_q1"] > SPREAD * found["step_ms"]:
        yield "noisy"
    if np.median([_first_of_slice(s) for s in slices]) > FIRST:
        yield "first call of a slice is slow"
    if compiled := sum(s["compiled"] for s in slices):
        yield f"compiled {compiled} times within slices"


def _first_of_slice(one: Sample) -> float:
    """Share of a slice that its first call took longer than the others' mean."""
    calls = one["steps"] / one["steps_once"]
    if calls < 2:
        return 0.0
    others = (one["seconds"] - one["first"]) / (calls - 1)
    return float((one["first"] - others) / one["seconds"])


def _per_step(sample: Sample, of: str) -> float:
    return max(sample[of], 1e-9) / sample["steps"]


def _shown(names: dict[str, Any], keys: Sequence[str]) -> Row:
    return {name: names[name] for name in keys}
