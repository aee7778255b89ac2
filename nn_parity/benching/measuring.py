"""Rounds of slices: the cells of a group in turn, in an order drawn anew for each round.

One process computes at a time while the others wait, so a round compares like with like.
Processes load their data side by side; first calls, warming up and slices come one by one.
A launch is one generation of processes. Whatever is measured goes into the journal before
the next slice begins.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nn_parity import environment
from nn_parity.benching.entries import NAMES, PEAK, Entry
from nn_parity.benching.journal import Journal
from nn_parity.crew import Failure, Worker
from nn_parity.samples import Sample

Say = Callable[[str, str, str], None]
LASTING = ("withheld", "not installed")  # states that another try would not change


@dataclass(frozen=True)
class Plan:
    """How often: fresh processes, rounds with each, and how long at most."""

    launches: int = 5
    rounds: int = 31
    least: int = 31  # rounds, however long they take
    seconds: float = math.inf
    quick: bool = False

    def once(self, rounds: int) -> Plan:
        """Return the plan with so many rounds."""
        return Plan(self.launches, rounds, rounds, self.seconds, self.quick)


QUICK = Plan(launches=1, rounds=31, least=5, seconds=8.0, quick=True)


class Processes(Protocol):
    """Where the workers come from."""

    def of(self, entry: Entry) -> Worker:
        """Return the process that times a cell."""

    def close(self) -> None:
        """End what was started."""


class Borrowed:
    """Processes that did other work before, one for each framework and dtype."""

    def __init__(self, of: Callable[[Entry], Worker]) -> None:
        self.of = of

    def close(self) -> None:
        """Leave them to their owner."""


class Fresh:
    """One process for each framework and variant, started for one launch of one group."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self.folder, self.timeout = folder, timeout
        self.workers: dict[tuple[Any, ...], Worker] = {}

    def of(self, entry: Entry) -> Worker:
        """Return the process of a cell; all sizes of a scaling share one."""
        own = (entry.kind, "" if entry.kind == PEAK else entry.variant)
        key = entry.framework, entry.dtype, entry.threads, *own
        if key not in self.workers:
            self.workers[key] = Worker(
                entry.framework,
                entry.dtype,
                folder=self.folder,
                threads=entry.threads,
                timeout=self.timeout,
                name="-".join(map(str, filter(None, key))),
                timed=True,
            )
        return self.workers[key]

    def close(self) -> None:
        """End them all."""
        for worker in self.workers.values():
            worker.close()


def measure(
    group: Sequence[Entry],
    processes: Processes,
    journal: Journal,
    plan: Plan,
    *,
    launch: int = 0,
    say: Say = lambda framework, dtype, text: None,
) -> None:
    """Time the cells of a group in one launch, as far as the journal lacks rounds.

    Cells that failed before are tried again, with all the others beside them: a ratio
    needs both sides in one round.
    """
    start, rounds = _left(group, journal, plan, launch)
    if not rounds:
        return
    turn = {"launch": launch, "start": start}
    log = _Log(journal, turn, plan.quick)
    try:
        alive = _built(group, processes, log, say)
        alive = [entry for entry in alive if _warmed(entry, processes, log, say)]
        _rounds(alive, rounds, processes, log, plan, say)
    finally:
        processes.close()


def _left(
    group: Sequence[Entry], journal: Journal, plan: Plan, launch: int
) -> tuple[int, list[int]]:
    """Return how often this launch was begun before, and the rounds it still lacks."""
    keys = {entry.key for entry in group if entry.kind != PEAK}
    of = [r for r in journal.records if r.get("launch") == launch and key_of(r) in keys]
    start = 1 + max((r["start"] for r in of), default=-1)
    done: dict[tuple[Any, ...], set[int]] = {key: set() for key in keys}
    state: dict[tuple[Any, ...], str] = {}
    for record in of:
        if record["record"] == "timing":
            done[key_of(record)].add(record["round"])
        elif record["record"] == "timing-end":
            state[key_of(record)] = record["status"]
    if all(state.get(key) == "ok" for key in keys) and start:
        return start, []
    everywhere = set.intersection(*done.values()) if done else set()
    left = [n for n in range(plan.rounds) if n not in everywhere]
    return start, left or [plan.rounds - 1]


