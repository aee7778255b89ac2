"""Are a run's tables what its records say? Each cell that is not is named.

A run is a chain: transcripts -> samples.jsonl -> tables. Each link is made anew by the very
functions that the run itself called, and `manifest.json` holds a hash of every file. All
this lies in one folder, so it shows damage and edits, but does not stop an author who
makes the records and the manifest anew: against that, compare the manifest's hash with one
that was published elsewhere.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nn_parity import (
    accuracy,
    agreement,
    benching,
    datasets,
    environment,
    errors,
    escapes,
    jobs,
    manifest,
    results,
    samples,
)
from nn_parity.agreement import Cell
from nn_parity.editing import Finding, differences, read_cells
from nn_parity.errors import Refusal
from nn_parity.results import Run
from nn_parity.transcripts import Transcript

HONESTY = (
    "These hashes lie beside the files: they show damage and edits, and do not stop an "
    "author who makes records and manifest anew. Compare the manifest's hash with one "
    "published elsewhere, such as a signed tag."
)
Row = dict[str, Any]
Records = Sequence[samples.Sample]


@dataclass
class Report:
    """What `verify` found, and what it could not look at."""

    path: Path
    identity: str = ""  # sha256 of the manifest
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or 6 if anything is not as the run wrote it."""
        return errors.EDITED if self.findings else errors.OK

    def plain(self) -> dict[str, Any]:
        """Return the report as JSON-ready data."""
        return {
            "path": str(self.path),
            "manifest_sha256": self.identity,
            "findings": [asdict(finding) for finding in self.findings],
            "notes": self.notes,
            "exit_code": self.exit_code,
        }

    def lines(self, most: int = 100) -> list[str]:
        """Return the report as lines to print."""
        shown = [str(finding) for finding in self.findings[:most]]
        if len(self.findings) > most:
            shown.append(f"... and {len(self.findings) - most} more (all with --json)")
        count = len(self.findings)
        verdict = "everything is as the run wrote it"
        if count:
            verdict = (
                f"{count} cell(s), row(s) or file(s) are not as the run wrote them"
            )
        said = f"manifest {self.identity}" if self.identity else "no manifest"
        shown += map(escapes.plain, self.notes)
        return [*shown, HONESTY, f"{escapes.plain(self.path)}: {verdict}; {said}"]


def verify(path: str | Path, *, table: str | Path | None = None) -> Report:
    """Make a run's tables anew from its records and compare them cell by cell.

    Parameters
    ----------
    path : path
        The folder of a run.
    table : path, optional
        A file that `Run.table` or `nn-parity table` made of this run: compared as well.

    Returns
    -------
    Report
        ``exit_code`` is 6 if there are findings.

    Raises
    ------
    Refusal
        ``E601`` no run, ``E603`` a damaged file, ``E605`` mixed schemas, machines or runs.
    """
    run = results.open_run(path)
    report = Report(run.path)
    _check_schema(run)
    untouched, left_out = _files(run, report)
    records = _records(run, report)
    for name, (columns, keys, rows) in _tables().items():
        made = rows(records)
        kind = run.environment["kind"]
        needed = name in _NEEDED.get(kind, ()) or (kind == "bench" and bool(made))
        text = jobs.csv_text(columns, made)
        _compare(run, f"{name}.csv", keys, text, needed, untouched, report)
    report.findings += _gates(records)
    _transcripts(run, records, untouched, left_out, report)
    if table is not None:
        _exported(run, Path(table), report)
    return report


# -- the files -------------------------------------------------------------------------


def _check_schema(run: Run) -> None:
    try:
        schema = run.environment["schema"]
        kind, cases = run.environment["kind"], run.cases
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(
            "E603",
            f"damaged: {type(error).__name__}: {error}",
            str(run.path / "environment.json"),
            "get the run again",
        ) from error
    if schema != environment.SCHEMA or not kind or not cases:
        raise Refusal(
            "E605",
            f"this run has schema {schema!r}, this nn-parity reads {environment.SCHEMA}",
            str(run.path),
            f"verify it with nn-parity of commit {run.environment.get('commit')}",
        )


