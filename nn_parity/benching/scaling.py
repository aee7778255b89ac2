"""Scaling: times over batch size, width and length, and where each framework overtakes.

A small network is all overhead, and NumPy has the least of it; a large one is all
arithmetic, which the others do at least as fast. The *crossover* is the size between: from
there on a framework takes less time than scratch at every larger size that was measured.
It is interpolated on logarithmic scales between the two sizes around it.

The data are drawn: times do not depend on their values, and no data set has every size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nn_parity import recipes, registry, settings
from nn_parity.benching.rows import SCALING_KEYS, Cell, Row, gather, measured
from nn_parity.errors import Refusal
from nn_parity.experiments import experiment
from nn_parity.protocol import Case
from nn_parity.samples import Sample
from nn_parity.suggest import nearest

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset

SIZES = {
    "batch_size": (1, 4, 16, 64, 256, 1024),
    "hidden": (8, 32, 128, 512, 1024),
    "length": (8, 16, 32, 64, 128),
}
LIMIT = 2e9  # operations of one step: larger points are left out
COLUMNS = (
    "experiment", "framework", "variant", "dtype", "dimension", "value", "batch_size",
    "threads", "step_ms", "step_ms_q1", "step_ms_q3", "ratio_to_scratch", "ratio_lo",
    "ratio_hi", "cpu_ratio", "n", "gflop_per_s", "peak_gflop_per_s", "peak_share",
    "crossover", "crossover_lo", "crossover_hi", "crossover_says", "flag", "status",
    "reason", "part", "kind", "machine",
)  # fmt: skip
_CURVE = ("experiment", "part", "framework", "variant", "dtype", "threads", "dimension")


# -- what is measured ------------------------------------------------------------------


def dimensions(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return what to vary: "all", or some of `SIZES`; `Refusal` E052."""
    given = names.split(",") if isinstance(names, str) else list(names or ())
    wanted = tuple(dict.fromkeys(name.strip() for name in given))
    if wanted == ("all",):
        return tuple(SIZES)
    for name in wanted:
        if name not in SIZES:
            raise Refusal(
                "E052",
                f"no dimension '{name}'",
                f"--scaling takes all, {', '.join(SIZES)}",
                nearest(name, [*SIZES, "all"]) or "name one of these",
            )
    return wanted


def points(
    case: Case,
    dimension: str,
    changes: Mapping[str, Any],
    load: Callable[[str], Dataset],
) -> Iterator[tuple[int, Case]]:
    """Yield a case for each size along a dimension; none if the network has none.

    ``changes`` are what the user set, and ``load`` finds a data set by its name: only
    shapes are taken from it.
    """
    for value in SIZES[dimension]:
        found = _point(case, dimension, value, changes, load)
        if found is not None:
            point = replace(
                found,
                name=f"{case.name}, {dimension} {value}",
                dataset="random",
                data=None,
                weights=None,
                tiers=(),
            )
            yield value, point


def _point(
    case: Case,
    dimension: str,
    value: int,
    changes: Mapping[str, Any],
    load: Callable[[str], Dataset],
) -> Case | None:
    if dimension == "length":
        if "T" not in case.sizes:
            return None
        return replace(case, sizes=dict(case.sizes) | {"T": value})
    setting: Any = value
    if dimension == "hidden":
        layers = _layers(case, changes)
        if not layers:
            return None
        setting = (value,) * layers
    cases = recipes.cases(
        case.experiment,
        changes=dict(changes) | {dimension: setting},
        seed=case.seeds[0],
        load=load,
    )
    return next(other for other, _ in cases if other.label == case.label)


def _layers(case: Case, changes: Mapping[str, Any]) -> int:
    """Return how many hidden layers there are whose width can be set."""
    if "hidden" not in registry.spec(case.network).takes:
        return 0
    chosen = experiment(case.experiment)
    part = next(part for part in chosen.parts if part.label == case.label)
    values = dict(chosen.settings) | dict(part.settings)
    if "hidden" in changes:
        values |= settings.parse(
            case.network, ("hidden",), {"hidden": changes["hidden"]}
        )
    return len(values.get("hidden", ()))


# -- rows ------------------------------------------------------------------------------


def rows(records: Sequence[Sample]) -> list[Row]:
    """Return the rows of scaling.csv: one for each size, with its curve's crossover."""
    cells = gather(records)
    found = [
        dict.fromkeys(COLUMNS, "") | _named(cell) | _only(measured(cell, cells))
        for cell in cells.values()
        if cell.names["dimension"]
    ]
    curves: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        curves.setdefault(tuple(row[name] for name in _CURVE), []).append(row)
    for curve in curves.values():
        crossing = _crossing(curve)
        for row in curve:
            row |= crossing
    return found


def _named(cell: Cell) -> Row:
    return {name: cell.names[name] for name in SCALING_KEYS}


def _only(numbers: Row) -> Row:
    return {name: value for name, value in numbers.items() if name in COLUMNS}


def _crossing(curve: Sequence[Row]) -> Row:
    """Return from which size on a framework is faster than scratch, and its interval."""
    if curve[0]["framework"] == "scratch":
        return {}
    known = sorted((r for r in curve if r["status"] == "ok"), key=lambda r: r["value"])
    known = [r for r in known if r["ratio_to_scratch"] != ""]
    if len(known) < 2:
        return {"crossover_says": "too few sizes"}
    sizes = [row["value"] for row in known]
    at = crossover(sizes, [row["ratio_to_scratch"] for row in known])
    between = f"{sizes[0]} and {sizes[-1]}"
    if at is None:
        return {"crossover_says": f"not within {between}: slower at {sizes[-1]}"}
    if at <= sizes[0]:
        return {"crossover_says": f"not within {between}: faster at each"}
    ends = [
        crossover(sizes, [row[of] for row in known]) for of in ("ratio_lo", "ratio_hi")
    ]
    low, high = (math.inf if end is None else float(end) for end in ends)
    shown = f"{low:.0f} to {high:.0f}" if math.isfinite(high) else f"{low:.0f} or more"
    return {
        "crossover": at,
        "crossover_lo": low,
        "crossover_hi": high,
        "crossover_says": f"{at:.0f} ({shown})",
    }


def crossover(sizes: Sequence[float], ratios: Sequence[float]) -> float | None:
    """Return from where on all ratios are below 1; None if the last one is not.

    Between the last size with a ratio of 1 or more and the next one, log ratio is taken
    to be a straight line over log size.
    """
    above = [i for i, ratio in enumerate(ratios) if ratio >= 1]
    if not above:
        return float(sizes[0])
    last = above[-1]
    if last == len(sizes) - 1:
        return None
    y = [math.log(ratios[i]) for i in (last, last + 1)]
    x = [math.log(sizes[i]) for i in (last, last + 1)]
    return math.exp(x[0] + (x[1] - x[0]) * y[0] / (y[0] - y[1]))
