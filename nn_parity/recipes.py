"""Experiments by name: a network, data and a recipe, and what a user may change."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nn_parity.batches import BINARY_LOSSES, INDEX_LOSSES
from nn_parity.errors import Refusal
from nn_parity.protocol import Case
from nn_parity.suggest import nearest

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset

ACTIVATIONS = ("identity", "step", "sigmoid", "tanh", "relu")
LOSSES = (
    "softmax_cross_entropy",
    "binary_cross_entropy",
    "mse",
    "squared_error",
    "half_squared_error",
)
LOSS_ALIASES = {
    "ce": "softmax_cross_entropy",
    "cross_entropy": "softmax_cross_entropy",
    "bce": "binary_cross_entropy",
}
INITS = ("zeros", "ones", "normal", "uniform", "glorot_uniform", "he_normal")
OPTIMIZERS = {
    "sgd": (),
    "momentum": ("mu",),
    "adam": ("beta1", "beta2", "eps"),
}


@dataclass(frozen=True)
class Part:
    """One training of an experiment: a data set, and settings that differ."""

    dataset: str
    label: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    by_hand: Mapping[str, Any] | None = None  # weights that nobody trains


@dataclass(frozen=True)
class Experiment:
    """A network, data and a recipe under one name."""

    name: str
    network: str
    about: str
    settings: Mapping[str, Any]
    parts: tuple[Part, ...]


_DEFAULTS: dict[str, Any] = {
    "optimizer": "sgd",
    "mu": 0.9,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "init": "glorot_uniform",
    "shuffle": False,
    "hidden": (),
    "activation": "sigmoid",
}


def _experiment(
    name: str, network: str, about: str, parts: Any, **settings: Any
) -> Experiment:
    if isinstance(parts, str):
        parts = (Part(parts),)
    return Experiment(name, network, about, _DEFAULTS | settings, tuple(parts))


_GATES_BY_HAND = {  # it fires when enough inputs are on
    "or": {"W": [[1.0], [1.0]], "b": [-0.5]},
    "and": {"W": [[1.0], [1.0]], "b": [-1.5]},
}

EXPERIMENTS: dict[str, Experiment] = {
    e.name: e
    for e in (
        _experiment(
            "digits",
            "mlp",
            "handwritten digits, 784-16-16-10 as the courses draw it",
            "digits",
            hidden=(16, 16),
            loss="softmax_cross_entropy",
            lr=0.5,
            batch_size=32,
            epochs=40,
            shuffle=True,
        ),
        _experiment(
            "mnist",
            "mlp",
            "the same network on the 60,000 images of MNIST",
            "mnist",
            hidden=(16, 16),
            loss="softmax_cross_entropy",
            lr=0.5,
            batch_size=32,
            epochs=3,
            shuffle=True,
        ),
        _experiment(
            "mnist-relu",
            "mlp",
            "MNIST with ReLU and Adam instead of sigmoid and gradient descent",
            "mnist",
            hidden=(16, 16),
            activation="relu",
            loss="softmax_cross_entropy",
            optimizer="adam",
            lr=0.001,
            batch_size=64,
            epochs=8,
            shuffle=True,
        ),
        _experiment(
            "digits-rows",
            "lstm",
            "a digit read row by row, from the top, by an LSTM",
            "digits-8x8",
            hidden=32,
            loss="softmax_cross_entropy",
            optimizer="adam",
            lr=0.01,
            batch_size=32,
            epochs=15,
            shuffle=True,
        ),
        _experiment(
            "binary-blitz",
            "neuron",
            "three bits in, the first bit out; then asked for 100",
            "binary-blitz",
            loss="squared_error",
            lr=0.5,
            batch_size=1,
            epochs=1000,
        ),
        _experiment(
            "logic-gates",
            "neuron",
            "OR and AND by one neuron, by hand and learned; XOR shown to fail",
            (
                *(
                    Part(
                        gate,
                        f"{gate}-by-hand",
                        {"activation": "step", "epochs": 0},
                        weights,
                    )
                    for gate, weights in _GATES_BY_HAND.items()
                ),
                *(Part(gate, gate) for gate in ("or", "and", "xor")),
            ),
            loss="squared_error",
            lr=0.5,
            batch_size=1,
            epochs=1000,
        ),
        _experiment(
            "xor",
            "mlp",
            "exclusive or by two hidden neurons, 2-2-1",
            "xor",
            hidden=(2,),
            activation="tanh",
            output="sigmoid",
            loss="squared_error",
            lr=0.5,
            batch_size=1,
            epochs=1000,
        ),
        _experiment(
            "hiring",
            "mlp",
            "whom to hire: two scores in, one probability out, 2-2-1",
            "hiring",
            hidden=(2,),
            output="sigmoid",
            loss="squared_error",
            lr=0.1,
            batch_size=1,
            epochs=1000,
        ),
        _experiment(
            "learning-neuron",
            "neuron",
            "w += lr * delta * x learns f(x) = x and f(x) = -x",
            (Part("identity-line", "x"), Part("negation-line", "minus-x")),
            activation="identity",
            loss="half_squared_error",
            lr=0.1,
            batch_size=1,
            epochs=50,
        ),
    )
}
DEFAULT = "digits"


def experiment(name: str) -> Experiment:
    """Return an experiment; `Refusal` E004 with a suggestion if there is none."""
    if name not in EXPERIMENTS:
        raise Refusal(
            "E004",
            f"no experiment '{name}'",
            f"experiments are {', '.join(EXPERIMENTS)}",
            nearest(name, EXPERIMENTS) or "see nn-parity list",
        )
    return EXPERIMENTS[name]


def cases(
    experiment: Experiment,
    load: Callable[[str], Dataset],
    *,
    changes: Mapping[str, Any],
    seed: int,
    data: str | None,
) -> list[tuple[Case, Part]]:
    """Resolve an experiment: one case for each part, sizes taken from the data.

    Parameters
    ----------
    load : callable
        Data set name -> `Dataset`; the parts' own names unless ``data`` replaces them.
    changes : mapping
        What the user set, already validated by `parse_settings`.
    data : str, optional
        Folder of an idx data set that takes the place of the experiment's own.
    """
    resolved = []
    for part in experiment.parts:
        settings = dict(experiment.settings) | dict(part.settings) | dict(changes)
        _without_effect(experiment, settings, changes)
        if part.by_hand is not None:  # these weights are set for this very neuron
            settings |= dict(part.settings)
        dataset = load(part.dataset)
        case = Case(
            name=f"{experiment.name}/{part.label}" if part.label else experiment.name,
            network=experiment.network,
            sizes=_sizes(experiment, settings, dataset),
            recipe=_recipe(experiment, settings, dataset),
            dataset=dataset.name,
            data=data,
            seeds=(seed,),
            experiment=experiment.name,
            label=part.label,
        )
        resolved.append((case, part))
    return resolved


def _without_effect(
    experiment: Experiment, settings: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    """Refuse a setting that this recipe never reads: its user would believe a table."""
    optimizer, loss = settings["optimizer"], settings["loss"]
    for name, keys in OPTIMIZERS.items():
        for key in keys:
            if key in changes and key not in OPTIMIZERS[optimizer]:
                raise Refusal(
                    "E008",
                    f"'{key}' has no effect with {optimizer}",
                    f"--set {key}",
                    f"add --set optimizer={name}",
                )
    if "output" in changes and loss in (*INDEX_LOSSES, *BINARY_LOSSES):
        raise Refusal(
            "E008",
            f"'output' has no effect with {loss}, which takes logits",
            "--set output",
            "leave it out or choose another loss",
        )


def chosen_part(
    cases: list[tuple[Case, Part]], label: str | None = None
) -> tuple[Case, Part]:
    """Return the part that a user means: the one named, else the first that is trained."""
    for case, part in cases:
        if label == case.label or (label is None and part.by_hand is None):
            return case, part
    labels = ", ".join(case.label for case, _ in cases)
    raise Refusal("E019", f"no part '{label}'", f"parts are {labels}", "name one")


def _sizes(
    experiment: Experiment, settings: dict[str, Any], data: Dataset
) -> dict[str, Any]:
    shape = data.x_train.shape[1:]
    K = data.classes or 1
    if experiment.network == "neuron":
        return {"D": math.prod(shape)}
    if experiment.network == "lstm":
        rows = shape if len(shape) == 2 else data.image_shape
        if rows is None:
            raise Refusal(
                "E008",
                f"'{data.name}' has no rows to read one after the other",
                f"experiment {experiment.name}",
                "use a data set of pictures",
            )
        return {"T": rows[0], "D": rows[1], "H": settings["hidden"], "K": K}
    return {"D": math.prod(shape), "H": settings["hidden"], "K": K}


def _recipe(
    experiment: Experiment, settings: dict[str, Any], data: Dataset
) -> dict[str, Any]:
    loss = settings["loss"]
    if (loss in INDEX_LOSSES) != (data.classes is not None):
        kind = f"{data.classes} classes" if data.classes else "numbers, not classes"
        fitting = [n for n in LOSSES if (n in INDEX_LOSSES) == bool(data.classes)]
        raise Refusal(
            "E008",
            f"loss '{loss}' does not fit the targets of '{data.name}' ({kind})",
            "--set loss",
            f"use {' or '.join(fitting)}",
        )
    from_logits = loss in (*INDEX_LOSSES, *BINARY_LOSSES)
    recipe: dict[str, Any] = {
        "loss": loss,
        "optimizer": {"name": settings["optimizer"]}
        | {key: settings[key] for key in OPTIMIZERS[settings["optimizer"]]},
    }
    if experiment.network != "lstm":
        hidden = settings["hidden"] if experiment.network == "mlp" else ()
        output = settings.get("output", settings["activation"])
        if from_logits:  # sigmoid and softmax are part of the loss
            output = "identity"
        recipe["activations"] = (*[settings["activation"]] * len(hidden), output)
        recipe["init"] = settings["init"]
    for key in ("lr", "batch_size", "epochs", "shuffle"):
        recipe[key] = settings[key]
    return recipe


# -- what a user may set ---------------------------------------------------------------


def _integer(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError
        return value

    return convert


def _number(low: float, high: float = math.inf) -> Callable[[str], float]:
    def convert(text: str) -> float:
        value = float(text)
        if not low <= value < high:
            raise ValueError
        return value

    return convert


def _one_of(
    known: Any, aliases: Mapping[str, str] | None = None
) -> Callable[[str], str]:
    def convert(text: str) -> str:
        value = (aliases or {}).get(text, text)
        if value not in known:
            raise ValueError
        return value

    return convert


def _layers(text: str) -> tuple[int, ...]:
    return tuple(
        _integer(1)(part) for part in text.replace("x", ",").split(",") if part
    )


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]


_KEYS: dict[str, tuple[Callable[[str], Any], str]] = {
    "hidden": (_layers, "units of each hidden layer, such as 16,16"),
    "activation": (_one_of(ACTIVATIONS), f"one of {', '.join(ACTIVATIONS)}"),
    "output": (_one_of(ACTIVATIONS), f"one of {', '.join(ACTIVATIONS)}"),
    "loss": (_one_of(LOSSES, LOSS_ALIASES), f"one of {', '.join(LOSSES)}"),
    "optimizer": (_one_of(OPTIMIZERS), f"one of {', '.join(OPTIMIZERS)}"),
    "init": (_one_of(INITS), f"one of {', '.join(INITS)}"),
    "lr": (_number(0), "a number from 0"),
    "mu": (_number(0, 1), "a number from 0 to below 1"),
    "beta1": (_number(0, 1), "a number from 0 to below 1"),
    "beta2": (_number(0, 1), "a number from 0 to below 1"),
    "eps": (_number(0), "a number from 0"),
    "batch_size": (_integer(1), "a whole number from 1"),
    "epochs": (_integer(0), "a whole number from 0"),
    "shuffle": (_truth, "true or false"),
}
_WITHOUT = {
    "neuron": ("hidden", "output"),
    "mlp": (),
    "lstm": ("activation", "output", "init"),
}
_ALIASES = {"batch": "batch_size", "batch-size": "batch_size"}


def settable(network: str) -> dict[str, str]:
    """Return the keys of `--set` for a network, with what each takes."""
    return {k: says for k, (_, says) in _KEYS.items() if k not in _WITHOUT[network]}


def parse_settings(network: str, pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Validate what the user set; `Refusal` E005 or E006 names the key and the cure."""
    parsed = {}
    for given, value in pairs.items():
        key = _ALIASES.get(given, given)
        keys = settable(network)
        if key not in keys:
            raise Refusal(
                "E005",
                f"cannot set '{given}' for {network}",
                f"--set takes {', '.join(keys)}",
                nearest(key, keys) or "see nn-parity compare --help",
            )
        convert, says = _KEYS[key]
        text = (
            ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
        )
        try:
            parsed[key] = convert(text)
        except (ValueError, KeyError):
            raise Refusal(
                "E006", f"'{value}' is no value for '{given}'", "--set", f"give {says}"
            ) from None
    if network == "lstm" and "hidden" in parsed:
        if len(parsed["hidden"]) != 1:
            raise Refusal(
                "E006", "an LSTM has one hidden layer", "--set hidden", "give one"
            )
        parsed["hidden"] = parsed["hidden"][0]
    return parsed


def with_weights(case: Case, path: str) -> Case:
    """Return the case, starting from a weight file."""
    return replace(case, weights=path, given=True)
