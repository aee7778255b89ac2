"""The journal: every record is on disk before the next slice begins.

A process that is killed loses nothing that was measured, and `Journal.open` knows what is
there already. At the end the records go into samples.jsonl with all others.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from nn_parity import files, samples
from nn_parity.benching.rows import RECORDS
from nn_parity.samples import Sample

FILE = "timing.partial.jsonl"


class Journal:
    """Records of a run, in memory and, line by line, in a file."""

    def __init__(self, path: Path, records: list[Sample], stream: IO[bytes]) -> None:
        self.path, self.records, self._stream = path, records, stream

    @classmethod
    def open(cls, folder: Path, known: list[Sample] | None = None) -> Journal:
        """Go on with what was measured in this folder, or begin.

        ``known`` are records of before where the run had ended well, and no journal was
        left. A last line that was cut off is taken away.
        """
        path = folder / FILE
        records = list(known or [])
        if path.exists():
            records, torn = samples.load(path)
            if torn or not path.read_bytes().endswith(b"\n"):
                _write(path, records)
        elif records:
            _write(path, records)
        return cls(path, records, path.open("ab", buffering=0))

    def add(self, record: Sample) -> None:
        """Keep a record."""
        (line,) = samples.text([record]).splitlines()
        with files.out_of_space(self.path):
            self._stream.write(f"{line}\n".encode())
        self.records.append(*samples.parse(line))

    def close(self) -> None:
        """Close the file; it stays."""
        self._stream.close()

    def remove(self) -> None:
        """Take the file away once it is closed: samples.jsonl has it all."""
        self.path.unlink(missing_ok=True)


def _write(path: Path, records: list[Sample]) -> None:
    files.write_text(path, samples.text(records))


def measured(folder: Path) -> list[Sample]:
    """Return what samples.jsonl of a run holds of times; nothing if it is not there."""
    path = samples.find(folder)
    if not path.exists():
        return []
    return [r for r in samples.read(path) if r["record"] in RECORDS]
