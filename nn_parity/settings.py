"""What a user may set: every key of `--set`, what it takes and what it defaults to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from nn_parity.errors import Refusal
from nn_parity.suggest import nearest

Convert = Callable[[str], Any]

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
# what each takes, and the value where the user gives none
OPTIMIZERS: dict[str, dict[str, float]] = {
    "sgd": {},
    "momentum": {"mu": 0.9},
    "adam": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
}


def optimizer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe of an optimizer: its name and every hyper-parameter."""
    name = settings["optimizer"]
    own = {key: settings.get(key, given) for key, given in OPTIMIZERS[name].items()}
    return {"name": name} | own


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


def _layers(text: str) -> tuple[int, ...]:
    return tuple(
        _integer(1)(part) for part in text.replace("x", ",").split(",") if part
    )


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]


_FRACTION = "a number from 0 to below 1"
_KEYS: dict[str, tuple[Convert, str]] = {
    "hidden": (_layers, "units of each hidden layer, such as 16,16"),
    "activation": (_one_of(ACTIVATIONS), f"one of {', '.join(ACTIVATIONS)}"),
    "output": (_one_of(ACTIVATIONS), f"one of {', '.join(ACTIVATIONS)}"),
    "init": (_one_of(INITS), f"one of {', '.join(INITS)}"),
    "loss": (_one_of(LOSSES, LOSS_ALIASES), f"one of {', '.join(LOSSES)}"),
    "optimizer": (_one_of(OPTIMIZERS), f"one of {', '.join(OPTIMIZERS)}"),
    "lr": (_number(0), "a number from 0"),
    "mu": (_number(0, 1), _FRACTION),
    "beta1": (_number(0, 1), _FRACTION),
    "beta2": (_number(0, 1), _FRACTION),
    "eps": (_number(0), "a number from 0"),
    "batch_size": (_integer(1), "a whole number from 1"),
    "epochs": (_integer(0), "a whole number from 0"),
    "shuffle": (_truth, "true or false"),
}
OF_SOME_NETWORKS = ("hidden", "activation", "output", "init")
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


def without_effect(
    settings: Mapping[str, Any], changes: Mapping[str, Any], from_logits: bool
) -> None:
    """Refuse a change that the recipe never reads: its user would believe a table."""
    chosen = settings["optimizer"]
    for name, keys in OPTIMIZERS.items():
        for key in keys:
            if key in changes and key not in OPTIMIZERS[chosen]:
                raise Refusal(
                    "E008",
                    f"'{key}' has no effect with {chosen}",
                    f"--set {key}",
                    f"add --set optimizer={name}",
                )
    if "output" in changes and from_logits:
        raise Refusal(
            "E008",
            f"'output' has no effect with {settings['loss']}, which takes logits",
            "--set output",
            "leave it out or choose another loss",
        )
