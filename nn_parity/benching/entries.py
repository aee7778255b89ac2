"""What is timed: every kind of work in every variant, of a case, in each framework."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nn_parity import environment, registry
from nn_parity.benching.slices import PEAK, operations
from nn_parity.errors import Refusal
from nn_parity.protocol import Case
from nn_parity.suggest import nearest

EPOCHS = ("lean", "idiomatic")  # ways to run an epoch that every framework has
OPT_IN = {"torch": ("compile",), "keras": ("jit",)}  # they compile for long
INFERENCE = {"batch-1": 1, "batch-256": 256}
SQUARES = ("matmul-96", "matmul-256", "matmul-768")  # one of these is a BLAS's best
BASIS = dict.fromkeys(
    ("idiomatic", "compile", "jit"), "lean"
)  # compared with scratch's
WORK = 2e9  # operations in an epoch slice: 20 to 50 ms on a core of today
MOST, LEAST = 128, 8  # steps of an epoch slice
NAMES = (  # columns that name a row
    "experiment", "part", "framework", "variant", "kind", "dtype", "batch_size", "threads",
    "machine", "dimension", "value",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Entry:
    """One cell of a table: a kind of work in one framework, dtype and variant."""

    case: Case
    framework: str
    dtype: str
    kind: str
    variant: str
    threads: int
    steps: int = MOST  # of an epoch, at most
    operations: int = 0  # of one step, in matrix products
    dimension: str = ""  # what a scaling varies
    value: int = 0
    machine: str = field(default_factory=environment.machine_id)

    @property
    def batch_size(self) -> int:
        """Examples of one step."""
        if self.kind == PEAK:
            return 0
        if self.kind == "inference":
            return INFERENCE[self.variant]
        return int(self.case.recipe["batch_size"])

    @property
    def names(self) -> dict[str, Any]:
        """The columns that name this cell's row."""
        of_case = {"experiment": self.case.experiment, "part": self.case.label}
        return {name: of_case.get(name, getattr(self, name, "")) for name in NAMES}

    @property
    def key(self) -> tuple[Any, ...]:
        """The same as a tuple."""
        return tuple(self.names.values())

    def ask(self, op: str) -> dict[str, Any]:
        """Return a worker's job about this cell."""
        return {
            "op": op,
            "case": self.case.plain(),
            "kind": self.kind,
            "variant": self.variant,
            "steps": self.steps,
        }


def steps_of(operations: int) -> int:
    """Return how many steps of so many operations make a slice of an epoch."""
    return max(LEAST, min(MOST, int(WORK / operations))) if operations else MOST


def chosen_variants(names: str | Sequence[str] | None) -> frozenset[str]:
    """Return opt-in variants by name: "torch-compile", or "all"; `Refusal` E050."""
    known = {f"{f}-{variant}" for f, more in OPT_IN.items() for variant in more}
    if names is None:
        return frozenset()
    given = names.split(",") if isinstance(names, str) else list(names)
    wanted = {name.strip() for name in given}
    if wanted == {"all"}:
        return frozenset(known)
    for name in sorted(wanted - known):
        raise Refusal(
            "E050",
            f"no variant '{name}'",
            f"--variants takes all, {', '.join(sorted(known))}",
            nearest(name, [*known, "all"]) or "name one of these",
        )
    return frozenset(wanted)


def epoch_variants(framework: str, chosen: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the ways to run an epoch that are timed in a framework."""
    more = (v for v in OPT_IN.get(framework, ()) if f"{framework}-{v}" in chosen)
    return (*EPOCHS, *more)


def kinds(framework: str, chosen: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield (kind, variant) of every cell of a framework."""
    for variant in epoch_variants(framework, chosen):
        yield "train-epoch", variant
    yield "train-step", "step"
    for variant in INFERENCE:
        yield "inference", variant


def of_case(
    case: Case,
    frameworks: Sequence[str],
    dtype: str,
    threads: int,
    counted: dict[str, int],
    chosen: Iterable[str] = (),
) -> list[Entry]:
    """Return the cells of a case in one dtype, in table order."""
    steps = steps_of(counted.get("train", 0))
    found = []
    for framework in frameworks:
        for kind, variant in kinds(framework, chosen):
            n = str(INFERENCE[variant]) if kind == "inference" else "train"
            entry = Entry(
                case,
                framework,
                dtype,
                kind,
                variant,
                threads,
                steps=steps,
                operations=counted.get(n, 0),
            )
            found.append(entry)
    order = {f: i for i, f in enumerate(registry.ALL)}
    return sorted(found, key=lambda e: (_KINDS.index(e.kind), order[e.framework]))


_KINDS = ("train-epoch", "train-step", "inference")


def peaks(case: Case, dtype: str, threads: int) -> list[Entry]:
    """Return the cells that measure what the machine can do at best."""
    return [
        Entry(case, "scratch", dtype, PEAK, size, threads, operations=operations(size))
        for size in SQUARES
    ]