def _files(run: Run, report: Report) -> tuple[set[str], Mapping[str, Any]]:
    """Compare all files with the manifest.

    Returns the names of those that agree, and what a publication left out.
    """
    try:
        known = manifest.read(run.path)
    except Refusal as refusal:
        report.findings.append(Finding(manifest.FILE, "missing", found=refusal.what))
        return set(), {}
    report.identity = manifest.identity(run.path)
    untouched = set()
    present = set(manifest.names(run.path))
    for name, entry in known["files"].items():
        if name not in present:
            report.findings.append(Finding(name, "missing"))
        elif manifest.entry(run.path / name) != entry:
            found = "its bytes are not those that the run wrote"
            report.findings.append(Finding(name, "edited", found=found))
        else:
            untouched.add(name)
    for name in sorted(present - known["files"].keys()):
        if name.endswith((".csv", ".npz", ".jsonl", ".gz")):
            report.findings.append(Finding(name, "added"))
        else:
            report.notes.append(f"{name} is no file of the run: not looked at")
    return untouched, known["left_out"]


def _records(run: Run, report: Report) -> Records:
    """Return the raw records, if they are of one run, schema and machine."""
    path = samples.find(run.path)
    if not path.exists():
        raise Refusal(
            "E603", "there are no raw records", str(path), "get the run again"
        )
    records, partial = samples.load(path)
    if partial:
        report.notes.append(
            f"{path.name}: 1 last line of {len(partial)} characters was cut off: ignored"
        )
    heads = [r for r in records if r["record"] == "run"]
    schemas = {r.get("schema") for r in heads}
    if schemas != {environment.SCHEMA}:
        named = ", ".join(sorted(map(str, schemas))) or "missing"
        raise _mixed(path, f"schema {named}, not {environment.SCHEMA}")
    if len(heads) > 1:
        raise _mixed(path, f"{len(heads)} runs in one file")
    machines = {r["machine"] for r in records if "machine" in r}
    named = ", ".join(sorted(map(str, machines)))
    if len(machines) > 1 and "machine" not in benching.KEYS:
        raise _mixed(path, f"machines {named} in one column")
    if run.environment.get("machine") not in machines:
        raise _mixed(path, f"machine {named}, and environment.json is of another")
    if len(machines) > 1:
        report.notes.append(f"rows of {len(machines)} machines, told apart: {named}")
    return records


def _mixed(path: Path, what: str) -> Refusal:
    return Refusal("E605", what, str(path), "keep every run in its own folder")


# -- the tables ------------------------------------------------------------------------

Recipe = tuple[Sequence[str], Sequence[str], Callable[[Records], list[Row]]]
_NEEDED = {  # by the kind of a run
    "compare": ("parity", "accuracy", "speed"),
    "parity": ("parity",),
    "bench": ("parity", "speed"),  # and whatever there are records of
}


def _tables() -> dict[str, Recipe]:
    """Columns of each table, those that name a row, and its rows from the records."""
    return {
        "parity": (agreement.COLUMNS, agreement.KEYS, _parity),
        "accuracy": (accuracy.COLUMNS, accuracy.KEYS, accuracy.rows),
        **benching.TABLES,
    }


def _parity(records: Records) -> list[Row]:
    return [record for record in records if record["record"] == "parity"]


def _compare(
    run: Run,
    file: str,
    keys: Sequence[str],
    text: str,
    needed: bool,
    untouched: set[str],
    report: Report,
) -> None:
    expected = read_cells(text)
    path = run.path / file
    if not path.exists():
        if needed:
            report.findings.append(Finding(file, "missing", found="the whole table"))
        return
    try:
        found = read_cells(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, csv.Error) as error:
        report.findings.append(Finding(file, "damaged", found=str(error)))
        return
    exact = file not in untouched  # else another processor may have rounded otherwise
    findings = list(differences(file, keys, found, expected, exact=exact))
    report.findings += findings
    size = f"{len(expected) - 1} rows of {len(expected[0])} cells"
    verdict = "differ from" if findings else "are"
    report.notes.append(f"{file}: {size} {verdict} what the records say")


