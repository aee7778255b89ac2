"""Timing inside a worker: one slice of work at a time, data already native.

Every slice begins with the same weights, so that it is the same work; it ends only when
its result is in hand (`run_epoch`, `step` and `forward` block). Whether it had really
ended is looked into afterwards, off the clock. The garbage collector rests meanwhile.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn_parity import batches, inputs, memory, registry
from nn_parity.protocol import Case

EXAMPLES = 4096  # an epoch slice takes at most so many
STEPS = 20  # of a train-step slice, at most
SLICE = 0.02  # seconds; shorter work is repeated within a slice
WARM = 5  # calls at most until a call takes as long as the one before it
STEADY = 0.1  # as long: within this share
PEAK = "peak"  # a kind of work: products of two large matrices, and nothing else

Cell = tuple[str, str]  # kind, variant


class Clock:
    """Seconds that passed, and seconds that this process computed, all its threads."""

    wall = staticmethod(time.perf_counter)
    cpu = staticmethod(time.process_time)


@dataclass
class Work:
    """What is timed: ``call`` does ``steps`` steps on ``examples`` examples, and blocks.

    ``begin`` puts the weights back; ``first`` is the first call of all (one step, one
    batch, one epoch); ``read`` looks at all that a call may have left unfinished;
    ``compiled`` counts what was compiled so far; ``size`` is how far one call went, to
    compare with others who do the same work.
    """

    call: Callable[[], Any]
    steps: int
    examples: int
    first: Callable[[], Any]
    begin: Callable[[], None] = lambda: None
    read: Callable[[Any], None] = lambda result: None
    compiled: Callable[[], int] = lambda: 0
    size: Callable[[Any], float] = lambda result: 0.0
    repeats: int = 0


class Timer:
    """The work of one case in one framework and dtype, ready to be timed.

    Parameters
    ----------
    case : Case
        Drawn data of any length take the place of those of a "random" case.
    steps : int, optional
        Of an epoch, at most; the last batch is a smaller one only where the whole data
        set is run through.
    """

    def __init__(
        self,
        case: Case,
        framework: str,
        dtype: str,
        *,
        steps: int | None = None,
        clock: Any = Clock,
    ) -> None:
        self.case, self.clock = case, clock
        self.works: dict[Cell, Work] = {}
        start = clock.wall()
        registry.network_module(framework, case.network)
        self.imported_mib = memory.now()
        self.adapter = registry.build(framework, case, dtype=dtype)
        B = case.recipe["batch_size"]
        self.most = EXAMPLES if steps is None else steps * B
        self.steps = STEPS if steps is None else min(STEPS, steps)
        self._take(_data(case, max(self.most, B)))
        self.startup = clock.wall() - start

    def _take(self, given: inputs.Inputs) -> None:
        self.start = given.params, given.state
        self._begin()
        self.n = min(len(given.train["x"]), self.most)
        self.order = batches.order(self.n, seed=0, epoch=0, shuffle=True)
        self.rows = {name: a[: self.n] for name, a in given.train.items()}
        self.drawn = inputs.noise(self.case, self.n, epoch=0)
        self.data = self.adapter.put(self.rows)
        self.noise = self.adapter.put(self.drawn) if self.drawn else {}

    def loaded(self) -> dict[str, float]:
        """How long it took until data and weights were in place, and how much memory."""
        return {
            "startup_seconds": self.startup,
            "imported_mib": self.imported_mib,
            "loaded_mib": memory.now(),
        }

    def warm(self, kind: str, variant: str) -> dict[str, Any]:
        """Call once, and again until it is fast; each first time is told apart."""
        work = self.works[kind, variant] = self._work(kind, variant)
        return warmed(work, self.clock)

    def slice(self, kind: str, variant: str) -> dict[str, Any]:
        """Time one slice; warms up before if nobody has."""
        if (kind, variant) not in self.works:
            self.warm(kind, variant)
        return sliced(self.works[kind, variant], self.clock)

    # -- kinds of work -----------------------------------------------------------------

    def _work(self, kind: str, variant: str) -> Work:
        make = {
            "train-epoch": self._epoch,
            "train-step": self._step,
            "inference": self._inference,
        }
        return make[kind](variant)

    def _epoch(self, variant: str) -> Work:
        B, lr = self.case.recipe["batch_size"], self.case.recipe["lr"]

        def call() -> Any:
            return self.adapter.run_epoch(
                self.data, self.order, self.noise, lr, variant=variant
            )

        return self._training(call, call, -(-self.n // B), self.n)

    def _step(self, variant: str) -> Work:
        B, lr = self.case.recipe["batch_size"], self.case.recipe["lr"]
        batch = self._batch(B) | self._resized(self.drawn, np.arange(self.n), B)
        batch = self.adapter.put(batch)

        def step() -> Any:
            return self.adapter.step(batch, lr=lr)

        def steps() -> Any:
            for _ in range(self.steps):
                losses = step()
            return losses

        return self._training(steps, step, self.steps, self.steps * B)

    def _training(
        self, call: Callable[[], Any], first: Callable[[], Any], steps: int, n: int
    ) -> Work:
        return Work(
            call,
            steps,
            n,
            first,
            begin=self._begin,
            read=self._read,
            compiled=self._compiled,
            size=lambda result: self._moved(),
        )

    def _inference(self, variant: str) -> Work:
        n = int(variant.removeprefix("batch-"))
        batch = self.adapter.put(self._batch(n))

        def call() -> Any:
            return self.adapter.forward(batch, train=False)

        return Work(
            call,
            1,
            n,
            call,
            begin=self._begin,
            read=self._read,
            compiled=self._compiled,
            size=lambda result: _norm(result["prediction"]),
        )

    def _batch(self, n: int) -> dict[str, np.ndarray]:
        return self._resized(self.rows, self.order, n)

    @staticmethod
    def _resized(
        arrays: dict[str, np.ndarray], order: np.ndarray, n: int
    ) -> dict[str, np.ndarray]:
        rows = np.resize(order, n)
        return {name: a[rows] for name, a in arrays.items()}

    # -- off the clock -----------------------------------------------------------------

    def _begin(self) -> None:
        self.adapter.load(*self.start)

    def _read(self, result: Any) -> None:
        self.adapter.export()
        for value in result.values():
            np.asarray(value)

    def _compiled(self) -> int:
        return getattr(self.adapter, "compilations", 0)

    def _moved(self) -> float:
        """How far the weights are from where they began."""
        params, _ = self.adapter.export()
        start, _ = self.start
        return math.hypot(*(_norm(params[name] - start[name]) for name in start))


class Peak:
    """Products of two square matrices: what this processor can do at best."""

    def __init__(self, dtype: str, clock: Any = Clock) -> None:
        self.dtype, self.clock = dtype, clock
        self.works: dict[str, Work] = {}

    def loaded(self) -> dict[str, float]:
        """Nothing is loaded."""
        return {}

    def warm(self, kind: str, variant: str) -> dict[str, Any]:
        """Multiply matrices of so many rows, as in "matmul-256"."""
        n = int(variant.removeprefix("matmul-"))
        a, b = np.random.default_rng(0).random((2, n, n)).astype(self.dtype)
        c = np.empty_like(a)

        def call() -> Any:
            return np.matmul(a, b, out=c)

        work = self.works[variant] = Work(call, 1, n, call)
        return warmed(work, self.clock)

    def slice(self, kind: str, variant: str) -> dict[str, Any]:
        """Time one slice of such products."""
        if variant not in self.works:
            self.warm(kind, variant)
        return sliced(self.works[variant], self.clock)


def operations(variant: str) -> int:
    """Operations of one product of `Peak`."""
    return 2 * int(variant.removeprefix("matmul-")) ** 3


def warmed(work: Work, clock: Any = Clock) -> dict[str, Any]:
    """Make the first call of a work, then warm it up; times of both, and `Work.size`."""
    work.begin()
    compiled = work.compiled()
    start = clock.wall()
    result = work.first()
    first = clock.wall() - start
    size = work.size(result)
    seconds: list[float] = []
    while not _steady(seconds):
        start = clock.wall()
        work.call()
        seconds.append(clock.wall() - start)
    work.repeats = max(1, math.ceil(SLICE / max(seconds[-1], 1e-9)))
    return {
        "first_seconds": first,
        "warm_seconds": seconds,
        "size": size,
        "compiled": work.compiled() - compiled,
    }


def _steady(seconds: list[float]) -> bool:
    if len(seconds) < 2:
        return False
    before, now = seconds[-2:]
    return now >= (1 - STEADY) * before or len(seconds) >= WARM


def sliced(work: Work, clock: Any = Clock) -> dict[str, Any]:
    """Time one slice.

    Returns
    -------
    dict
        Wall ``seconds`` and ``cpu`` seconds, the ``steps`` and ``examples`` they went
        into, ``steps_once`` of one call and ``first`` seconds of the first one; ``late``
        seconds that reading the result took longer than reading it again; ``compiled``,
        how many functions were compiled meanwhile.
    """
    work.begin()
    compiled = work.compiled()
    gc.collect()
    gc.disable()
    try:
        wall, cpu = clock.wall(), clock.cpu()
        result = work.call()
        first = clock.wall() - wall
        for _ in range(work.repeats - 1):
            result = work.call()
        wall, cpu = clock.wall() - wall, clock.cpu() - cpu
    finally:
        gc.enable()
    compiled = work.compiled() - compiled
    reading = []
    for _ in range(2):
        start = clock.wall()
        work.read(result)
        reading.append(clock.wall() - start)
    return {
        "seconds": wall,
        "cpu": cpu,
        "steps": work.repeats * work.steps,
        "steps_once": work.steps,
        "examples": work.repeats * work.examples,
        "first": first,
        "late": max(0.0, reading[0] - reading[1]),
        "compiled": compiled,
    }


def _data(case: Case, n: int) -> inputs.Inputs:
    given = inputs.of(case)
    if case.dataset == "random":  # a tiny set is too small to be timed
        rng = np.random.default_rng([case.seeds[0], *b"timing"])
        drawn = registry.spec(case.network).batch(case.sizes, case.recipe, n, rng)
        given = inputs.Inputs(given.params, given.state, drawn, {})
    return given


def _norm(array: Any) -> float:
    return float(np.linalg.norm(np.asarray(array, np.float64)))
