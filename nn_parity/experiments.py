"""The experiments by name: a network, data and a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nn_parity.errors import Refusal
from nn_parity.suggest import nearest


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
            hidden=(32,),
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