def _gates(records: Records) -> Iterator[Finding]:
    """Apply the gates again: nothing passes whose error is above its gate.

    Decisions have another rule, which needs the transcripts.
    """
    for record in _parity(records):
        if record["passed"] is not True or record["quantity"] == "prediction":
            continue
        if record["status"] == "diverged":  # at the same step: there is no error
            continue
        error, gate = record["error_rel"], record["gate"]
        if not (isinstance(gate, float | int) and error <= gate):
            row = {key: str(record[key]) for key in agreement.KEYS}
            yield Finding("parity.csv", "edited", row, "passed", "true", "false")


# -- the transcripts -------------------------------------------------------------------


def _transcripts(
    run: Run,
    records: Records,
    untouched: set[str],
    left_out: Mapping[str, Any],
    report: Report,
) -> None:
    """Compare the records with the transcripts, where they are and can be read."""
    here = environment.hashed(environment.ROOT / "nn_parity", environment.ROOT)
    if any(name.startswith("transcripts/") for name in left_out):
        count = sum(name.startswith("transcripts/") for name in left_out)
        report.notes.append(
            f"{count} transcripts are not published: records not compared"
        )
        return
    if run.environment.get("suite_sha256") != here:
        commit = run.environment.get("commit") or "unknown"
        report.notes.append(
            f"another nn-parity made this run (commit {commit}): records are not compared "
            "with the transcripts"
        )
        return
    parity, trainings, compared = _Anew(run, records, untouched, report).records()
    file = samples.FILE
    known = [r for r in _parity(records) if _name(r) in compared]
    found, expected = (
        read_cells(jobs.csv_text(agreement.COLUMNS, rows)) for rows in (known, parity)
    )
    report.findings += differences(file, agreement.KEYS, found, expected, exact=False)
    theirs = {_name(r): r for r in records if r["record"] == "training"}
    for ours in trainings:
        found_record = theirs.get(_name(ours), {})
        row = {key: str(ours[key]) for key in accuracy.KEYS}
        report.findings += _unlike(file, row, found_record, _after_json(ours))
    if run.environment["kind"] == "compare":
        report.findings += _targets(run, records)
    report.notes.append(
        f"{file}: {len(parity)} errors and {len(trainings)} trainings were made anew from "
        "the transcripts"
    )


_Name = tuple[str, ...]


def _name(record: Row) -> _Name:
    """Return what names the cell of a record: part, framework, dtype and seed."""
    keys = ("experiment", "part", "framework", "dtype", "seed")
    return tuple(str(record[key]) for key in keys)


class _Anew:
    """The records of a run, made again from its transcripts."""

    def __init__(
        self, run: Run, records: Records, untouched: set[str], report: Report
    ) -> None:
        self.run, self.untouched, self.report = run, untouched, report
        self.status = {
            _name(r): (r["status"], r["reason"])
            for r in _parity(records)
            if r["tensor"] == "*"
        }
        self.decides = {
            (r["dataset"], r["loss"]) for r in records if r["record"] == "targets"
        }
        self.unreadable: set[Path] = set()

    def records(self) -> tuple[list[Row], list[Row], set[_Name]]:
        """Return parity records, training records, and the cells that they are of."""
        parity: list[Row] = []
        trainings: list[Row] = []
        compared = set()
        for cell in self._cells():
            name = _name(cell.row("", ""))
            ours = self._transcript(cell, cell.framework)
            scratch = self._transcript(cell, "scratch")
            status = self.status.get(name)
            if status is None and (ours is None or scratch is None):
                continue  # a file is missing or unreadable, and is named as such
            parity += agreement.of_cell(cell, ours, scratch, status or ("", ""))
            compared.add(name)
            if self.run.environment["kind"] == "compare":
                trainings.append(self._training(cell, ours, status))
        return parity, trainings, compared

    def _cells(self) -> Iterator[Cell]:
        environment = self.run.environment
        return (
            Cell(case, framework, dtype)
            for case in self.run.cases
            for dtype in environment["dtypes"]
            if dtype in case.dtypes
            for framework in environment["frameworks"]
        )

    def _training(
        self, cell: Cell, ours: Transcript | None, status: tuple[str, str] | None
    ) -> Row:
        if ours is None:
            return accuracy.absent(cell, *(status or ("", "")))
        decides = (cell.case.dataset, cell.case.recipe["loss"]) in self.decides
        return accuracy.record(cell, ours, decides=decides)

    def _transcript(self, cell: Cell, framework: str) -> Transcript | None:
        path = self.run.transcript_path(framework, cell.dtype, cell.case.network)
        if path in self.unreadable:
            return None
        try:
            found = self.run.transcript(cell.case, framework, cell.dtype)
        except Exception as error:  # whatever a damaged archive makes NumPy raise
            self.unreadable.add(path)
            self._tell(path.relative_to(self.run.path).as_posix(), error)
            return None
        return None if not found or "meta/failed" in found else found

    def _tell(self, name: str, error: Exception) -> None:
        why = f"{type(error).__name__}: {error}"
        if name in self.untouched:
            self.report.notes.append(f"{name} cannot be read on this machine: {why}")
        else:
            self.report.findings.append(Finding(name, "damaged", found=why))


