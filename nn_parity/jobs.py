"""One run in the making: who takes part, what they record, and the rows it becomes."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nn_parity import agreement, crew, environment, files, registry, samples
from nn_parity.agreement import Cell
from nn_parity.crew import Failure, Worker
from nn_parity.errors import Refusal
from nn_parity.protocol import Case
from nn_parity.results import Run
from nn_parity.transcripts import Transcript

DTYPES = ("float64", "float32")
Say = Callable[[str, str, str], None]  # framework, dtype, what it is doing
Row = dict[str, Any]


def silent(framework: str, dtype: str, text: str) -> None:
    """Say nothing."""


@dataclass
class Team:
    """The workers of a run, and the frameworks that have none, with the reason."""

    frameworks: tuple[str, ...]
    dtypes: tuple[str, ...]
    absent: dict[str, str]
    asked_for: tuple[str, ...]  # by name
    threads: int
    timeout: float
    say: Say
    settings: dict[str, str]  # of the workers' environment, beside the usual ones
    workers: dict[tuple[str, str], Worker] = field(default_factory=dict)

    @classmethod
    def assemble(
        cls,
        frameworks: str | Sequence[str] | None,
        dtype: str,
        *,
        threads: int,
        timeout: float,
        say: Say,
        settings: Mapping[str, str] | None = None,
    ) -> Team:
        """Validate names, dtype and threads; find out who is installed."""
        if dtype not in (*DTYPES, "both"):
            raise Refusal(
                "E007", f"no dtype '{dtype}'", "--dtype", "float64, float32 or both"
            )
        if not 1 <= threads <= environment.cores():
            raise Refusal(
                "E305",
                f"{threads} threads asked for",
                f"{environment.cores()} cores are available",
                "choose --threads within that",
            )
        given = frameworks if not isinstance(frameworks, Sequence) else frameworks
        wanted = registry.canonical(given if given is None else _joined(given))
        wanted = tuple(dict.fromkeys(("scratch", *wanted)))
        present, absent = crew.available(wanted)
        asked_for = () if frameworks is None else wanted
        dtypes = DTYPES if dtype == "both" else (dtype,)
        return cls(
            wanted,
            dtypes,
            absent,
            asked_for,
            threads,
            timeout,
            say,
            dict(settings or {}),
        )

    @property
    def present(self) -> tuple[str, ...]:
        """Frameworks that can run."""
        return tuple(f for f in self.frameworks if f not in self.absent)

    def worker(self, framework: str, dtype: str, folder: Path) -> Worker:
        """Return the one worker of a framework and dtype."""
        key = framework, dtype
        if key not in self.workers:
            self.workers[key] = Worker(
                framework,
                dtype,
                folder=folder,
                threads=self.threads,
                timeout=self.timeout,
                settings=self.settings,
            )
        return self.workers[key]

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker; none is started again."""
        for worker in self.workers.values():
            worker.close()


def _joined(names: str | Iterable[str]) -> str:
    return names if isinstance(names, str) else ",".join(names)


