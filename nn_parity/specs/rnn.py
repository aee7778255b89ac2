"""Elman's recurrent network."""

from nn_parity.batches import targets, values
from nn_parity.errors import Refusal
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec
from nn_parity.sequences import one_hidden_layer, real_steps, rows

SIZES = {"T": 6, "D": 5, "H": 7, "K": 3}
SHORT = {"T": 3, "D": 5, "H": 7, "K": 6}  # whole numbers grow with every step
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    """Biases start at 0, except in test networks."""
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    bias = "zeros" if "epochs" in recipe else "small"
    return (
        Param("W_x", (D, H), "glorot_uniform"),
        Param("W_h", (H, H), "glorot_uniform"),
        Param("b", (H,), bias),
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
    H, f = one_hidden_layer(settings), settings["activation"]
    if f not in ("tanh", "relu"):
        raise Refusal(
            "E006",
            f"activation '{f}' is none that every framework's own layer has",
            "--set activation",
            "give tanh or relu",
        )
    return {"T": T, "D": D, "H": H, "K": data.classes or 1}, {"nonlinearity": f}


def case(
    name,
    tiers=VARIANT,
    *,
    optimizer=SGD,
    lr=0.3,
    seeds=(0,),
    sizes=SIZES,
    dataset="random",
    **more,
):
    recipe = {
        "nonlinearity": "tanh",
        "loss": "softmax_cross_entropy",
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }
    return Case(name, "rnn", sizes, recipe | more, dataset, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="rnn",
    params=params,
    batch=batch,
    resolve=resolve,
    takes=("hidden", "activation"),
    cases=(
        case("sgd", FIRST, seeds=(0, 1, 2, 3, 4)),
        case("adam", MOMENTS, optimizer=ADAM, lr=0.01),
        case("padded", padded=True),
        case("relu", lr=0.1, nonlinearity="relu"),
        case(
            "integers",
            sizes=SHORT,
            dataset="integers",
            nonlinearity="relu",
            loss="squared_error",
        ),
    ),
    differences="""\
nn.RNN has two biases that only appear as a sum. Trained together they would move the sum
twice per step, so b_hh is frozen at zero; SimpleRNN has one bias to begin with.
""",
)