def _after_json(record: Row) -> Row:
    (read,) = samples.parse(samples.text([record]))
    return read


def _unlike(
    file: str, row: dict[str, str], found: Row, expected: Row
) -> Iterator[Finding]:
    """Name the fields of a record that differ; of a list, the first place."""
    for key in expected.keys() | found.keys():
        ours, theirs = expected.get(key, ""), found.get(key, "")
        if json.dumps(ours) == json.dumps(theirs):
            continue
        where = key
        if (
            isinstance(ours, list)
            and isinstance(theirs, list)
            and len(ours) == len(theirs)
        ):
            at = next(
                i
                for i, pair in enumerate(zip(ours, theirs, strict=True))
                if pair[0] != pair[1]
            )
            where, ours, theirs = f"{key}[{at}]", ours[at], theirs[at]
        shown = (json.dumps(value)[:80] for value in (theirs, ours))
        yield Finding(file, "edited", row, where, *shown)


def _targets(run: Run, records: Records) -> Iterator[Finding]:
    """Compare the right answers of bundled data sets with those sets."""
    known = run.environment.get("datasets", {})
    for case in {(c.dataset, c.recipe["loss"]): c for c in run.cases}.values():
        if case.dataset not in datasets.BUNDLED or case.dataset not in known:
            continue
        dataset = datasets.load(case.dataset)
        if dataset.sha256 != known[case.dataset]["sha256"]:
            yield Finding("environment.json", "edited", {"dataset": dataset.name})
        key = dataset.name, case.recipe["loss"]
        ours = accuracy.targets(case, dataset)
        theirs = [r for r in records if r["record"] == "targets"]
        theirs = [r for r in theirs if (r["dataset"], r["loss"]) == key]
        if ours is not None and theirs != [_after_json(ours)]:
            row = dict(zip(("dataset", "loss"), key, strict=True))
            yield Finding(samples.FILE, "edited", row, found="the right answers")


# -- a table that was exported ---------------------------------------------------------


def _exported(run: Run, path: Path, report: Report) -> None:
    """Compare an exported table with what would be exported now."""
    from nn_parity import tables

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            "E603", str(error), str(path), "give a file of `table`"
        ) from error
    suffix = path.suffix.removeprefix(".")
    made = tables.every(run, "bibtex" if suffix == "bib" else suffix)
    for kind, ours in made.items():
        if ours == text:
            report.notes.append(f"{path.name} is this run's table of {kind}")
            return
    ids = tables.ids(run)
    named = next((kind for kind, id_ in ids.items() if id_ in text), None)
    if named is None:
        found = "no table of this run has its bytes or its id"
        report.findings.append(Finding(path.name, "edited", found=found))
        return
    found_lines, lines = text.splitlines(), made[named].splitlines()
    pairs = [
        pair for pair in zip(found_lines, lines, strict=False) if pair[0] != pair[1]
    ]
    for is_, should in pairs[:20]:
        report.findings.append(
            Finding(path.name, "edited", {"table": named}, "line", is_, should)
        )
    if not pairs:
        found = f"{len(found_lines)} lines in place of {len(lines)}"
        report.findings.append(Finding(path.name, "edited", found=found))
