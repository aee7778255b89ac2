"""One neuron."""

import math

from nn_parity.batches import targets, values
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec

SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    return (
        Param("W", (sizes["D"], 1), recipe.get("init", "glorot_uniform")),
        Param("b", (1,), "zeros"),
    )


def batch(sizes, recipe, n, rng):
    x = values(rng, n, sizes["D"])
    return {"x": x, "y": targets(recipe, n, 1, rng)}


def resolve(settings, data):
    activation = settings.get("output", settings["activation"])
    recipe = {"activations": (activation,), "init": settings["init"]}
    return {"D": math.prod(data.x_train.shape[1:])}, recipe


def recipe(activation, loss, optimizer=SGD, lr=0.1):
    return {
        "activations": (activation,),
        "loss": loss,
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }


def case(name, recipe, tiers=VARIANT, *, dataset="random", seeds=(0,)):
    return Case(name, "neuron", {"D": 5}, recipe, dataset, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="neuron",
    params=params,
    batch=batch,
    resolve=resolve,
    takes=("activation", "init"),
    layered=True,
    cases=(
        case(
            "sigmoid",
            recipe("sigmoid", "squared_error"),
            FIRST,
            seeds=(0, 1, 2, 3, 4),
        ),
        case(
            "tanh-adam",
            recipe("tanh", "half_squared_error", ADAM, 0.01),
            ("initial", *MOMENTS),
        ),
        case("logit", recipe("identity", "binary_cross_entropy")),
        case(
            "logit-saturated",
            recipe("identity", "binary_cross_entropy"),
            dataset="saturated",
        ),
        case("relu-integers", recipe("relu", "squared_error"), dataset="integers"),
        case("step-integers", recipe("step", "squared_error"), dataset="integers"),
    ),
    differences="""\
PyTorch and JAX keep the threshold as a comparison; it has no derivative anywhere, so its
gradient is exactly zero in all four (frameworks' own sign() would give 0 at 0, not 1).
""",
)
