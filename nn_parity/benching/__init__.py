"""Benchmarks: what is timed (`entries`), how (`measuring`, `slices`), and what it makes.

``TABLES`` holds, for each table made of timings, its columns, the columns that name a row,
and the pure function that makes its rows of a run's records.
"""

from nn_parity.benching import memory_rows, scaling
from nn_parity.benching.rows import COLUMNS, KEYS, RECORDS, SCALING_KEYS, rows

TABLES = {
    "speed": (COLUMNS, KEYS, rows),
    "memory": (memory_rows.COLUMNS, KEYS, memory_rows.rows),
    "scaling": (scaling.COLUMNS, SCALING_KEYS, scaling.rows),
}

__all__ = ["COLUMNS", "KEYS", "RECORDS", "TABLES", "rows"]
