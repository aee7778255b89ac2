"""The divergence atlas, executed: where frameworks part, and what brings them together.

A row is written down once without a framework (`nn_parity.divergences`) and once in each
implementation: *naive*, as one would write it, and *aligned*, with the setting that makes
all sides agree. Here both are run in every framework and the answers compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity import crew, environment, errors, registry
from nn_parity.crew import Failure
from nn_parity.divergences import catalogue
from nn_parity.divergences.row import Row
from nn_parity.jobs import Say, Team, silent

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "id", "topic", "item", "torch", "keras", "jax", "numpy", "naive", "aligned", "gate",
    "setting", "published", "status", "reason",
)  # fmt: skip
BAD = ("failed", "crashed", "killed", "timeout", "oom", "disk full")
AS_SAID = ("diverges", "no common setting", "agrees")
CLEARLY = 10  # a naive difference must be so many gates wide, or its row proves nothing

Value = dict[str, np.ndarray]  # what one side answers: one array or several with names
Side = dict[str, Any]  # "does", and "naive" and "aligned" or "reason": see `measuring`


def atlas(
    topic: str | None = None,
    frameworks: str | Sequence[str] | None = None,
    *,
    timeout: float = crew.TIMEOUT,
    say: Say = silent,
) -> pd.DataFrame:
    """Run the atlas, or a part of it; return one row for each divergence.

    Parameters
    ----------
    topic : str, optional
        A topic such as "optimizers", or the id of a row such as "O04".
    frameworks : str or sequence of str, optional
        Any of scratch, torch, keras, jax; plain NumPy ("scratch") always runs.
    timeout : float
        Seconds after which a worker counts as hanging.

    Returns
    -------
    DataFrame
        ``naive`` and ``aligned`` are the largest absolute differences between any two
        sides; they are infinite where only some sides are NaN. ``status`` is

        - "diverges": naive sides differ, aligned ones agree: as the row says;
        - "no common setting": naive sides differ, and one of them has no remedy;
        - "healed": naive sides agree by now, so upstream has changed;
        - "agrees": naive sides agree, as they always did: a row that stands guard;
        - "failed": aligned sides differ by more than the gate;
        - "not seen", "not installed": too few sides ran to tell;
        - "crashed", "killed", "timeout", "oom": of a side; ``reason`` says which.

    Raises
    ------
    Refusal
        Unknown topic or framework.
    """
    import pandas as pd

    rows = catalogue.rows(topic)
    registry.canonical(frameworks, registry.FRAMEWORKS)  # no row runs on other backends
    team = Team.assemble(frameworks, "float64", threads=1, timeout=timeout, say=say)
    answers = _ask(team, [row.id for row in rows])
    table = [_compared(row, team, answers) for row in rows]
    return pd.DataFrame(table, columns=list(COLUMNS))


def exit_code(frame: pd.DataFrame, frameworks: str | None) -> int:
    """1 if a row went wrong, 3 if a framework asked for by name is absent, else 0."""
    if frame["status"].isin(BAD).any():
        return errors.PARITY_FAILED
    named = registry.canonical(frameworks, registry.FRAMEWORKS) if frameworks else ()
    return errors.ENVIRONMENT if any(map(registry.missing, named)) else errors.OK


# -- asking ----------------------------------------------------------------------------


def _ask(team: Team, ids: list[str]) -> dict[str, dict[str, Side] | Failure]:
    """Let one worker of each framework answer all rows; a failure is its answer too."""
    slots = max(1, environment.cores())
    with (
        tempfile.TemporaryDirectory() as folder,
        team,
        ThreadPoolExecutor(slots) as pool,
    ):

        def ask(framework: str) -> dict[str, Side] | Failure:
            team.say(framework, "float64", "running")
            worker = team.worker(framework, "float64", Path(folder))
            try:
                return worker.run({"op": "atlas", "ids": ids})["sides"]
            except Failure as failure:
                return failure
            finally:
                team.say(framework, "float64", "done")

        try:
            answers = pool.map(ask, reversed(team.present))  # the slowest start first
            return dict(zip(reversed(team.present), answers, strict=True))
        except BaseException:  # Ctrl-C: nobody waits for the others
            team.close()
            raise


# -- comparing -------------------------------------------------------------------------


def _compared(
    row: Row, team: Team, answers: Mapping[str, dict[str, Side] | Failure]
) -> dict[str, Any]:
    failures = {f: a for f, a in answers.items() if isinstance(a, Failure)}
    sides = {
        framework: answer[row.id]
        for framework, answer in answers.items()
        if not isinstance(answer, Failure) and row.id in answer
    }
    partial = len(team.present) < len(registry.FRAMEWORKS)
    line = judged(row, sides, partial=partial)
    if failures:
        line["status"] = next(iter(failures.values())).status
        line["reason"] = "; ".join(f"{f}: {x.reason}" for f, x in failures.items())
    elif len(sides) < 2 and team.absent:
        line["status"] = "not installed"
        line["reason"] = "; ".join(team.absent.values())
    does = {f: sides.get(f, {}).get("does", "") for f in registry.FRAMEWORKS}
    does["numpy"] = does.pop("scratch")
    metadata = {
        "id": row.id,
        "topic": row.topic,
        "item": row.item,
        "gate": row.gate,
        "setting": row.setting,
        "published": row.published,
    }
    return metadata | does | line


def judged(row: Row, sides: Mapping[str, Side], *, partial: bool) -> dict[str, Any]:
    """Return naive, aligned, status and reason of a row from what its sides answered.

    Parameters
    ----------
    row : Row
    sides : mapping
        Framework -> its side, as `measuring.measure` gives it.
    partial : bool
        Whether some framework did not take part, so that agreement proves nothing.
    """
    naive = [_value(side["naive"]) for side in sides.values() if "naive" in side]
    aligned = [_value(side["aligned"]) for side in sides.values() if "aligned" in side]
    line = {"naive": _widest(naive), "aligned": _widest(aligned), "reason": row.why}
    raised = {f: side["reason"] for f, side in sides.items() if "reason" in side}
    if raised:
        reason = "; ".join(f"{f}: {said}" for f, said in raised.items())
        return line | {"status": "crashed", "reason": reason}
    return line | {"status": _status(row, line, len(aligned) < len(naive), partial)}


def _status(row: Row, line: Mapping[str, Any], unaligned: bool, partial: bool) -> str:
    if line["aligned"] > row.gate:
        return "failed"
    if line["naive"] > CLEARLY * row.gate:
        return "no common setting" if unaligned else "diverges"
    if partial:
        return "not seen"
    guards = row.published is not None and row.published <= row.gate
    return "agrees" if guards else "healed"


def _value(plain: Mapping[str, Any]) -> Value:
    return {name: np.array(nested, np.float64) for name, nested in plain.items()}


def _widest(values: Sequence[Value]) -> float:
    """Return the largest difference of any two sides; NaN where there are no two."""
    pairs = list(combinations(values, 2))
    return max((_apart(a, b) for a, b in pairs), default=np.nan)


def _apart(a: Value, b: Value) -> float:
    if a.keys() != b.keys():
        return np.inf
    return max((_difference(a[name], b[name]) for name in a), default=0.0)


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return max abs(a - b): infinite for other shapes, or NaN on one side only."""
    if a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
        return np.inf
    differ = (a != b) & ~np.isnan(a)  # infinity equals itself
    return float(np.abs(a[differ] - b[differ]).max(initial=0.0))


