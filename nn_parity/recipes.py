"""An experiment made definite: cases with sizes from the data and a full recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn_parity import registry, settings
from nn_parity.batches import BINARY_LOSSES, INDEX_LOSSES
from nn_parity.errors import Refusal
from nn_parity.experiments import Experiment, Part, experiment
from nn_parity.protocol import Case

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset

Cases = list[tuple[Case, Part]]


def cases(
    name: str,
    *,
    changes: Mapping[str, Any],
    seed: int,
    data: str | Path | None = None,
    load: Callable[[str], Dataset] | None = None,
) -> Cases:
    """Resolve an experiment: one case for each part, sizes taken from the data.

    Parameters
    ----------
    name : str
        Of an experiment.
    changes : mapping
        What the user set, as text or values.
    data : path, optional
        Folder of an idx data set that takes the place of the experiment's own.
    load : callable, optional
        Data set name -> `Dataset`, for a caller who keeps what is loaded.

    Raises
    ------
    Refusal
        For an unknown name, key or value, for data that do not fit.
    """
    from nn_parity import datasets

    chosen = experiment(name)
    folder = None if data is None else str(Path(data).resolve())
    load = load or (lambda name: datasets.load(name, data=folder))
    return [_case(chosen, part, changes, seed, folder, load) for part in chosen.parts]


def _case(
    chosen: Experiment,
    part: Part,
    changes: Mapping[str, Any],
    seed: int,
    folder: str | None,
    load: Callable[[str], Dataset],
) -> tuple[Case, Part]:
    spec = registry.spec(chosen.network)
    changed = settings.parse(chosen.network, spec.takes, changes)
    values = dict(chosen.settings) | dict(part.settings) | changed
    from_logits = values["loss"] in (*INDEX_LOSSES, *BINARY_LOSSES)
    settings.without_effect(values, changed, from_logits)
    if part.by_hand is not None:  # these weights are set for this very network
        values |= dict(part.settings)
    dataset = load(part.dataset)
    _check_loss(values["loss"], dataset)
    if from_logits:  # sigmoid and softmax are part of the loss
        values["output"] = "identity"
    sizes, recipe = spec.resolve(values, dataset)
    training = {key: values[key] for key in ("lr", "batch_size", "epochs", "shuffle")}
    return (
        Case(
            name=f"{chosen.name}/{part.label}" if part.label else chosen.name,
            network=chosen.network,
            sizes=sizes,
            recipe={"loss": values["loss"], "optimizer": settings.optimizer(values)}
            | dict(recipe)
            | training,
            dataset=dataset.name,
            data=folder,
            seeds=(seed,),
            experiment=chosen.name,
            label=part.label,
        ),
        part,
    )


def _check_loss(loss: str, data: Dataset) -> None:
    if (loss in INDEX_LOSSES) == (data.classes is not None):
        return
    kind = f"{data.classes} classes" if data.classes else "numbers, not classes"
    fitting = [n for n in settings.LOSSES if (n in INDEX_LOSSES) == bool(data.classes)]
    raise Refusal(
        "E008",
        f"loss '{loss}' does not fit the targets of '{data.name}' ({kind})",
        "--set loss",
        f"use {' or '.join(fitting)}",
    )


def chosen_part(cases: Cases, label: str | None = None) -> tuple[Case, Part]:
    """Return the part that a user means: the one named, else the first that is trained."""
    for case, part in cases:
        if label == case.label or (label is None and part.by_hand is None):
            return case, part
    labels = ", ".join(case.label for case, _ in cases)
    raise Refusal("E019", f"no part '{label}'", f"parts are {labels}", "name one")


def with_weights(case: Case, path: str) -> Case:
    """Return the case, starting from a weight file."""
    return replace(case, weights=path, given=True)
