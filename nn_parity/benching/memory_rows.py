"""memory.csv: how much memory a process holds that does one kind of work and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn_parity.benching.entries import PEAK
from nn_parity.benching.rows import KEYS, Cell, Row, gather
from nn_parity.samples import Sample

STAGES = ("imported_mib", "loaded_mib", "peak_mib")  # each includes those before
COLUMNS = (
    "experiment", "framework", "variant", "kind", "dtype", "batch_size", "threads",
    *STAGES, "peak_mib_min", "peak_mib_max", "n", "status", "reason", "part", "machine",
)  # fmt: skip


def rows(records: Sequence[Sample]) -> list[Row]:
    """Return the rows of memory.csv: medians over launches, each with fresh processes."""
    return [
        dict.fromkeys(COLUMNS, "") | {k: cell.names[k] for k in KEYS} | _numbers(cell)
        for cell in gather(records).values()
        if cell.names["kind"] != PEAK and not cell.names["dimension"] and not cell.quick
    ]


def _numbers(cell: Cell) -> Row:
    peaks = cell.told("peak_mib")
    if cell.status != "ok" or not peaks:
        return {"status": cell.status, "reason": cell.reason}
    return {
        **{stage: cell.median(stage) for stage in STAGES},
        "peak_mib_min": float(np.min(peaks)),
        "peak_mib_max": float(np.max(peaks)),
        "n": len(peaks),
        "status": "ok",
    }
