"""Autoencoder: an encoder down to a code, a decoder back up to the inputs."""

import math
from itertools import pairwise

from nn_parity.batches import targets, values
from nn_parity.errors import Refusal
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec

SIZES = {"D": 9, "H": (5, 3)}
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    there = (sizes["D"], *sizes["H"])
    units = (*there, *there[-2::-1])
    init, found = recipe.get("init", "glorot_uniform"), []
    for l, shape in enumerate(pairwise(units), start=1):
        if l < len(there) or not recipe["tied"]:
            found.append(Param(f"W_{l}", shape, init))
        found.append(Param(f"b_{l}", shape[1:], "zeros"))
    return tuple(found)


def batch(sizes, recipe, n, rng):
    x = values(rng, n, sizes["D"])
    return {"x": x, "y": targets(recipe, n, sizes["D"], rng)}


def resolve(settings, data):
    """Mirror the hidden layers; the code is linear, as in the source."""
    hidden, activation = settings["hidden"], settings["activation"]
    output = settings.get("output", activation)
    D = math.prod(data.x_train.shape[1:])
    if data.classes is not None or data.y_train.shape[1:] != (D,):
        raise Refusal(
            "E008",
            f"'{data.name}' has other targets than its inputs",
            "the data of this experiment",
            "use a data set whose examples are their own targets: digits-pictures",
        )
    if not hidden:
        raise Refusal(
            "E006",
            "no hidden layer, and so no code",
            "--set hidden",
            "give the encoder's layers; the last one is the code",
        )
    around = [activation] * (len(hidden) - 1)
    recipe = {
        "activations": (*around, "identity", *around, output),
        "tied": settings["tied"],
        "init": settings["init"],
    }
    return {"D": D, "H": hidden}, recipe


def case(
    name,
    activations,
    loss,
    tiers=VARIANT,
    *,
    tied=False,
    optimizer=SGD,
    lr=0.3,
    dataset="random",
    seeds=(0,),
):
    recipe = {
        "activations": tuple(activations.split()),
        "tied": tied,
        "loss": loss,
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }
    return Case(name, "autoencoder", SIZES, recipe, dataset, seeds=seeds, tiers=tiers)


BCE = "binary_cross_entropy"
LOGITS, WHOLE = "sigmoid identity sigmoid identity", "relu identity relu identity"

SPEC = Spec(
    name="autoencoder",
    params=params,
    batch=batch,
    resolve=resolve,
    takes=("hidden", "activation", "output", "init", "tied"),
    cases=(
        case("tied", LOGITS, BCE, FIRST, tied=True, seeds=(0, 1, 2, 3, 4)),
        case("sgd", LOGITS, BCE, seeds=(0, 1, 2, 3, 4)),
        case("adam", "tanh tanh tanh sigmoid", "mse", optimizer=ADAM, lr=0.01),
        case(
            "tied-adam",
            "tanh identity relu sigmoid",
            "mse",
            ("initial", *MOMENTS),
            tied=True,
            optimizer=ADAM,
            lr=0.01,
        ),
        case("integers", WHOLE, "squared_error", dataset="integers"),
        case("tied-integers", WHOLE, "squared_error", tied=True, dataset="integers"),
    ),
)
