"""Timing inside a worker: one slice of work at a time, data already native.

A slice ends only when its result is in hand (`run_epoch`, `step` and `forward` block),
and the garbage collector rests meanwhile.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nn_parity import batches, inputs, registry
from nn_parity.protocol import Case

EXAMPLES = 4096  # an epoch slice takes at most so many
STEPS = 20  # of a train-step slice
SLICE = 0.05  # seconds; shorter work is repeated within a slice
INFERENCE_BATCH = 256


class Timer:
    """One adapter with a case's data, ready to be timed."""

    def __init__(self, case: Case, framework: str, dtype: str) -> None:
        self.case = case
        self.adapter = registry.build(framework, case, dtype=dtype)
        given = inputs.of(case)
        self.adapter.load(given.params, given.state)
        n = min(len(given.train["x"]), EXAMPLES)
        self.order = batches.order(n, seed=0, epoch=0, shuffle=True)
        self.rows = {name: a[:n] for name, a in given.train.items()}
        self.data = self.adapter.put(self.rows)
        self.repeats: dict[tuple[str, str], int] = {}

    def slice(self, kind: str, variant: str) -> dict[str, Any]:
        """Time one slice; the first call of a kind also runs it before, unseen.

        Returns
        -------
        dict
            Wall ``seconds``, ``cpu`` seconds, the ``steps`` and ``examples`` they went
            into, and ``steps_once`` of one call.
        """
        work, steps, examples = self._work(kind, variant)
        if (kind, variant) not in self.repeats:
            work()  # compiles, fills caches
            start = time.perf_counter()
            work()
            once = time.perf_counter() - start
            self.repeats[kind, variant] = max(1, math.ceil(SLICE / once))
        repeats = self.repeats[kind, variant]
        gc.collect()
        gc.disable()
        try:
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(repeats):
                work()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        finally:
            gc.enable()
        return {
            "seconds": wall,
            "cpu": cpu,
            "steps": repeats * steps,
            "steps_once": steps,
            "examples": repeats * examples,
        }

    def _work(self, kind: str, variant: str) -> tuple[Callable[[], Any], int, int]:
        B, n, lr = (
            self.case.recipe["batch_size"],
            len(self.order),
            self.case.recipe["lr"],
        )
        if kind == "train-epoch":
            return (
                lambda: self.adapter.run_epoch(
                    self.data, self.order, {}, lr, variant=variant
                ),
                -(-n // B),
                n,
            )
        if kind == "train-step":
            rows = np.resize(self.order, B)
            batch = self.adapter.put({n: a[rows] for n, a in self.rows.items()})

            def steps() -> None:
                for _ in range(STEPS):
                    self.adapter.step(batch, lr=lr)

            return steps, STEPS, STEPS * B
        rows = np.resize(self.order, INFERENCE_BATCH)
        batch = self.adapter.put({n: a[rows] for n, a in self.rows.items()})
        return lambda: self.adapter.forward(batch, train=False), 1, len(rows)
