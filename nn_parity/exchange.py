"""Weights in and out: of an experiment before training, of a run after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nn_parity import inputs, keys, recipes, registry, results, weight_files
from nn_parity.errors import Refusal
from nn_parity.protocol import Case


def export(
    source: str,
    to: str | Path,
    *,
    framework: str = "scratch",
    part: str | None = None,
    dtype: str = "float64",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    force: bool = False,
) -> str:
    """Write weights to a file; return a line that says what is in it.

    Parameters
    ----------
    source : str
        An experiment's name (its initial weights of ``seed``), or the folder of a run
        (what ``framework`` had learned in ``dtype``).
    to : path
        ``.npz`` or ``.csv``.
    """
    if Path(source).is_dir():
        run = results.open_run(source)
        (framework,) = registry.canonical(framework)
        case = _of_run(run, part)
        params = trained(run, case, framework, dtype)
        origin: dict[str, Any] = {"framework": framework, "dtype": dtype}
        origin |= {"point": "trained", "commit": run.environment["commit"]}
    else:
        case = _case(source, settings or {}, seed, data, part)
        params, _ = inputs.initial(registry.spec(case.network), case, seed)
        origin = {"seed": seed, "point": "initial"}
    path = weight_files.write(
        to,
        params,
        {},
        network=case.network,
        sizes=case.sizes,
        recipe=case.recipe,
        origin=origin | {"experiment": case.experiment},
        force=force,
    )
    return f"{path}: {origin['point']} weights of {case.experiment}, {case.network}"


def trained(
    run: results.Run, case: Case, framework: str, dtype: str
) -> dict[str, np.ndarray]:
    """Return the weights a framework ended with; `Refusal` E602 if there are none."""
    transcript = run.transcript(case, framework, dtype)
    params = keys.select(transcript, "trained", "end")
    if not params:
        raise Refusal(
            "E602",
            f"no trained weights of {framework} in {dtype}",
            str(run.path),
            "choose --framework and --dtype that the run finished",
        )
    return params


def check(path: str | Path, experiment: str | None = None) -> list[str]:
    """Return lines that say what a file holds; `Refusal` if it is damaged or unfit."""
    lines = weight_files.check(path)
    if experiment is not None:
        case = _case(experiment, {}, 0, None)
        spec = registry.spec(case.network)
        shapes = {p.name: p.shape for p in spec.params(case.sizes, case.recipe)}
        weight_files.read(path, expected=shapes, network=case.network, dtype="float64")
        lines.append(f"fits {experiment}: every name and shape is the network's")
    return lines


def _case(
    experiment: str,
    settings: Mapping[str, Any],
    seed: int,
    data: str | Path | None,
    part: str | None = None,
) -> Case:
    cases = recipes.cases(experiment, changes=settings, seed=seed, data=data)
    case, _ = recipes.chosen_part(cases, part)
    return case


def _of_run(run: results.Run, part: str | None) -> Case:
    """Return the case of a run that a user means by its name, its part or nothing."""
    trained_cases = [case for case in run.cases if case.trains]
    for case in trained_cases:
        if part is None or part in (case.name, case.label, case.experiment):
            return case
    names = ", ".join(case.name for case in trained_cases)
    raise Refusal("E019", f"no part '{part}'", f"trained here: {names}", "name one")
