"""`trace`: one training step in full, the same step in every framework."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity import (
    chain_rule,
    crew,
    environment,
    errors,
    inputs,
    recipes,
    registry,
    tolerances,
)
from nn_parity import show as sources
from nn_parity.chain_rule import Row, Section
from nn_parity.crew import Failure
from nn_parity.errors import Refusal
from nn_parity.experiments import Part
from nn_parity.jobs import DTYPES, Say, Team, silent
from nn_parity.protocol import Case

if TYPE_CHECKING:
    import pandas as pd

MOST = 2000  # numbers in a column: what somebody may still read
TRY = "hiring or xor"


@dataclass(frozen=True)
class Trace:
    """One step of one experiment: sections of rows, and what they were made of."""

    case: Case
    step: int
    dtype: str
    lr: float
    updates: int  # the t of Adam's bias correction
    frameworks: tuple[str, ...]  # columns, answered or not
    failures: dict[str, str]  # framework -> why its column is empty
    sections: list[Section]
    equations: str = field(repr=False)
    exit_code: int = errors.OK

    @property
    def rows(self) -> list[Row]:
        """All rows, top to bottom."""
        return [row for section in self.sections for row in section.rows]

    @property
    def widest(self) -> Row:
        """The row where frameworks are furthest apart."""
        return max(self.rows, key=lambda row: row.error_u)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All rows as a table; an empty column is NaN."""
        import pandas as pd

        columns = ("equation", "quantity", "tensor", "index", "formula")
        table: dict[str, Any] = {
            c: [getattr(row, c) for row in self.rows] for c in columns
        }
        for framework in self.frameworks:
            values = [row.values.get(framework, np.nan) for row in self.rows]
            table[framework] = np.array(values, self.dtype)
        table["error_u"] = [row.error_u for row in self.rows]
        return pd.DataFrame(table)

    @property
    def title(self) -> str:
        """What was traced."""
        label = f" ({self.case.label})" if self.case.label else ""
        return f"Step {self.step} of {self.case.experiment}{label}"

    @property
    def about(self) -> str:
        """The network, its recipe and the point in its training."""
        recipe, sizes = self.case.recipe, self.case.sizes
        units = (sizes["D"], *sizes.get("H", ()), sizes.get("K", 1))
        start = "given weights" if self.case.weights else f"seed {self.case.seeds[0]}"
        return (
            f"{self.case.network} {'-'.join(map(str, units))}, {self.dtype}, {start}, "
            f"after {_count(self.step, 'update')} (steps count from 0); "
            f"loss {recipe['loss']}, {_settings(recipe)}, lr {self.lr:g}"
            + (f", t = {self.updates}" if "beta1" in recipe["optimizer"] else "")
        )

    @property
    def captions(self) -> list[str]:
        """Lines that stand under the table; the last one says how far apart it all is."""
        row, bits = self.widest, int(-np.log2(tolerances.U[self.dtype]))
        said = f"{row.error_u:.2g} u ({row.widest}, {row.quantity})"
        versions = {
            n: v for f in self.frameworks for n, v in registry.versions(f).items()
        }
        return [
            *(f"{name}: {reason}" for name, reason in self.failures.items()),
            f"difference: the largest in the row, to {self.frameworks[0]} or to what the "
            "equation makes of a framework's own numbers, relative to the largest element "
            f"of the tensor, in u = 2^-{bits}; it grows where terms cancel, as in "
            "prediction - y",
            "backward rows carry the number of the equation that they go back through",
            ", ".join(f"{n} {v}" for n, v in versions.items()),
            f"largest difference over everything: {said if row.error_u else '0 u'}",
        ]