class Job:
    """One run in the making: cases x frameworks x dtypes in a folder."""

    def __init__(self, folder: Path, team: Team, cases: list[Case]) -> None:
        self.folder, self.team, self.cases = folder, team, cases
        self.failed: dict[
            tuple[str, str, str], Failure
        ] = {}  # of a network, or of a case
        self.samples: list[dict[str, Any]] = []
        self.run = Run(folder)
        self._lock = threading.Lock()

    @property
    def networks(self) -> tuple[str, ...]:
        """Networks of the cases, each once."""
        return tuple(dict.fromkeys(case.network for case in self.cases))

    def record(self) -> None:
        """Have every worker write its transcripts, as many at once as there are cores."""
        # the longest start first
        order = ("keras", "keras-jax", "keras-torch", "jax", "torch", "scratch")
        jobs = [
            (framework, dtype)
            for framework in order
            if framework in self.team.present
            for dtype in self.team.dtypes
        ]
        slots = max(1, environment.cores() // self.team.threads)
        with ThreadPoolExecutor(slots) as pool:
            try:
                for done in [pool.submit(self._record, *job) for job in jobs]:
                    done.result()
            except BaseException:  # Ctrl-C, a full disk: nobody waits for the others
                pool.shutdown(wait=False, cancel_futures=True)
                self.team.close()
                raise

    def _record(self, framework: str, dtype: str) -> None:
        worker = self.team.worker(framework, dtype, self.folder)
        for network in self.networks:
            mine = (c for c in self.cases if c.network == network)
            cases = [c.plain() for c in mine if dtype in c.dtypes]
            path = self.run.transcript_path(framework, dtype, network)
            if path.exists():  # --resume: it was written whole, or not at all
                self.team.say(framework, dtype, f"{network}: recorded before")
                continue
            self.team.say(framework, dtype, "starting")
            try:
                worker.run(
                    {"op": "record", "cases": cases, "out": str(path.resolve())},
                    lambda text: self.team.say(framework, dtype, text),
                )
            except Failure as failure:
                with self._lock:
                    self.failed[framework, dtype, network] = failure
                self.team.say(framework, dtype, f"{failure.status}: {failure.reason}")
            else:
                self.team.say(framework, dtype, "recorded")

    def transcript(self, case: Case, framework: str, dtype: str) -> Transcript | None:
        """Return what a worker wrote of one case, if it did."""
        if framework in self.team.absent:
            return None
        found = self.run.transcript(case, framework, dtype)
        if "meta/failed" in found:
            failure = Failure("crashed", str(found["meta/failed"]))
            self.failed[framework, dtype, case.name] = failure
            return None
        return found or None

    def why_absent(self, case: Case, framework: str, dtype: str) -> tuple[str, str]:
        """Status and reason of a cell without a transcript."""
        if framework in self.team.absent:
            return "not installed", self.team.absent[framework]
        named = ((framework, dtype, name) for name in (case.name, case.network))
        failure = next((self.failed[key] for key in named if key in self.failed), None)
        return (failure.status, failure.reason) if failure else ("crashed", "no result")

    def cells(self) -> Iterable[Cell]:
        """Every framework and dtype on every case, in table order."""
        return (
            Cell(case, framework, dtype)
            for case in self.cases
            for dtype in self.team.dtypes
            if dtype in case.dtypes
            for framework in self.team.frameworks
        )

    def parity_rows(self) -> list[Row]:
        """Compare all transcripts and write parity.csv."""
        rows: list[Row] = []
        for cell in self.cells():
            where = cell.case, cell.framework, cell.dtype
            ours = self.transcript(*where)
            scratch = self.transcript(cell.case, "scratch", cell.dtype)
            why_absent = self.why_absent(*where)
            rows += agreement.of_cell(cell, ours, scratch, why_absent)
        self.samples += [{"record": "parity", **row} for row in rows]
        write_csv(self.folder / "parity.csv", agreement.COLUMNS, rows)
        return rows

    def write_accuracy(self, known: Mapping[str, Any]) -> None:
        """Write accuracy.csv: one row for each framework, dtype and trained case."""
        from nn_parity import accuracy

        right: dict[tuple[str, str], Any] = {}  # of a data set under a loss
        for case in self.cases:
            key = case.dataset, case.recipe["loss"]
            right.setdefault(key, accuracy.targets(case, known[case.dataset]))
        records = [record for record in right.values() if record is not None]
        for cell in self.cells():
            where = cell.case, cell.framework, cell.dtype
            ours = self.transcript(*where)
            if ours is None:
                records.append(accuracy.absent(cell, *self.why_absent(*where)))
            else:
                key = cell.case.dataset, cell.case.recipe["loss"]
                decides = right[key] is not None
                records.append(accuracy.record(cell, ours, decides=decides))
        self.samples += records
        write_csv(
            self.folder / "accuracy.csv", accuracy.COLUMNS, accuracy.rows(records)
        )

    def write_samples(self) -> None:
        """Write samples.jsonl: every raw value that the tables are made of."""
        first = samples.header(environment.SCHEMA, environment.machine_id())
        text = samples.text([first, *self.samples])
        files.write_text(self.folder / samples.FILE, text)
        status = "complete"
        files.write_text(self.folder / "status", status + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: list[Row]) -> None:
    """Write rows as a table of just these columns."""
    files.write_text(path, csv_text(columns, rows))


def csv_text(columns: Sequence[str], rows: list[Row]) -> str:
    """Return rows as CSV: floats with all their digits, truth as "true" or "false".

    A number that is not finite is "nan", "inf" or "-inf"; what is missing is empty.
    """
    words = {True: "true", False: "false"}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = (row.get(column, "") for column in columns)
        writer.writerow([words[v] if isinstance(v, bool) else v for v in values])
    return text.getvalue()
