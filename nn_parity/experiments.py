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
    network: str = ""  # where it is not the experiment's


@dataclass(frozen=True)
class Experiment:
    """A network, data and a recipe under one name."""

    name: str
    network: str
    about: str
    settings: Mapping[str, Any]
    parts: tuple[Part, ...]


DEFAULTS: dict[str, Any] = {
    "optimizer": "sgd",
    "init": "glorot_uniform",
    "shuffle": False,
    "hidden": (),
    "activation": "sigmoid",
    "norm": "none",
    "dropout": 0.0,
    "augment": "none",
    "tied": False,
    "heads": 1,
    "blocks": 1,
}


def _experiment(
    name: str, network: str, about: str, parts: Any, **settings: Any
) -> Experiment:
    if isinstance(parts, str):
        parts = (Part(parts),)
    return Experiment(name, network, about, settings, tuple(parts))


_GATES_BY_HAND = {  # it fires when enough inputs are on
    "or": {"W": [[1.0], [1.0]], "b": [-0.5]},
    "and": {"W": [[1.0], [1.0]], "b": [-1.5]},
}

_STARTS = {
    name: {"init": name}
    for name in ("zeros", "normal", "glorot_uniform", "he_normal", "orthogonal")
}
_UNITS = {
    name: {"activation": name}
    for name in (
        "identity", "sigmoid", "tanh", "relu", "leaky_relu(0.01)", "elu(1)", "selu",
        "softplus", "silu", "mish", "gelu",
    )
}  # fmt: skip
_OPTIMIZERS = {
    "gradient-descent": {"optimizer": "sgd", "lr": 0.5, "batch_size": 200},
    "sgd": {"optimizer": "sgd", "lr": 0.5},
    "momentum": {"optimizer": "momentum", "lr": 0.05},
    "nesterov": {"optimizer": "nesterov", "lr": 0.05},
    "adagrad": {"optimizer": "adagrad", "lr": 0.05, "start": 0.1},
    "adadelta": {"optimizer": "adadelta", "lr": 1.0},
    "rmsprop": {"optimizer": "rmsprop", "lr": 0.003},
    "adam": {"optimizer": "adam", "lr": 0.005},
    "adamw": {"optimizer": "adamw", "lr": 0.005, "weight_decay": 0.01},
}
_RATES = {  # the steepest direction has a second derivative of about 1: 2 is the limit
    "too-small": {"lr": 0.02},
    "right": {"lr": 1.0},
    "too-large": {"lr": 2.1},
}
_AGAINST_OVERFITTING: dict[str, dict[str, Any]] = {
    "nothing": {},
    "l1": {"l1": 0.0005},
    "l2": {"l2": 0.002},
    "dropout": {"dropout": 0.5},
    "batch-norm": {"norm": "batch"},
    "augmentation": {"augment": "shift"},
    "early-stopping": {"patience": 5},
}


