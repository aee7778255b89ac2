"""LeNet-5."""

from nn_parity.batches import targets, values
from nn_parity.errors import Refusal
from nn_parity.images import outputs_of, picture
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec

# tiny: pictures and kernels whose sizes are all different
SIZES = {"shape": (16, 12, 2), "F": 3, "M": 5, "N": 6, "R": 9, "S": 7, "K": 10}
LENET_5 = {"F": 5, "M": 6, "N": 16, "R": 120, "S": 84}
HALVES = {"size": (2, 2), "stride": 2, "padding": "valid"}
FARTHEST = 2  # pixels that a picture is shifted by, at most
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def left_over(sizes):
    """(P, Q): what two pools and a kernel without padding leave of a picture."""
    size = (sizes["F"], sizes["F"])
    half = outputs_of(sizes["shape"], **HALVES)
    return outputs_of(outputs_of(half, size=size, stride=1, padding="valid"), **HALVES)


def params(sizes, recipe):
    F, M, N, R, S, K = (sizes[letter] for letter in "FMNRSK")
    (P, Q), C = left_over(sizes), sizes["shape"][2]
    W = [(F, F, C, M), (F, F, M, N), (P * Q * N, R), (R, S), (S, K)]
    init = recipe.get("init", "glorot_uniform")
    bias = "zeros" if "init" in recipe else "small"
    return tuple(
        param
        for l, shape in enumerate(W, start=1)
        for param in (Param(f"W_{l}", shape, init), Param(f"b_{l}", shape[-1:], bias))
    )


def batch(sizes, recipe, n, rng):
    x = values(rng, n, *sizes["shape"])
    return {"x": x, "y": targets(recipe, n, sizes["K"], rng)}


def noise(sizes, recipe, n, rng):
    if recipe.get("augment", "none") == "none":
        return {}
    return {"shift": rng.integers(-FARTHEST, FARTHEST + 1, (n, 2))}


def resolve(settings, data):
    augment = settings["augment"]
    if augment not in ("none", "shift"):
        raise Refusal(
            "E006",
            f"'{augment}' is nothing that lenet does to its pictures",
            "--set augment",
            "give none or shift",
        )
    sizes = {"shape": picture(data), **LENET_5, "K": data.classes or 1}
    left_over(sizes)  # refuses pictures that are too small for it
    recipe = {"activation": settings["activation"], "init": settings["init"]}
    return sizes, recipe | {"augment": augment}


def case(
    name,
    tiers=VARIANT,
    *,
    optimizer=SGD,
    lr=0.1,
    dataset="random",
    seeds=(0,),
    **recipe,
):
    recipe = {
        "activation": "relu",
        "loss": "softmax_cross_entropy",
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    } | recipe
    sizes = SIZES if dataset == "random" else SIZES | {"K": 8}  # a mean that is exact
    return Case(name, "lenet", sizes, recipe, dataset, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="lenet",
    params=params,
    batch=batch,
    noise=noise,
    resolve=resolve,
    ties=True,
    takes=("activation", "init", "augment"),
    cases=(
        case("sgd", FIRST, seeds=(0, 1, 2, 3, 4)),
        case("adam", MOMENTS, optimizer=ADAM, lr=0.01),
        case("augmented", augment="shift", activation="tanh"),
        case("integers", dataset="integers", loss="multiclass_hinge"),
    ),
    differences="""\
PyTorch keeps pictures as (B, C, H, W): nn.Flatten would hand map after map to the first
nn.Linear, the others pixel after pixel, so the maps are moved to the end before it.
""",
)