def trace(
    experiment: str,
    *,
    step: int = 0,
    part: str | None = None,
    weights: str | Path | None = None,
    frameworks: str | Sequence[str] | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    dtype: str = "float64",
    say: Say = silent,
) -> pd.DataFrame:
    """Take one training step apart, in every framework from the same initial weights.

    Parameters
    ----------
    experiment : str
        One that trains a neuron or a small multilayer perceptron.
    step : int
        0 is the first; the steps before it are trained, each framework by itself.
    part : str, optional
        Of an experiment with several; the first that is trained if left out.
    weights : path, optional
        A weight file to start from.
    frameworks : str or sequence of str, optional
        scratch, the reference, is always among them.
    dtype : str
        "float64" or "float32".

    Returns
    -------
    DataFrame
        A row for each number: ``equation`` (of the network's docstring), ``quantity``,
        ``tensor``, ``index``, ``formula``, a column for each framework, ``error_u``. The
        local derivatives and chain-rule products in a column are worked out from that
        framework's own activations and weights; "returned" is the gradient of its own
        backward pass, and "new" what its own optimizer made of it.

    Raises
    ------
    Refusal
        Unknown names; a network without layers, or too large to read; a step that the
        training does not have; training that diverged before.
    """
    return taken_apart(
        experiment,
        step=step,
        part=part,
        weights=weights,
        frameworks=frameworks,
        data=data,
        settings=settings,
        seed=seed,
        dtype=dtype,
        say=say,
    ).frame


def taken_apart(
    experiment: str,
    *,
    step: int = 0,
    part: str | None = None,
    weights: str | Path | None = None,
    frameworks: str | Sequence[str] | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    dtype: str = "float64",
    say: Say = silent,
) -> Trace:
    """Do what `trace` does and return sections, equations and captions, too."""
    if dtype not in DTYPES:
        raise Refusal("E007", f"no dtype '{dtype}'", "--dtype", " or ".join(DTYPES))
    cases = recipes.cases(experiment, changes=settings or {}, seed=seed, data=data)
    case, chosen = recipes.chosen_part(cases, part)
    if weights is not None:
        case = recipes.with_weights(case, str(Path(weights).resolve()))
    _check_kind(case)
    n = len(inputs.of(case).train["x"])  # which refuses bad data and weights, too
    _check_size(case, n)
    _check_step(case, chosen, step, n)
    team = Team.assemble(frameworks, dtype, threads=1, timeout=crew.TIMEOUT, say=say)
    if frameworks is not None and team.absent:
        raise Refusal(
            "E301", next(iter(team.absent.values())), "--frameworks", "install it"
        )
    return _put_together(case, step, team, _ask(team, case, step))


# -- what can be traced ----------------------------------------------------------------


def _check_kind(case: Case) -> None:
    if not registry.spec(case.network).layered:
        raise Refusal(
            "E021",
            f"cannot trace a network of the kind '{case.network}'",
            f"{case.name}; a step is taken apart layer by layer",
            f"choose an experiment with a neuron or mlp, such as {TRY}",
        )


def _check_size(case: Case, n: int) -> None:
    count = _numbers(case, min(n, case.recipe["batch_size"]))
    if count > MOST:
        wide = case.sizes["D"] > 40  # then fewer hidden units would not help
        smaller = "" if wide else "--set hidden=2 --set batch_size=1, or "
        raise Refusal(
            "E022",
            f"a step of this network is {count:,} numbers in each column",
            f"{case.name}; at most {MOST:,} are shown",
            f"choose {smaller}a small experiment such as {TRY}",
        )


def _numbers(case: Case, examples: int) -> int:
    """Rows of a full batch: five for each unit, four for each weight, and its moments."""
    spec, sizes = registry.spec(case.network), case.sizes
    params = spec.params(sizes, case.recipe)
    units = sum(p.shape[-1] for p in params[1::2])
    moments = {"sgd": 0, "adam": 4, "adamw": 4, "adadelta": 4}
    each = 4 + moments.get(case.recipe["optimizer"]["name"], 2)
    weights = sum(int(np.prod(p.shape)) for p in params)
    return examples * (sizes["D"] + sizes.get("K", 1) + 5 * units) + each * weights


