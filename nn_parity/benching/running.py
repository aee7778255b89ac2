"""A benchmark of a run: which groups are measured, in which order, and what is withheld."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nn_parity import environment
from nn_parity.benching import TABLES, checks, entries, measuring, scaling
from nn_parity.benching.entries import INFERENCE, Entry
from nn_parity.benching.journal import Journal
from nn_parity.benching.measuring import LASTING, QUICK, Borrowed, Fresh, Plan
from nn_parity.crew import Failure, Worker
from nn_parity.errors import Refusal
from nn_parity.jobs import Row, write_csv
from nn_parity.protocol import Case
from nn_parity.samples import Sample

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset
    from nn_parity.jobs import Job

THREADS = (1, 2)  # of a scaling
FEWER = 3  # a curve gets a third of a table's rounds
Group = list[Entry]
Why = tuple[str, str]  # status, reason


@dataclass(frozen=True)
class Asked:
    """What `bench` was asked for."""

    plan: Plan
    variants: frozenset[str] = frozenset()
    scaling: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    load: Callable[[str], Dataset] | None = None


def plan(launches: int, rounds: int, *, quick: bool) -> Plan:
    """Return how often things are measured; `Refusal` E051 for numbers that are none."""
    for name, number in (("launches", launches), ("rounds", rounds)):
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not (whole and number >= 1):
            what = f"{number!r} {name}"
            raise Refusal("E051", what, f"--{name}", "give a whole number from 1")
    return QUICK if quick else Plan(launches, rounds, least=rounds)


def timed(cases: Iterable[Case]) -> list[Case]:
    """Return the cases that are timed: of each experiment the first that is trained."""
    first: dict[str, Case] = {}
    for case in cases:
        if case.recipe.get("epochs") != 0:
            first.setdefault(case.experiment, case)
    return list(first.values())


class Benchmark:
    """The timings of a run in the making.

    Parameters
    ----------
    job : Job
        Its transcripts are there already.
    parity : list of dict
        The rows of parity.csv: what failed there is not timed.
    asked : Asked
    known : list of dict
        Records of timings that the run has already.
    """

    def __init__(
        self, job: Job, parity: list[Row], asked: Asked, known: list[Sample]
    ) -> None:
        self.job, self.team, self.parity, self.asked = job, job.team, parity, asked
        self.plan = asked.plan
        self.journal = Journal.open(job.folder, known)
        self.with_peak: set[tuple[str, str, int]] = set()
        self.tables = ["speed"]
        if not self.plan.quick:
            self.tables += ["memory", *(["scaling"] if asked.scaling else [])]

    def run(self) -> None:
        """Time, and write the tables and the records."""
        try:
            if self.plan.quick:
                self._quick()
            else:
                self._full()
            self._write()
            self.job.samples += self.journal.records
            self.job.write_samples()
        finally:
            self.journal.close()
        self.journal.remove()

    def _quick(self) -> None:
        """Time in the processes that there are already, for a few seconds a case."""
        cases = timed(self.job.cases)
        counted = self._count(cases)
        for case in cases:
            group = [
                entry
                for dtype in self.team.dtypes
                for entry in (
                    *self._sound(case, dtype, counted[case.name]),
                    *self._peaks(case, dtype, self.team.threads),
                )
            ]
            there = Borrowed(self._worker)
            measuring.measure(group, there, self.journal, self.plan, say=self.team.say)

    def _full(self) -> None:
        """Time every launch with fresh processes; write the tables after each."""
        groups = [(group, self.plan) for group in self._groups()]
        fewer = self.plan.once(math.ceil(self.plan.rounds / FEWER))
        groups += [(group, fewer) for group in self._curves()]
        for worker in self.team.workers.values():
            worker.stop()  # they hold memory, and the timed ones are others
        for launch in range(self.plan.launches):
            for group, plan in groups:
                fresh = Fresh(self.job.folder, self.team.timeout)
                measuring.measure(
                    group, fresh, self.journal, plan, launch=launch, say=self.team.say
                )
            self._write()

    def _write(self) -> None:
        for name in self.tables:
            columns, _, rows = TABLES[name]
            path = self.job.folder / f"{name}.csv"
            write_csv(path, columns, rows(self.journal.records))

    # -- groups ------------------------------------------------------------------------

    def _groups(self) -> Iterator[Group]:
        """Yield what is interleaved: one kind of work of a case in one dtype."""
        cases = timed(self.job.cases)
        counted = self._count(cases)
        for case in cases:
            for dtype in self.team.dtypes:
                found = self._sound(case, dtype, counted[case.name])
                for kind in dict.fromkeys(entry.kind for entry in found):
                    group = [entry for entry in found if entry.kind == kind]
                    yield group + self._peaks(case, dtype, self.team.threads)

    def _curves(self) -> Iterator[Group]:
        """Yield what is interleaved of a scaling: all sizes along one dimension."""
        for case in timed(self.job.cases):
            barred = {d: self._barred(case, d) for d in self.team.dtypes}
            for dimension in self.asked.scaling:
                sized = self._sized(case, dimension)
                for dtype in self.team.dtypes:
                    for threads in THREADS[: environment.cores()]:
                        group = [
                            Entry(
                                point,
                                framework,
                                dtype,
                                "train-epoch",
                                "lean",
                                threads,
                                steps=entries.steps_of(operations),
                                operations=operations,
                                dimension=dimension,
                                value=value,
                            )
                            for value, point, operations in sized
                            for framework in self.team.frameworks
                        ]
                        kept = self._kept(group, barred[dtype], {})
                        if kept:
                            yield kept + self._peaks(case, dtype, threads)

    def _sized(self, case: Case, dimension: str) -> list[tuple[int, Case, int]]:
        """Return the sizes along a dimension whose steps are not too long."""
        assert self.asked.load is not None  # noqa: S101 - whoever asks for it gives it
        points = dict(
            scaling.points(case, dimension, self.asked.changes, self.asked.load)
        )
        counted = self._count(points.values())
        steps = {v: counted[p.name].get("train", 0) for v, p in points.items()}
        return [
            (v, p, steps[v]) for v, p in points.items() if steps[v] <= scaling.LIMIT
        ]

    def _peaks(self, case: Case, dtype: str, threads: int) -> Group:
        """Return the cells that measure the machine, for the first group that asks."""
        key = case.experiment, dtype, threads
        if key in self.with_peak:
            return []
        self.with_peak.add(key)
        return entries.peaks(case, dtype, threads)

    def _worker(self, entry: Entry) -> Worker:
        return self.team.worker(entry.framework, entry.dtype, self.job.folder)

    def _count(self, cases: Iterable[Case]) -> dict[str, dict[str, int]]:
        """Count each case's operations, in a process of its own; {} if that fails."""
        found: dict[str, dict[str, int]] = {}
        worker = Worker("scratch", "float64", folder=self.job.folder, name="counting")
        try:
            for case in cases:
                sizes = list(INFERENCE.values())
                ask = {"op": "count", "case": case.plain(), "inference": sizes}
                try:
                    found[case.name] = worker.run(ask)["operations"]
                except Failure:
                    found[case.name] = {}
        finally:
            worker.close()
        return found

    # -- what is withheld --------------------------------------------------------------

    def _sound(self, case: Case, dtype: str, counted: dict[str, int]) -> Group:
        """Return the cells of a case to be timed; note why others are not."""
        group = entries.of_case(
            case,
            self.team.frameworks,
            dtype,
            self.team.threads,
            counted,
            self.asked.variants,
        )
        barred = self._barred(case, dtype)
        wrong = {} if self.plan.quick else self._wrong(case, dtype, barred)
        return self._kept(group, barred, wrong)

    def _kept(
        self, group: Group, barred: dict[str, Why], wrong: dict[tuple[str, str], Why]
    ) -> Group:
        kept = []
        for entry in group:
            name = entry.framework, entry.variant
            why = barred.get(entry.framework) or wrong.get(name)
            if why is None:
                kept.append(entry)
            elif not self._noted(entry):
                measuring.withhold(self.journal, entry, *why, quick=self.plan.quick)
        return kept

    def _noted(self, entry: Entry) -> bool:
        """Whether an interrupted run has already said why a cell is not timed."""
        return any(
            r.get("status") in LASTING and measuring.key_of(r) == entry.key
            for r in self.journal.records
        )

    def _barred(self, case: Case, dtype: str) -> dict[str, Why]:
        """Return status and reason of the frameworks whose times are not to be shown."""
        found = {}
        for row in self.parity:
            same = (row["experiment"], row["part"], row["dtype"])
            if row["passed"] is False and same == (case.experiment, case.label, dtype):
                why = "withheld", "parity failed: no time is shown for it"
                found[row["framework"]] = why
        for framework in self.team.frameworks:
            if self.job.transcript(case, framework, dtype) is None:
                found[framework] = self.job.why_absent(case, framework, dtype)
        return found

    def _wrong(
        self, case: Case, dtype: str, barred: dict[str, Why]
    ) -> dict[tuple[str, str], Why]:
        """Return the ways to run an epoch that do not end where `step` ends, and why."""
        found = {}
        for framework in self.team.frameworks:
            if framework in barred:
                continue
            worker = self.team.worker(framework, dtype, self.job.folder)
            for variant in entries.epoch_variants(framework, self.asked.variants):
                self.team.say(framework, dtype, f"{case.name}: checking {variant}")
                ask = {"op": "check", "case": case.plain(), "variants": [variant]}
                try:
                    errors = worker.run(ask)["errors"][variant]
                except Failure as failure:
                    found[framework, variant] = failure.status, failure.reason
                    continue
                if why := checks.objection(errors, case, framework, dtype):
                    found[framework, variant] = "withheld", why
        return found
