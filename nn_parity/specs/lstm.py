"""LSTM sequence classifier."""

from nn_parity.batches import targets, values
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec
from nn_parity.sequences import one_hidden_layer, real_steps, rows

SIZES = {"T": 6, "D": 5, "H": 7, "K": 3}
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return (
        Param("W_x", (D, 4 * H), "glorot_uniform"),
        Param("W_h", (H, 4 * H), "orthogonal_gates"),
        Param("b", (4 * H,), "unit_forget_bias"),
        Param("W_y", (H, K), "glorot_uniform"),
        Param("b_y", (K,), "zeros"),
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


def case(name, optimizer, lr, tiers, seeds=(0,), **more):
    recipe = {
        "loss": "softmax_cross_entropy",
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }
    return Case(name, "lstm", SIZES, recipe | more, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="lstm",
    params=params,
    batch=batch,
    resolve=resolve,
    takes=("hidden",),
    cases=(
        case("sgd", SGD, 0.3, FIRST, seeds=(0, 1, 2, 3, 4)),
        case("adam", ADAM, 0.01, MOMENTS),
        case("padded", SGD, 0.3, VARIANT, padded=True),
    ),
    differences="""\
nn.LSTM has two biases that only appear as a sum. Trained together they would move the sum
twice per step, so b_hh is frozen at zero; Keras and JAX have one bias to begin with.
""",
)