# -- showing ---------------------------------------------------------------------------


def terminal(frame: pd.DataFrame) -> list[Any]:
    """Return a rich table for each topic, then what is not as the atlas says."""
    from nn_parity.tables import rich_table

    shown: list[Any] = []
    view = frame.drop(columns=["gate", "published", "reason"])
    for figure in ("naive", "aligned"):
        view[figure] = view[figure].map("{:.2g}".format).replace("nan", "")
    for topic, part in view.groupby("topic", sort=False):
        shown.append(rich_table(part.drop(columns="topic"), str(topic).capitalize()))
    return [*shown, *_remarks(frame), *captions()]


def _remarks(frame: pd.DataFrame) -> list[str]:
    usual = frame["status"].isin(AS_SAID)
    lines = [
        f"{row.id} {row.item}: {row.status}" + (f": {row.reason}" if row.reason else "")
        for row in frame[~usual].itertuples()
    ]
    counts = frame["status"].value_counts()
    return [*lines, ", ".join(f"{n} {status}" for status, n in counts.items())]


def captions() -> list[str]:
    """Lines that stand under the table: what was measured, with what, on what."""
    versions = [registry.versions(f) for f in registry.FRAMEWORKS]
    named = ", ".join(f"{n} {v}" for found in versions for n, v in found.items())
    return [
        "naive, aligned: largest absolute difference between any two sides, float64 "
        "unless the item says otherwise",
        named,
        environment.cpu(),
    ]
