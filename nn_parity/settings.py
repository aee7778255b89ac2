"""What a user may set: every key of `--set`, what it takes and what it defaults to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from nn_parity import schedules
from nn_parity.errors import Refusal
from nn_parity.suggest import nearest

Convert = Callable[[str], Any]

ACTIVATIONS = (
    "identity", "step", "sign", "sigmoid", "tanh", "relu", "arctan", "leaky_relu(0.01)",
    "elu(1)", "selu", "softplus", "silu", "mish", "gelu", "gelu_tanh",
)  # fmt: skip
SLOPED = ("sigmoid", "tanh", "relu", "leaky_relu", "elu")  # take another number, too
LOSSES = (
    "softmax_cross_entropy",
    "multiclass_hinge",
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
INITS = (
    "zeros", "ones", "normal", "uniform", "glorot_uniform", "glorot_normal", "he_uniform",
    "he_normal", "lecun_normal", "orthogonal",
)  # fmt: skip
# what each takes, and the value where the user gives none
OPTIMIZERS: dict[str, dict[str, float]] = {
    "sgd": {},
    "momentum": {"mu": 0.9},
    "nesterov": {"mu": 0.9},
    "adagrad": {"eps": 1e-10, "start": 0.0},
    "adadelta": {"rho": 0.9, "eps": 1e-6},
    "rmsprop": {"rho": 0.9, "eps": 1e-8},
    "adam": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "adamw": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
}


def optimizer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe of an optimizer: its name and every hyper-parameter."""
    name = settings["optimizer"]
    own = {key: settings.get(key, given) for key, given in OPTIMIZERS[name].items()}
    if settings.get("weight_decay"):
        own["weight_decay"] = settings["weight_decay"]
    return {"name": name} | own


def training(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a recipe that every network shares: how it is trained."""
    recipe = {"loss": settings["loss"], "optimizer": optimizer(settings)}
    for key, limit in (("clip_value", "value"), ("clip_norm", "norm")):
        if key in settings:
            recipe["clip"] = {limit: settings[key]}
    if penalty := {key: settings[key] for key in ("l1", "l2") if settings.get(key)}:
        recipe["penalty"] = penalty
    for key in ("schedule", "patience", "watch"):
        if key in settings:
            recipe[key] = settings[key]
    always = ("lr", "batch_size", "epochs", "shuffle")
    return recipe | {key: settings[key] for key in always}


def _integer(least: int) -> Convert:
    def convert(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError
        return value

    return convert


def _number(low: float, high: float = math.inf) -> Convert:
    def convert(text: str) -> float:
        value = float(text)
        if not low <= value < high:
            raise ValueError
        return value

    return convert


def _one_of(known: Any, aliases: Mapping[str, str] | None = None) -> Convert:
    def convert(text: str) -> str:
        value = (aliases or {}).get(text, text)
        if value not in known:
            raise ValueError
        return value

    return convert


def _activation(text: str) -> str:
    name, _, setting = text.replace(" ", "").partition("(")
    if text not in ACTIVATIONS:
        if name not in SLOPED or not setting.endswith(")"):
            raise ValueError
        _number(0)(setting[:-1])
    return text


def _schedule(text: str) -> str:
    schedules.parse(text)
    return text


def _augment(text: str) -> str:
    if text != "none" and not set(text.split("+")) <= {"shift", "flip"}:
        raise ValueError
    return text


def _layers(text: str) -> tuple[int, ...]:
    return tuple(
        _integer(1)(part) for part in text.replace("x", ",").split(",") if part
    )


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]


NORMS = ("none", "batch", "layer")
_FRACTION = "a number from 0 to below 1"
_KEYS: dict[str, tuple[Convert, str]] = {
    "hidden": (_layers, "units of each hidden layer, such as 16,16"),
    "heads": (_integer(1), "a whole number from 1"),
    "blocks": (_integer(1), "a whole number from 1"),
    "activation": (_activation, f"one of {', '.join(ACTIVATIONS)}"),
    "output": (_activation, f"one of {', '.join(ACTIVATIONS)}"),
    "init": (_one_of(INITS), f"one of {', '.join(INITS)}"),
    "loss": (_one_of(LOSSES, LOSS_ALIASES), f"one of {', '.join(LOSSES)}"),
    "optimizer": (_one_of(OPTIMIZERS), f"one of {', '.join(OPTIMIZERS)}"),
    "lr": (_number(0), "a number from 0"),
    "mu": (_number(0, 1), _FRACTION),
    "beta1": (_number(0, 1), _FRACTION),
    "beta2": (_number(0, 1), _FRACTION),
    "rho": (_number(0, 1), _FRACTION),
    "eps": (_number(0), "a number from 0"),
    "start": (_number(0), "a number from 0"),
    "weight_decay": (_number(0), "a number from 0"),
    "clip_value": (_number(1e-30), "a number above 0"),
    "clip_norm": (_number(1e-30), "a number above 0"),
    "l1": (_number(0), "a number from 0"),
    "l2": (_number(0), "a number from 0"),
    "schedule": (
        _schedule,
        "step(epochs,factor), exponential(factor), cosine(floor) or warmup(epochs)",
    ),
    "patience": (_integer(1), "a whole number of epochs from 1"),
    "norm": (_one_of(NORMS), f"one of {', '.join(NORMS)}"),
    "dropout": (_number(0, 1), _FRACTION),
    "augment": (_augment, "none, shift, flip or shift+flip"),
    "tied": (_truth, "true or false"),
    "embedding": (_integer(1), "a whole number from 1"),
    "batch_size": (_integer(1), "a whole number from 1"),
    "epochs": (_integer(0), "a whole number from 0"),
    "shuffle": (_truth, "true or false"),
}
OF_SOME_NETWORKS = (
    "hidden", "activation", "output", "init", "norm", "dropout", "augment", "tied",
    "heads", "blocks", "embedding",
)  # fmt: skip
_ALIASES = {"batch": "batch_size", "batch-size": "batch_size"}


def settable(takes: tuple[str, ...]) -> dict[str, str]:
    """Return the keys for a network that takes these of its own, and what each takes."""
    return {
        key: says
        for key, (_, says) in _KEYS.items()
        if key in takes or key not in OF_SOME_NETWORKS
    }


def parse(
    network: str, takes: tuple[str, ...], pairs: Mapping[str, Any]
) -> dict[str, Any]:
    """Validate what the user set; `Refusal` E005 or E006 names the key and the cure."""
    parsed = {}
    keys = settable(takes)
    for given, value in pairs.items():
        key = _ALIASES.get(given, given)
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
    return parsed


def unread(
    settings: Mapping[str, Any], from_logits: bool
) -> dict[str, tuple[str, str]]:
    """Return keys that a recipe with these settings never reads, why, and the cure."""
    chosen, loss = settings["optimizer"], settings["loss"]
    found: dict[str, tuple[str, str]] = {}
    for name, keys in OPTIMIZERS.items():
        for key in keys.keys() - OPTIMIZERS[chosen].keys() - {"weight_decay"}:
            cure = f"add --set optimizer={name}"
            found.setdefault(key, (f"has no effect with {chosen}", cure))
    if from_logits:
        why = f"has no effect with {loss}, which takes logits"
        found["output"] = (why, "leave it out or choose another loss")
    if "clip_norm" in settings:
        found["clip_value"] = ("and 'clip_norm' exclude each other", "choose one")
    return found
