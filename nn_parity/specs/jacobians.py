"""Scalar, vector and matrix functions of a scalar, a vector and a matrix."""

from nn_parity.batches import targets, values
from nn_parity.protocol import FIRST, MOMENTS, Case, Param, Spec
from nn_parity.sequences import one_hidden_layer, rows

SIZES = {"shape": (4, 6), "N": 5}
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    (_, K), N = sizes["shape"], sizes["N"]
    return (
        Param("s", (1,), "positive"),
        Param("v", (N,), "normal"),
        Param("X", (N, K), "normal"),
    )


def batch(sizes, recipe, n, rng):
    x = values(rng, n, *sizes["shape"])
    return {"x": x, "y": targets(recipe, n, 1, rng)}


def resolve(settings, data):
    return {"shape": rows(data), "N": one_hidden_layer(settings)}, {}


def case(name, tiers, optimizer, lr, seeds=(0,)):
    recipe = {
        "loss": "squared_error",
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }
    return Case(name, "jacobians", SIZES, recipe, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="jacobians",
    params=params,
    batch=batch,
    resolve=resolve,
    takes=("hidden",),
    cases=(
        case("sgd", FIRST, SGD, 0.05, seeds=(0, 1, 2, 3, 4)),
        case("adam", MOMENTS, ADAM, 0.01),
    ),
    differences="""\
torch.func.jacrev, jax.jacrev and tf.GradientTape.jacobian lay a Jacobian out alike: the
shape of the result, then the shape of the variable, so dy/dX of a scalar y has X's shape
(n, k). The courses transpose the variable: (k, n). Both are among the outputs.
""",
)
