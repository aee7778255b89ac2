"""GRU sequence classifier."""

from nn_parity.batches import targets, values
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec
from nn_parity.sequences import one_hidden_layer, real_steps, rows

SIZES = {"T": 6, "D": 5, "H": 7, "K": 3}
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    """Biases start at 0, except in test networks."""
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    bias = "zeros" if "epochs" in recipe else "small"
    return (
        Param("W_x", (D, 3 * H), "glorot_uniform"),
        Param("W_h", (H, 3 * H), "orthogonal_gates"),
        Param("b_x", (3 * H,), bias),
        Param("b_h", (3 * H,), bias),
        Param("W_y", (H, K), "glorot_uniform"),
        Param("b_y", (K,), bias),
    )


def batch(sizes, recipe, n, rng):
    x = values(rng, n, sizes["T"], sizes["D"])
    arrays = {"x": x, "y": targets(recipe, n, sizes["K"], rng)}
    if recipe.get("padded"):
        arrays["mask"] = real_steps(rng, n, sizes["T"])
    return arrays


def resolve(settings, data):
    T, D = rows(data)
    H = one_hidden_layer(settings)
    return {"T": T, "D": D, "H": H, "K": data.classes or 1}, {}


def case(name, tiers=VARIANT, *, optimizer=SGD, lr=0.3, seeds=(0,), **more):
    recipe = {
        "loss": "softmax_cross_entropy",
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }
    return Case(name, "gru", SIZES, recipe | more, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="gru",
    params=params,
    batch=batch,
    resolve=resolve,
    takes=("hidden",),
    cases=(
        case("sgd", FIRST, seeds=(0, 1, 2, 3, 4)),
        case("adam", MOMENTS, optimizer=ADAM, lr=0.01),
        case("padded", padded=True),
    ),
    differences="""\
The order of the three parts is r z n here and in PyTorch, z r n in Keras. All have two biases
and train both: that of the new state's own part, b_h, stands inside the product with r,
and the other two only ever appear as a sum with those of b_x. One of them cannot be frozen,
because a framework's bias is one tensor; so in these two the sum moves twice a step, in
all four alike.
""",
)