def key_of(record: Sample) -> tuple[Any, ...]:
    """Return the key of the cell that a record is about."""
    return tuple(record.get(name) for name in NAMES)


class _Log:
    """Writes records of one launch."""

    def __init__(self, journal: Journal, turn: dict[str, int], quick: bool) -> None:
        self.journal, self.turn, self.quick = journal, turn, quick

    def cell(self, entry: Entry, status: str, reason: str = "", **known: Any) -> None:
        self._add("timing-cell", entry, status=status, reason=reason, **known)

    def end(self, entry: Entry, status: str, reason: str = "", **known: Any) -> None:
        self._add("timing-end", entry, status=status, reason=reason, **known)

    def slice(self, entry: Entry, number: int, sample: dict[str, Any]) -> None:
        self._add("timing", entry, round=number, **sample)

    def failed(self, entry: Entry, failure: Failure) -> None:
        self.end(entry, failure.status, failure.reason)

    def _add(self, record: str, entry: Entry, **known: Any) -> None:
        more = {} if record == "timing" else {"quick": self.quick}
        self.journal.add({"record": record} | entry.names | self.turn | more | known)


def withhold(
    journal: Journal, entry: Entry, status: str, reason: str, *, quick: bool
) -> None:
    """Note that a cell is not timed, and why."""
    turn = {"launch": 0, "start": 0}
    _Log(journal, turn, quick).cell(entry, status, reason)


def _built(
    group: Sequence[Entry], processes: Processes, log: _Log, say: Say
) -> list[Entry]:
    """Start processes and have them load their data, as many at once as there are cores."""
    by_worker: dict[int, list[Entry]] = {}
    for entry in group:
        by_worker.setdefault(id(processes.of(entry)), []).append(entry)

    def load(entries: list[Entry]) -> list[tuple[Entry, Any]]:
        found: list[tuple[Entry, Any]] = []
        for entry in entries:
            say(entry.framework, entry.dtype, f"{entry.case.name}: starting")
            try:
                found.append((entry, processes.of(entry).run(entry.ask("load"))))
            except Failure as failure:
                found.append((entry, failure))
        return found

    slots = max(1, environment.cores() // max(entry.threads for entry in group))
    with ThreadPoolExecutor(slots) as pool:
        try:
            loads = [pool.submit(load, entries) for entries in by_worker.values()]
            answers = dict(pair for one in loads for pair in one.result())
        except BaseException:  # Ctrl-C: nobody waits for the others
            processes.close()
            raise
    alive = []
    for entry in group:
        answer = answers[entry]
        if isinstance(answer, Failure):
            log.failed(entry, answer)
        else:
            alive.append(entry)
            known = {} if log.quick else answer  # this process had begun before
            log.cell(entry, "ok", operations=entry.operations, **known)
    return alive


def _warmed(entry: Entry, processes: Processes, log: _Log, say: Say) -> bool:
    """Make the first calls of a cell, which are told apart; say whether it still lives."""
    say(entry.framework, entry.dtype, f"{entry.case.name}: first calls")
    try:
        answer = processes.of(entry).run(entry.ask("warm"))
    except Failure as failure:
        log.failed(entry, failure)
        return False
    log.cell(entry, "ok", **answer)
    return True


def _rounds(
    alive: Iterable[Entry],
    rounds: Sequence[int],
    processes: Processes,
    log: _Log,
    plan: Plan,
    say: Say,
) -> None:
    entries = list(alive)
    rng = np.random.default_rng([*log.turn.values(), *b"rounds"])
    failed: set[Entry] = set()
    begin = time.perf_counter()
    for done, number in enumerate(rounds):
        if done >= plan.least and time.perf_counter() - begin > plan.seconds:
            break
        for i in rng.permutation(len(entries)):
            if (entry := entries[i]) in failed:
                continue
            where = f"launch {log.turn['launch'] + 1}, round {number + 1}"
            say(entry.framework, entry.dtype, f"{entry.case.name}: timing, {where}")
            try:
                sample = processes.of(entry).run(entry.ask("time"))
            except Failure as failure:
                log.failed(entry, failure)
                failed.add(entry)
            else:
                log.slice(entry, number, sample)
    for entry in entries:
        if entry not in failed:
            log.end(entry, "ok", peak_mib=processes.of(entry).peak_rss_mib)
