"""Times, the quick way: slices of all frameworks in turn, in random rounds.

One worker computes at a time while the others wait, so each round compares like with
like; a ratio is taken within a round and the median over rounds is reported. No time is
reported for a cell whose parity failed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity.agreement import Cell, Row
from nn_parity.crew import Failure
from nn_parity.protocol import Case

if TYPE_CHECKING:
    from nn_parity.jobs import Job

COLUMNS = (
    "experiment", "framework", "variant", "kind", "dtype", "batch_size", "threads",
    "first_step_ms", "compile_ms", "step_ms", "step_ms_q1", "step_ms_q3", "min_ms",
    "examples_per_s", "ratio_to_scratch", "ratio_lo", "ratio_hi", "cpu_ratio",
    "peak_rss_mib", "n", "flag", "status", "reason", "part", "epoch_ms",
)  # fmt: skip
KINDS = (  # kind, variant
    ("train-epoch", "lean"),
    ("train-epoch", "idiomatic"),
    ("train-step", "step"),
    ("inference", "batch-256"),
)
BASIS = {"idiomatic": "lean"}  # scratch's variant that a variant is compared with
ROUNDS = (5, 31)  # at least, at most
SECONDS = 8.0  # for one experiment
SPREAD = 0.2  # quartiles further apart than this share of the median: noisy

Key = tuple[str, str, str, str]  # framework, dtype, kind, variant


def quick(job: Job, parity: list[Row]) -> list[Row]:
    """Time the first trained part of every experiment; write speed.csv."""
    from nn_parity.jobs import write_csv

    rows: list[Row] = []
    timed = {c.experiment: c for c in reversed(job.cases) if c.recipe["epochs"]}
    for case in (c for c in job.cases if timed.get(c.experiment) is c):
        rows += _one(job, case, parity)
    write_csv(job.folder / "speed.csv", COLUMNS, rows)
    return rows


def _one(job: Job, case: Case, parity: list[Row]) -> list[Row]:
    cells = [c for c in job.cells() if c.case is case]
    barred = {
        (r["framework"], r["dtype"])
        for r in parity
        if r["passed"] is False
        and r["experiment"] == case.experiment
        and r["part"] == case.label
    }
    rows, keys = [], []
    for cell in cells:
        where = cell.framework, cell.dtype
        if job.transcript(case, *where) is None:
            status, reason = job.why_absent(case, *where)
        elif where in barred:
            status, reason = "withheld", "parity failed: no time is shown for it"
        else:
            keys += [(*where, *kind) for kind in KINDS]
            continue
        rows += [_row(job, cell, *kind, status=status, reason=reason) for kind in KINDS]
    samples, failed = _rounds(job, case, keys)
    for framework, dtype, kind, variant in keys:
        cell = Cell(case, framework, dtype)
        key = framework, dtype, kind, variant
        if key in failed:
            status, reason = failed[key].status, failed[key].reason
            rows.append(_row(job, cell, kind, variant, status=status, reason=reason))
        else:
            basis = "scratch", dtype, kind, BASIS.get(variant, variant)
            rows.append(_measured(job, cell, key, samples[key], samples.get(basis, {})))
    return rows


def _rounds(
    job: Job, case: Case, keys: list[Key]
) -> tuple[dict[Key, dict[int, dict[str, float]]], dict[Key, Failure]]:
    """Slices per key and round, in an order that changes from round to round."""
    samples: dict[Key, dict[int, dict[str, float]]] = defaultdict(dict)
    failed: dict[Key, Failure] = {}
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for n in range(ROUNDS[1]):
        if n >= ROUNDS[0] and time.perf_counter() - start > SECONDS:
            break
        for i in rng.permutation(len(keys)):
            key = framework, dtype, kind, variant = keys[i]
            if key in failed:
                continue
            job.team.say(framework, dtype, f"{case.name}: timing, round {n + 1}")
            worker = job.team.worker(framework, dtype, job.folder)
            ask = {"op": "time", "case": case.plain(), "kind": kind, "variant": variant}
            try:
                samples[key][n] = worker.run(ask)
            except Failure as failure:
                failed[key] = failure
                continue
            sample = {"framework": framework, "dtype": dtype, "kind": kind}
            sample |= {"record": "timing", "case": case.name, "variant": variant}
            job.samples.append(sample | {"round": n, **samples[key][n]})
    return samples, failed


def _measured(
    job: Job,
    cell: Cell,
    key: Key,
    ours: dict[int, dict[str, float]],
    basis: dict[int, dict[str, float]],
) -> Row:
    _, _, kind, variant = key
    per_step = np.array([1e3 * _per_step(s, "seconds") for s in ours.values()])
    q1, median, q3 = np.percentile(per_step, [25, 50, 75])
    slices = next(iter(ours.values()))
    fields: Row = {
        "step_ms": median,
        "step_ms_q1": q1,
        "step_ms_q3": q3,
        "min_ms": per_step.min(),
        "examples_per_s": 1e3 * slices["examples"] / slices["steps"] / median,
        "peak_rss_mib": job.team.worker(
            cell.framework, cell.dtype, job.folder
        ).peak_rss_mib,
        "n": len(ours),
        "status": "ok",
    }
    flags = ["quick"]
    if kind == "train-epoch":
        fields["epoch_ms"] = median * slices["steps_once"]
    first = job.transcript(cell.case, cell.framework, cell.dtype)
    if kind == "train-step" and first is not None and "meta/step_seconds" in first:
        steps = 1e3 * first["meta/step_seconds"]
        fields["first_step_ms"] = float(steps[0])
        fields["compile_ms"] = max(0.0, float(steps[0] - np.median(steps[1:])))
    both = sorted(ours.keys() & basis.keys())
    if both:
        wall, cpu = (
            np.array([_per_step(ours[n], of) / _per_step(basis[n], of) for n in both])
            for of in ("seconds", "cpu")
        )
        cpu = cpu[cpu > 0]  # a coarse clock may read nothing
        low, high = _interval(wall)
        fields |= {
            "ratio_to_scratch": float(np.median(wall)),
            "ratio_lo": low,
            "ratio_hi": high,
        }
        if len(cpu):
            fields["cpu_ratio"] = float(np.median(cpu))
            if abs(fields["cpu_ratio"] / fields["ratio_to_scratch"] - 1) > 0.05:
                flags.append("wall and cpu differ")
    if (q3 - q1) > SPREAD * median:
        flags.append("noisy")
    cpu_share = np.median([s["cpu"] / s["seconds"] for s in ours.values()])
    if cpu_share > job.team.threads + 0.1:
        flags.append("threads")
    return _row(job, cell, kind, variant, flag="; ".join(flags), **fields)


def _per_step(sample: dict[str, float], of: str) -> float:
    return max(sample[of], 1e-9) / sample["steps"]


def _interval(ratios: np.ndarray) -> tuple[float, float]:
    """95 % interval of the median: bootstrap over rounds."""
    from scipy.stats import bootstrap

    if len(ratios) < 2 or np.ptp(ratios) == 0:
        return float(ratios.min()), float(ratios.max())
    found = bootstrap(
        (ratios,), np.median, method="percentile", n_resamples=2000, rng=0
    ).confidence_interval
    return float(found.low), float(found.high)


def _row(job: Job, cell: Cell, kind: str, variant: str, **fields: Any) -> Row:
    known = {
        "experiment": cell.case.experiment,
        "part": cell.case.label,
        "framework": cell.framework,
        "variant": variant,
        "kind": kind,
        "dtype": cell.dtype,
        "batch_size": 256 if kind == "inference" else cell.case.recipe["batch_size"],
        "threads": job.team.threads,
    }
    return dict.fromkeys(COLUMNS, "") | known | fields
