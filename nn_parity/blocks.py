"""The building blocks as cases: each is a network of a few layers on the same adapter.

An activation or a normalization stands first, in the middle and last in a stack, so that
its gradient is asked for with and without something above it. A loss is compared with and
without weights, and where logits are saturated. An optimizer is fed 50 recorded gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nn_parity.protocol import Case

Layer = Mapping[str, Any]

PIECEWISE_LINEAR = ("identity", "step", "sign", "relu", "relu(2)", "leaky_relu(0.5)")
SMOOTH = (
    "sigmoid", "sigmoid(2)", "tanh", "tanh(0.5)", "arctan", "leaky_relu(0.1)", "elu(1)",
    "elu(0.5)", "selu", "softplus", "silu", "mish", "gelu", "gelu_tanh", "softmax",
)  # fmt: skip
TRAINED = ("prelu", "logistic")
EXACT_LOSSES = ("squared_error", "half_squared_error", "mse", "hinge", "multiclass_hinge",
                "huber(1)")  # fmt: skip
OTHER_LOSSES = (
    "softmax_cross_entropy", "softmax_cross_entropy_one_hot", "binary_cross_entropy",
    "kl_divergence",
)  # fmt: skip
OPTIMIZERS: dict[str, dict[str, float]] = {
    "sgd": {},
    "momentum": {"mu": 0.9},
    "nesterov": {"mu": 0.9},
    "adagrad": {"eps": 1e-10, "start": 0.1},
    "adadelta": {"rho": 0.9, "eps": 1e-6},
    "rmsprop": {"rho": 0.9, "eps": 1e-8},
    "adam": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "adamw": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.05},
}
BATCH_NORM = {"name": "batch_norm", "eps": 1e-5, "momentum": 0.1}
LAYERS: dict[str, Layer] = {
    "batch_norm-biased": BATCH_NORM | {"unbiased": False},
    "batch_norm-unbiased": BATCH_NORM | {"unbiased": True},
    "layer_norm": {"name": "layer_norm", "eps": 1e-5},
    "dropout": {"name": "dropout"},
}
SGD = {"name": "sgd"}


def dense(units: int, *, bias: bool = True) -> Layer:
    """Return a dense layer."""
    return {"name": "dense", "units": units, "bias": bias}


def stack(layer: Layer) -> tuple[Layer, ...]:
    """Put a block first, in the middle and last, at pairwise different sizes."""
    return (layer, dense(4), layer, dense(3), layer)


def case(
    name: str,
    layers: tuple[Layer, ...],
    *,
    shape: tuple[int, ...] = (5,),
    dataset: str = "random",
    tiers: tuple[str, ...] = ("initial",),
    **recipe: Any,
) -> Case:
    """Return a case of `sequential`; its name begins with the kind of block."""
    defaults = {"loss": "mse", "optimizer": SGD, "batch_size": 3, "lr": 0.1}
    return Case(
        name if dataset == "random" else f"{name}, {dataset}",
        "sequential",
        {"shape": shape},
        defaults | {"layers": layers} | recipe,
        dataset,
        tiers=tiers,
    )


def blocks() -> tuple[Case, ...]:
    """All of them: activations, layers, losses, penalties, optimizers, clipping."""
    return (*_activations(), *_layers(), *_losses(), *_penalties(), *_optimizers())


def network_cases() -> tuple[Case, ...]:
    """Whole small networks of several kinds of layers, trained like any other network."""
    norm = LAYERS["batch_norm-unbiased"]
    mixed = (
        dense(6, bias=False),
        norm,
        {"name": "relu"},
        {"name": "dropout"},
        dense(4),
    )
    pictures = (
        {"name": "shift"}, {"name": "flip"}, {"name": "flatten"}, dense(5),
        LAYERS["layer_norm"], {"name": "silu"}, dense(3),
    )  # fmt: skip
    every = ("initial", "updates", "epochs", "steps")
    ce = "softmax_cross_entropy"
    return (
        case("normalized", mixed, tiers=every, loss=ce, dropout=0.25),
        case("augmented", pictures, shape=(4, 3), tiers=every, loss=ce),
    )


def _activations() -> Iterator[Case]:
    for name in (*PIECEWISE_LINEAR, *SMOOTH, *TRAINED):
        block = {"name": name}
        yield case(f"activation {name}", stack(block))
        if name not in (*TRAINED, "softmax"):  # its gradient is exactly zero there
            yield _saturated(f"activation {name}", (dense(6), block))
    for name in (*PIECEWISE_LINEAR, "prelu"):
        yield _integers(f"activation {name}", stack({"name": name}))


def _layers() -> Iterator[Case]:
    for name, layer in LAYERS.items():
        tiers = ("initial", "steps")
        yield case(f"layer {name}", stack(layer), tiers=tiers, dropout=0.5, lr=0.01)
    for name in ("batch_norm-unbiased", "layer_norm"):
        layers = (LAYERS[name], {"name": "flatten"}, dense(3))
        yield case(f"layer {name} of pictures", layers, shape=(4, 3))
    exact = stack(LAYERS["dropout"])
    yield _integers("layer dropout", exact, dropout=0.5)
    moved = ({"name": "shift"}, {"name": "flip"}, {"name": "flatten"}, dense(3))
    for shape in ((5, 4), (4, 3, 2)):
        name = f"layer shift and flip, {len(shape)} axes"
        yield case(name, moved, shape=shape)
        yield _integers(name, moved, shape=shape)


def _losses() -> Iterator[Case]:
    for name in (*EXACT_LOSSES, *OTHER_LOSSES):
        units = 1 if name in ("hinge", "binary_cross_entropy") else 4
        layers = (dense(units),)
        yield case(f"loss {name}", layers, loss=name)
        yield case(f"loss {name}, weighted", layers, loss=name, weighted=True)
        yield _saturated(f"loss {name}", layers, loss=name)
        if name in EXACT_LOSSES:
            # two inputs: sums so small that some stand exactly at a kink
            yield _integers(f"loss {name}", layers, loss=name, shape=(2,))


def _penalties() -> Iterator[Case]:
    layers = (dense(4), {"name": "tanh"}, dense(3))
    for name, penalty in {
        "l1": {"l1": 0.01},
        "l2": {"l2": 0.01},
        "l1 and l2": {"l1": 0.02, "l2": 0.005},
    }.items():
        tiers = ("initial", "epochs", "steps")
        yield case(f"penalty {name}", layers, penalty=penalty, tiers=tiers)
    exact = (dense(4), {"name": "relu"}, dense(3))  # some weights are exactly zero
    yield _integers("penalty l1 and l2", exact, penalty={"l1": 0.5, "l2": 0.25})


def _optimizers() -> Iterator[Case]:
    for name, hyper in OPTIMIZERS.items():
        yield _optimizer(name, {"name": name} | hyper)
        if name != "adamw":
            decayed = {"name": name, "weight_decay": 0.05} | hyper
            yield _optimizer(f"{name}, weight decay", decayed)
    momentum = {"name": "momentum", "mu": 0.9}
    yield _optimizer("momentum, clipped by value", momentum, clip={"value": 0.5})
    yield _optimizer("momentum, clipped by norm", momentum, clip={"norm": 0.5})


def _optimizer(name: str, optimizer: Mapping[str, Any], **recipe: Any) -> Case:
    layers = (dense(4), {"name": "tanh"}, dense(3))
    lr = 0.5 if optimizer["name"] == "adadelta" else 0.02
    tiers = ("updates", "steps")
    return case(
        f"optimizer {name}", layers, optimizer=optimizer, lr=lr, tiers=tiers, **recipe
    )


def _integers(
    name: str, layers: tuple[Layer, ...], *, loss: str = "squared_error", **of_case: Any
) -> Case:
    """Return a case in whole numbers; mse, the mean over outputs, needs 2^k of them."""
    return case(name, layers, dataset="integers", loss=loss, **of_case)


def _saturated(name: str, layers: tuple[Layer, ...], **recipe: Any) -> Case:
    """Return a case with sums of +-60 and +-800 in its dense layer."""
    return case(name, layers, shape=(6,), dataset="saturated", **recipe)
