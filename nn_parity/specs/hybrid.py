"""Convolution below an LSTM: a picture read column by column."""

from nn_parity.batches import targets, values
from nn_parity.images import outputs_of, picture
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec
from nn_parity.sequences import one_hidden_layer

# tiny: P = 5, T = 7 and all other sizes differ, batches of 16 and of 3 apart
SIZES = {"shape": (10, 14, 2), "F": 3, "N": 6, "H": 9, "K": 8}
KERNELS = {"F": 5, "N": 8}
HALVES = {"size": (2, 2), "stride": 2, "padding": "valid"}
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    F, N, H, K = (sizes[letter] for letter in "FNHK")
    (P, _), C = outputs_of(sizes["shape"], **HALVES), sizes["shape"][2]
    return (
        Param("W_1", (F, F, C, N), "glorot_uniform"),
        Param("b_1", (N,), "zeros"),
        Param("W_x", (P * N, 4 * H), "glorot_uniform"),
        Param("W_h", (H, 4 * H), "orthogonal_gates"),
        Param("b", (4 * H,), "unit_forget_bias"),
        Param("W_y", (H, K), "glorot_uniform"),
        Param("b_y", (K,), "zeros"),
    )


def batch(sizes, recipe, n, rng):
    x = values(rng, n, *sizes["shape"])
    return {"x": x, "y": targets(recipe, n, sizes["K"], rng)}


def resolve(settings, data):
    shape, H = picture(data), one_hidden_layer(settings)
    outputs_of(shape, **HALVES)  # refuses pictures that are too small to pool
    sizes = {"shape": shape, **KERNELS, "H": H, "K": data.classes or 1}
    return sizes, {"activation": settings["activation"]}


def case(name, optimizer, lr, tiers, activation="relu", seeds=(0,)):
    recipe = {
        "activation": activation,
        "loss": "softmax_cross_entropy",
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }
    return Case(name, "hybrid", SIZES, recipe, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="hybrid",
    params=params,
    batch=batch,
    resolve=resolve,
    takes=("hidden", "activation"),
    cases=(
        case("sgd", SGD, 0.3, FIRST, seeds=(0, 1, 2, 3, 4)),
        case("adam", ADAM, 0.01, MOMENTS),
        case("tanh", SGD, 0.3, VARIANT, "tanh"),
    ),
    differences="""\
PyTorch keeps pictures as (B, C, H, W): a column flattened there would be read map after
map, so the maps are moved to the end before it. The two biases of nn.LSTM are one here, as
in lstm.
""",
)