def _vary(
    name: str,
    about: str,
    what: str,
    parts: Mapping[str, Mapping[str, Any]],
    data: str = "digits",
    **settings: Any,
) -> Experiment:
    """Make the experiment `digits` several times, with one thing varied."""
    digits = {
        "hidden": (16, 16),
        "loss": "softmax_cross_entropy",
        "lr": 0.5,
        "batch_size": 32,
        "shuffle": True,
    }
    labelled = tuple(Part(data, *part) for part in parts.items())
    settings = digits | settings
    return Experiment(name, "mlp", f"{what} varied: {about}", settings, labelled)


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
            "digits-lenet",
            "lenet",
            "handwritten digits, each moved a little every time, and convolutions",
            "digits",
            activation="tanh",
            loss="softmax_cross_entropy",
            optimizer="momentum",
            lr=0.03,
            schedule="cosine(0.01)",
            batch_size=32,
            epochs=12,
            shuffle=True,
            augment="shift",
        ),
        _experiment(
            "mnist-lenet",
            "lenet",
            "LeNet-5 on the data it was made for, the 60,000 images of MNIST",
            "mnist",
            activation="tanh",
            loss="softmax_cross_entropy",
            optimizer="momentum",
            lr=0.06,
            schedule="cosine(0.01)",
            batch_size=64,
            epochs=2,
            shuffle=True,
        ),
        _experiment(
            "digits-rows",
            "lstm",
            "a digit read row by row, from the top",
            (
                Part("digits-8x8", "lstm"),
                Part(
                    "digits-8x8",
                    "rnn",
                    {"lr": 0.005, "activation": "tanh"},
                    network="rnn",
                ),
                Part("digits-8x8", "gru", network="gru"),
                Part(
                    "digits-8x8",
                    "transformer",
                    {
                        "lr": 0.005,
                        "schedule": "cosine(0.01)",
                        "heads": 2,
                        "activation": "gelu_tanh",
                    },
                    network="transformer",
                ),
            ),
            hidden=(32,),
            loss="softmax_cross_entropy",
            optimizer="adam",
            lr=0.01,
            batch_size=32,
            epochs=15,
            shuffle=True,
        ),
        _experiment(
            "characters",
            "transformer",
            "a page of English read letter by letter: which letter comes next?",
            "characters",
            hidden=(32,),
            heads=2,
            activation="relu",
            loss="softmax_cross_entropy",
            optimizer="momentum",
            lr=0.2,
            batch_size=32,
            epochs=8,
            shuffle=True,
        ),
        _experiment(
            "adding",
            "rnn",
            "two marked numbers kept and added: over 20 steps, and over 50 by an LSTM alone",
            (
                Part(
                    "adding",
                    "20-steps",
                    {
                        "activation": "relu",
                        "lr": 0.001,
                        "batch_size": 500,
                        "epochs": 60,
                    },
                ),
                Part("adding-50", "50-steps"),
                Part("adding-50", "50-steps-lstm", network="lstm"),
            ),
            hidden=(32,),
            activation="tanh",
            loss="mse",
            optimizer="adam",
            clip_norm=1.0,
            lr=0.02,
            schedule="cosine(0.01)",
            batch_size=200,
            epochs=28,
            shuffle=True,
        ),
        _experiment(
            "reverse",
            "seq2seq",
            "eight digits read by one LSTM and written backwards by another",
            "reverse",
            hidden=(128,),
            embedding=16,
            loss="softmax_cross_entropy",
            optimizer="adam",
            lr=0.01,
            schedule="cosine(0.01)",
            batch_size=128,
            epochs=10,
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
        _experiment(
            "feature-cross",
            "neuron",
            "x1 x2 > 0: no line splits it; a product as input does, or a hidden layer",
            (
                Part("feature-cross", "line"),
                Part("feature-crossed", "product-given"),
                Part("feature-cross", "hidden-layer", {"hidden": (8,)}, network="mlp"),
            ),
            activation="tanh",
            loss="binary_cross_entropy",
            optimizer="adam",
            lr=0.03,
            batch_size=20,
            epochs=100,
            shuffle=True,
        ),
        _experiment(
            "spiral",
            "mlp",
            "two arms wound around each other, told apart by two hidden layers",
            (
                Part("spiral", "line", {"hidden": ()}),
                Part("spiral", "2-16-16-1", {"hidden": (16, 16)}),
            ),
            activation="tanh",
            loss="binary_cross_entropy",
            optimizer="adam",
            lr=0.02,
            batch_size=20,
            epochs=200,
            shuffle=True,
        ),
        _experiment(
            "sine",
            "mlp",
            "a sine put together from tanh units: one, two or eight of them",
            tuple(
                Part("sine", f"{units}-unit{'s' * (units > 1)}", {"hidden": (units,)})
                for units in (1, 2, 8)
            ),
            activation="tanh",
            output="identity",
            loss="mse",
            optimizer="adam",
            lr=0.05,
            batch_size=16,
            epochs=300,
            shuffle=True,
        ),
        _experiment(
            "compression",
            "mlp",
            "three linear layers are one: the same decisions from their product",
            (
                Part("digits", "three-layers", {"hidden": (16, 16)}),
                Part("digits", "one-layer", {"hidden": ()}),
            ),
            activation="identity",
            loss="softmax_cross_entropy",
            lr=0.05,
            batch_size=32,
            epochs=20,
            shuffle=True,
        ),
        _vary("initialization", "how the weights start", "init", _STARTS, epochs=20),
        _vary(
            "activations",
            "what the hidden units compute",
            "activation",
            _UNITS,
            lr=0.1,
            epochs=20,
        ),
        _vary(
            "optimizers",
            "how the weights move",
            "optimizer",
            _OPTIMIZERS,
            data="digits-few",
            epochs=60,
            batch_size=20,
        ),
        _experiment(
            "learning-rate",
            "neuron",
            "a line laid through a sine in steps too small, right and too large",
            tuple(Part("sine", *part) for part in _RATES.items()),
            activation="identity",
            init="normal",
            loss="half_squared_error",
            batch_size=80,
            epochs=30,
        ),
        _experiment(
            "overfitting",
            "sequential",
            "200 digits learned by heart, and six ways against it",
            tuple(Part("digits-few", *part) for part in _AGAINST_OVERFITTING.items()),
            hidden=(64,),
            activation="relu",
            loss="softmax_cross_entropy",
            optimizer="adam",
            lr=0.003,
            batch_size=20,
            epochs=60,
            shuffle=True,
            watch=True,
        ),
        _experiment(
            "digits-columns",
            "hybrid",
            "pictures read column by column, each described by convolution features",
            "digits",
            hidden=(32,),
            activation="tanh",
            loss="softmax_cross_entropy",
            optimizer="momentum",
            lr=0.015,
            batch_size=32,
            epochs=12,
            shuffle=True,
        ),
        _experiment(
            "digits-autoencoder",
            "autoencoder",
            "pictures squeezed through a narrow code and drawn again from it",
            (
                Part("digits-pictures", "untied"),
                Part("digits-pictures", "tied", {"tied": True}),
                Part("digits-pictures", "code-of-8", {"hidden": (128, 8)}),
            ),
            hidden=(128, 32),
            activation="relu",
            output="sigmoid",
            loss="squared_error",
            optimizer="momentum",
            lr=0.007,
            schedule="warmup(3)",
            batch_size=16,
            epochs=12,
            shuffle=True,
        ),
        _experiment(
            "jacobians",
            "jacobians",
            "scalar, vector and matrix differentiated by each other: nine shapes",
            "point-pairs",
            hidden=(4,),
            loss="squared_error",
            lr=0.05,
            batch_size=5,
            epochs=400,
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
