"""Multilayer perceptron."""

import math

from nn_parity.batches import targets, values
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec

SIZES = {"D": 7, "H": (5, 4), "K": 3}
SGD = {"name": "sgd"}
MOMENTUM = {"name": "momentum", "mu": 0.9}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    units = (sizes["D"], *sizes["H"], sizes["K"])
    init = recipe.get("init", "glorot_uniform")
    return tuple(
        param
        for l, shape in enumerate(zip(units, units[1:], strict=False), start=1)
        for param in (Param(f"W_{l}", shape, init), Param(f"b_{l}", shape[1:], "zeros"))
    )


def batch(sizes, recipe, n, rng):
    x = values(rng, n, sizes["D"])
    return {"x": x, "y": targets(recipe, n, sizes["K"], rng)}


def resolve(settings, data):
    hidden, activation = settings["hidden"], settings["activation"]
    output = settings.get("output", activation)
    D, K = math.prod(data.x_train.shape[1:]), data.classes or 1
    recipe = {
        "activations": (*[activation] * len(hidden), output),
        "init": settings["init"],
    }
    return {"D": D, "H": hidden, "K": K}, recipe


def recipe(activations, loss, optimizer=SGD, lr=0.3):
    return {
        "activations": tuple(activations.split()),
        "loss": loss,
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }


def case(name, recipe, tiers=VARIANT, *, dataset="random", sizes=SIZES, seeds=(0,)):
    return Case(name, "mlp", sizes, recipe, dataset, seeds=seeds, tiers=tiers)


CE = "softmax_cross_entropy"

SPEC = Spec(
    name="mlp",
    params=params,
    batch=batch,
    resolve=resolve,
    takes=("hidden", "activation", "output", "init"),
    layered=True,
    cases=(
        case(
            "sigmoid",
            recipe("sigmoid sigmoid identity", CE),
            FIRST,
            seeds=(0, 1, 2, 3, 4),
        ),
        case("relu-adam", recipe("relu relu identity", CE, ADAM, 0.01), MOMENTS),
        case(
            "tanh-momentum",
            recipe("tanh sigmoid identity", "mse", MOMENTUM, 0.03),
            ("initial", "steps"),
        ),
        case(
            "hiring-like",
            recipe("sigmoid sigmoid", "squared_error"),
            sizes={"D": 3, "H": (4,), "K": 1},
        ),
        case(
            "integers",
            recipe("relu relu identity", "squared_error"),
            dataset="integers",
        ),
        case(
            "saturated",
            recipe("identity", CE),
            dataset="saturated",
            sizes={"D": 6, "H": (), "K": 4},
        ),
    ),
)