def _check_step(case: Case, part: Part, step: int, n: int) -> None:
    recipe = case.recipe
    if part.by_hand is not None or not recipe["epochs"]:
        raise Refusal(
            "E023", f"{case.name} is not trained", "its weights stay", "choose a --part"
        )
    if "patience" in recipe:
        raise Refusal(
            "E023",
            "a training that may stop early has no fixed steps",
            f"{case.name}: patience {recipe['patience']}",
            "choose another --part or leave 'patience' out",
        )
    steps = recipe["epochs"] * -(-n // recipe["batch_size"])
    whole = isinstance(step, int) and not isinstance(step, bool)
    if not (whole and 0 <= step < steps):
        raise Refusal(
            "E023",
            f"no step {step!r}",
            f"{case.name} is trained for {_count(steps, 'step')}",
            f"give --step 0 to {steps - 1}, or train longer with --set epochs",
        )


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def _settings(recipe: Mapping[str, Any]) -> str:
    """Return the optimizer, and what else decides about an update, in words."""
    name, *own = recipe["optimizer"].values()
    keys = list(recipe["optimizer"])[1:]
    said = [f"{key} {value:g}" for key, value in zip(keys, own, strict=True)]
    for extra in ("penalty", "clip"):
        said += [f"{k} {v:g}" for k, v in recipe.get(extra, {}).items()]
    return f"{name} ({', '.join(said)})" if said else name


# -- asking, and putting together ------------------------------------------------------


def _ask(team: Team, case: Case, step: int) -> dict[str, dict[str, Any] | Failure]:
    """Let one worker of each framework take the step; a failure is its answer too."""
    (dtype,) = team.dtypes
    with (
        tempfile.TemporaryDirectory() as folder,
        team,
        ThreadPoolExecutor(max(1, environment.cores())) as pool,
    ):

        def ask(framework: str) -> dict[str, Any] | Failure:
            worker = team.worker(framework, dtype, Path(folder))
            job = {"op": "trace", "case": case.plain(), "step": step}
            try:
                answer = worker.run(job, lambda text: team.say(framework, dtype, text))
            except Failure as failure:
                return failure
            if "diverged" in answer:
                reason = f"training diverged at step {answer['diverged']}"
                return Failure("diverged", reason)
            return answer

        try:
            slowest_first = tuple(reversed(team.present))
            answers = dict(
                zip(slowest_first, pool.map(ask, slowest_first), strict=True)
            )
        except BaseException:  # Ctrl-C: nobody waits for the others
            team.close()
            raise
    return {framework: answers[framework] for framework in team.present}


def _put_together(
    case: Case, step: int, team: Team, answers: Mapping[str, dict[str, Any] | Failure]
) -> Trace:
    (dtype,) = team.dtypes
    failed = {f: a for f, a in answers.items() if isinstance(a, Failure)}
    told = {f: a for f, a in answers.items() if not isinstance(a, Failure)}
    if not told:
        raise Refusal(
            "E402",
            "; ".join(dict.fromkeys(failure.reason for failure in failed.values())),
            case.name,
            "choose an earlier --step or a smaller --set lr",
        )
    first = next(iter(told.values()))
    lr, updates = first["lr"], first["t"]
    arrays = {}
    for framework, answer in told.items():
        own = {name: _array(a, dtype) for name, a in answer["arrays"].items()}
        arrays[framework] = own | chain_rule.derived(own, case, lr)
    block = equations(case.network)
    table = chain_rule.Table(
        case, numbered(block), arrays, lr=lr, u=tolerances.U[dtype]
    )
    failures = {f: f"not installed: {why}" for f, why in team.absent.items()}
    failures |= {
        f: f"{failure.status}: {failure.reason}" for f, failure in failed.items()
    }
    return Trace(
        case=case,
        step=step,
        dtype=dtype,
        lr=lr,
        updates=updates,
        frameworks=team.frameworks,
        failures=failures,
        sections=list(table.sections()),
        equations=block,
        exit_code=_exit_code({failure.status for failure in failed.values()}),
    )


def _array(plain: Any, dtype: str) -> np.ndarray:
    """Whole numbers stay what they are: they are classes."""
    array = np.array(plain)
    return array.astype(dtype) if array.dtype.kind == "f" else array


def _exit_code(statuses: set[str]) -> int:
    if statuses & {"timeout", "oom"}:
        return errors.RESOURCES
    return errors.PARITY_FAILED if statuses else errors.OK


# -- the equations of the docstring ----------------------------------------------------


def equations(network: str) -> str:
    """Return the numbered lines of a network's docstring."""
    shared = sources.show(network, frameworks="scratch").shared
    block = shared.partition("::\n")[2].partition("\nShapes\n")[0]
    lines = [line for line in block.splitlines() if line.strip()]
    indent = min((len(li) - len(li.lstrip()) for li in lines), default=0)
    return "\n".join(line[indent:] for line in lines)


def numbered(block: str) -> dict[str, str]:
    """Return {left-hand side: number}, such as {"z_l": "(2)"}, of such lines."""
    return dict(re.findall(r"^(\S+) +=.*(\(\d+\))$", block, flags=re.MULTILINE))
