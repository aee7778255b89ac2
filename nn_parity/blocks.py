"""The building blocks as cases: each is a network of a few layers on the same adapter.

An activation or a normalization stands first, in the middle and last in a stack, so that
its gradient is asked for with and without something above it. A loss is compared with and
without weights, and where logits are saturated. An optimizer is fed 50 recorded gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nn_parity.protocol import FIRST, MOMENTS, Case

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


def conv(channels: int, kernel: tuple[int, int], stride: int, padding: str) -> Layer:
    """Return a convolution; one without padding has a bias."""
    settings = {"kernel": kernel, "stride": stride, "padding": padding}
    return {"name": "conv", "channels": channels, "bias": padding == "valid"} | settings


def pool(name: str, size: tuple[int, int], stride: int, padding: str) -> Layer:
    """Return a pool."""
    return {"name": name, "size": size, "stride": stride, "padding": padding}


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
    defaults = {"loss": "mse", "optimizer": SGD, "batch_size": 8, "lr": 0.1}
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
    layers = (*_layers(), *_pictures())
    return (*_activations(), *layers, *_losses(), *_penalties(), *_optimizers())


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
    ce, first, more = "softmax_cross_entropy", FIRST, ("initial", "epochs", *MOMENTS)
    return (  # of seven, the last batch keeps two: a batch norm needs them
        case("normalized", mixed, tiers=more, loss=ce, dropout=0.25, batch_size=7),
        case("augmented", pictures, shape=(4, 3), tiers=first, loss=ce, batch_size=3),
    )


def _activations() -> Iterator[Case]:
    """Cases that differ only in their data follow each other: they share an adapter."""
    for name in (*PIECEWISE_LINEAR, *SMOOTH, *TRAINED):
        layers, loss = stack({"name": name}), "squared_error"
        yield case(f"activation {name}", layers, loss=loss)
        if name not in (*TRAINED, "softmax"):  # its gradient is exactly zero there
            yield _saturated(f"activation {name}", layers, loss=loss)
        if name in (*PIECEWISE_LINEAR, "prelu"):
            yield _integers(f"activation {name}", layers)


def _layers() -> Iterator[Case]:
    tiers: tuple[str, ...] = ("initial", "one", "steps")
    settings: dict[str, Any] = {"dropout": 0.5, "lr": 0.003}
    for name, layer in LAYERS.items():
        yield case(f"layer {name}", stack(layer), tiers=tiers, **settings)
    yield _integers("layer dropout", stack(LAYERS["dropout"]), **settings)
    for name in ("batch_norm-unbiased", "layer_norm"):
        layers = (LAYERS[name], {"name": "flatten"}, dense(3))
        yield case(f"layer {name} of pictures", layers, shape=(4, 3))
    moved = ({"name": "shift"}, {"name": "flip"}, {"name": "flatten"}, dense(3))
    tiers = ("initial", "one")
    for shape in ((5, 4), (4, 3, 2)):
        name = f"layer shift and flip, {len(shape)} axes"
        yield case(name, moved, shape=shape, tiers=tiers)
        yield _integers(name, moved, shape=shape)


def _pictures() -> Iterator[Case]:
    """Convolutions and pools: odd sizes, windows that overlap and windows with gaps."""
    flat: tuple[Layer, ...] = ({"name": "flatten"}, dense(3))
    for name, shape, first, second in (
        ("valid", (7, 6, 2), conv(3, (3, 2), 1, "valid"), conv(4, (2, 3), 1, "valid")),
        ("same", (5, 6, 1), conv(3, (3, 2), 1, "same"), conv(2, (2, 5), 1, "same")),
        (
            "stride 2",
            (9, 8, 2),
            conv(3, (3, 2), 2, "valid"),
            conv(4, (2, 2), 2, "same"),
        ),
        ("gaps", (8, 7, 3), conv(2, (2, 3), 3, "same"), conv(4, (1, 1), 2, "valid")),
    ):
        layers = (first, {"name": "tanh"}, second, *flat)
        yield case(f"layer conv, {name}", layers, shape=shape)
    for kind in ("max_pool", "avg_pool"):
        for size, stride, padding in (((3, 2), 1, "valid"), ((2, 3), 2, "same")):
            block = pool(kind, size, stride, padding)
            yield case(f"layer {kind}, {padding}", (block, *flat), shape=(7, 5, 2))
    on: Layer = {"name": "relu"}
    moved = (conv(3, (3, 2), 1, "valid"), on, pool("max_pool", (2, 2), 2, "valid"))
    yield _integers("layer conv", (*moved, *flat), shape=(7, 6, 2))
    moved = (conv(3, (2, 3), 2, "same"), on, pool("max_pool", (3, 2), 1, "same"))
    yield _integers("layer max_pool", (*moved, *flat), shape=(7, 9, 2))
    halves = pool("avg_pool", (2, 2), 2, "same")  # means of 1, 2 and 4 pixels
    yield _integers("layer avg_pool", (halves, *flat), shape=(5, 3, 2))


def _losses() -> Iterator[Case]:
    tiers = ("initial", "one")
    for loss in (*EXACT_LOSSES, *OTHER_LOSSES):
        name, shape = f"loss {loss}", (6,)
        units = 1 if loss in ("hinge", "binary_cross_entropy") else 4
        layers = (dense(units),)
        yield case(name, layers, loss=loss, shape=shape, tiers=tiers)
        yield _saturated(name, layers, loss=loss, shape=shape)
        if loss in EXACT_LOSSES:
            yield _integers(name, layers, loss=loss, shape=shape)
        yield case(f"{name}, weighted", layers, loss=loss, weighted=True, tiers=tiers)


def _penalties() -> Iterator[Case]:
    layers = (dense(4), {"name": "tanh"}, dense(3))
    for name, penalty in {"l1": {"l1": 0.01}, "l2": {"l2": 0.01}}.items():
        yield case(f"penalty {name}", layers, penalty=penalty)
    both = {"l1": 0.02, "l2": 0.005}
    tiers = ("initial", "epochs", "steps")
    yield case("penalty l1 and l2", layers, penalty=both, tiers=tiers)
    exact = (dense(4), {"name": "relu"}, dense(3))  # some weights are exactly zero
    yield _integers("penalty l1 and l2", exact, penalty={"l1": 0.5, "l2": 0.25})


def _optimizers() -> Iterator[Case]:
    for name, hyper in OPTIMIZERS.items():
        yield _optimizer(name, {"name": name} | hyper)
        if name != "adamw":
            decayed = {"name": name, "weight_decay": 0.05} | hyper
            yield _optimizer(f"{name}, weight decay", decayed, tiers=("updates",))
    momentum = {"name": "momentum", "mu": 0.9}
    yield _optimizer("momentum, clipped by value", momentum, clip={"value": 0.5})
    yield _optimizer("momentum, clipped by norm", momentum, clip={"norm": 0.5})


def _optimizer(
    name: str,
    optimizer: Mapping[str, Any],
    *,
    tiers: tuple[str, ...] = ("updates", "steps"),
    **recipe: Any,
) -> Case:
    layers = (dense(4), {"name": "tanh"}, dense(3))
    lr = 0.5 if optimizer["name"] == "adadelta" else 0.02
    return case(
        f"optimizer {name}", layers, optimizer=optimizer, lr=lr, tiers=tiers, **recipe
    )


def _integers(
    name: str, layers: tuple[Layer, ...], *, loss: str = "squared_error", **of_case: Any
) -> Case:
    """Return a case in whole numbers; mse, the mean over outputs, needs 2^k of them."""
    return case(name, layers, dataset="integers", loss=loss, **of_case)


def _saturated(name: str, layers: tuple[Layer, ...], **of_case: Any) -> Case:
    """Return a case with sums of +-60 and +-800."""
    return case(name, layers, dataset="saturated", **of_case)
