"""An experiment made definite: cases with sizes from the data and a full recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn_parity import registry, settings
from nn_parity.batches import BINARY_LOSSES, INDEX_LOSSES
from nn_parity.errors import Refusal
from nn_parity.experiments import DEFAULTS, Experiment, Part, experiment
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
    networks = dict.fromkeys(part.network or chosen.network for part in chosen.parts)
    takes = tuple(key for network in networks for key in registry.spec(network).takes)
    changed = settings.parse(" or ".join(networks), takes, changes)
    _refuse_what_nobody_reads(chosen, changed)
    return [_case(chosen, part, changed, seed, folder, load) for part in chosen.parts]


def _values(
    chosen: Experiment, part: Part, changed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of one part: the experiment's, its own, then the user's."""
    values = DEFAULTS | dict(chosen.settings) | dict(part.settings) | dict(changed)
    if part.by_hand is not None:  # these weights are set for this very network
        values |= dict(part.settings)
    if _from_logits(values):  # sigmoid and softmax are part of the loss
        values["output"] = "identity"
    return values


def _from_logits(values: Mapping[str, Any]) -> bool:
    return values["loss"] in (*INDEX_LOSSES, *BINARY_LOSSES)


def _refuse_what_nobody_reads(chosen: Experiment, changed: Mapping[str, Any]) -> None:
    """Refuse a change that no part's recipe reads: its user would believe a table."""
    unread = []
    for part in chosen.parts:
        values = _values(chosen, part, changed)
        unread.append(settings.unread(values, _from_logits(values)))
    for key in changed:
        if all(key in keys for keys in unread):
            why, cure = unread[0][key]
            raise Refusal("E008", f"'{key}' {why}", f"--set {key}", cure)


def _case(
    chosen: Experiment,
    part: Part,
    changed: Mapping[str, Any],
    seed: int,
    folder: str | None,
    load: Callable[[str], Dataset],
) -> tuple[Case, Part]:
    values = _values(chosen, part, changed)
    network = part.network or chosen.network
    dataset = load(part.dataset)
    _check_loss(values["loss"], dataset)
    sizes, recipe = registry.spec(network).resolve(values, dataset)
    case = Case(
        name=f"{chosen.name}/{part.label}" if part.label else chosen.name,
        network=network,
        sizes=sizes,
        recipe=dict(recipe) | settings.training(values),
        dataset=dataset.name,
        data=folder,
        seeds=(seed,),
        experiment=chosen.name,
        label=part.label,
    )
    return case, part


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


def again(case: Case, seed: int) -> Case:
    """Return the case's training once more, from another seed; nothing else is recorded."""
    return replace(case, name=f"{case.name}, seed {seed}", seeds=(seed,), tiers=())
