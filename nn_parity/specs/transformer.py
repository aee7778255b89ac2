"""Transformer encoder."""

import numpy as np

from nn_parity.batches import targets, values
from nn_parity.errors import Refusal
from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec, as_sized
from nn_parity.sequences import one_hidden_layer, rows

# five heads of four columns: 1 / sqrt(4) is a number that float32 holds
SIZES = {"T": 6, "D": 7, "E": 20, "F": 13, "K": 9}
TOKENS = {"T": 6, "V": 10, "E": 20, "F": 13, "K": 10}
THREES = SIZES | {"E": 15}  # five heads of three columns: 1 / sqrt(3) is not
BLOCKS = {
    "blocks": 1,
    "heads": 5,
    "activation": "relu",
    "eps": 1e-5,
    "causal": False,
    "each_step": False,
    "attention": "native",
}
TEXT = {"causal": True, "each_step": True}  # the next token, at every step
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
WIDER = 4  # hidden units of a block for each column of the model, as in the paper


def params(sizes, recipe):
    """Biases start at 0 and scales at 1, except in test networks."""
    E, F, K = sizes["E"], sizes["F"], sizes["K"]
    bias, scale = ("zeros", "ones") if "epochs" in recipe else ("small", "positive")
    found = [Param("W_e", (sizes.get("D") or sizes["V"], E), "glorot_uniform")]
    if "D" in sizes:
        found.append(Param("b_e", (E,), bias))
    for l in range(1, recipe["blocks"] + 1):
        found += [Param(f"gamma_a_{l}", (E,), scale), Param(f"beta_a_{l}", (E,), bias)]
        for name in "qkvo":
            found.append(Param(f"W_{name}_{l}", (E, E), "glorot_uniform"))
            found.append(Param(f"b_{name}_{l}", (E,), bias))
        found += [Param(f"gamma_f_{l}", (E,), scale), Param(f"beta_f_{l}", (E,), bias)]
        found.append(Param(f"W_u_{l}", (E, F), "glorot_uniform"))
        found.append(Param(f"b_u_{l}", (F,), bias))
        found.append(Param(f"W_d_{l}", (F, E), "glorot_uniform"))
        found.append(Param(f"b_d_{l}", (E,), bias))
    found += [Param("gamma", (E,), scale), Param("beta", (E,), bias)]
    found += [Param("W_y", (E, K), "glorot_uniform"), Param("b_y", (K,), bias)]
    return tuple(found)


def zeros(recipe):
    """Name the biases of the keys: they shift all scores of a query, and no softmax sees it."""
    return frozenset(f"b_k_{l}" for l in range(1, recipe["blocks"] + 1))


def batch(sizes, recipe, n, rng):
    T, K = sizes["T"], sizes["K"]
    if "V" in sizes:
        arrays = {"x": rng.integers(0, sizes["V"], (n, T))}
    else:
        arrays = {"x": values(rng, n, T, sizes["D"])}
    if recipe["each_step"]:
        arrays["y"] = rng.integers(0, K, (n, T))
    else:
        arrays["y"] = targets(recipe, n, K, rng)
    if recipe.get("padded"):
        lengths = rng.integers(1, T + 1, n)
        arrays["mask"] = (np.arange(T) < lengths[:, None]).astype(np.float64)
    return arrays


def arrange(sizes, x, y):
    """Token ids stay as they are; anything else is read row by row."""
    if "V" in sizes:
        return {"x": x} if y is None else {"x": x, "y": y}
    return as_sized(sizes, x, y)


def resolve(settings, data):
    """Ask for the class of a whole picture, or for the next token at each step of a text."""
    E, heads = one_hidden_layer(settings), settings["heads"]
    if E % heads:
        raise Refusal(
            "E006",
            f"{E} columns cannot be shared by {heads} heads",
            "--set hidden, --set heads",
            f"give a multiple of {heads}",
        )
    recipe = BLOCKS | {key: settings[key] for key in ("blocks", "heads", "activation")}
    sizes = {"E": E, "F": WIDER * E}
    if data.vocabulary:
        V = len(data.vocabulary)
        T = data.x_train.shape[1]
        return {"T": T, "V": V, "K": data.classes} | sizes, recipe | TEXT
    T, D = rows(data)
    return {"T": T, "D": D, "K": data.classes or 1} | sizes, recipe


def case(
    name, tiers=VARIANT, *, optimizer=SGD, lr=0.1, sizes=SIZES, seeds=(0,), **changes
):
    recipe = {
        "loss": "softmax_cross_entropy",
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    }
    recipe |= BLOCKS | changes
    return Case(name, "transformer", sizes, recipe, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="transformer",
    params=params,
    batch=batch,
    arrange=arrange,
    resolve=resolve,
    zeros=zeros,
    takes=("hidden", "heads", "blocks", "activation"),
    cases=(
        case("sgd", seeds=(0, 1, 2, 3, 4), blocks=2),
        case("adam", MOMENTS, optimizer=ADAM, lr=0.01),
        case("padded", padded=True, activation="gelu"),
        case("padded-causal", padded=True, causal=True),
        case("causal", FIRST, sizes=TOKENS, **TEXT),
        case("heads-of-three", sizes=THREES),
        case("heads-of-three-exact", sizes=THREES, attention="exact"),
    ),
    differences="""\
keras.layers.MultiHeadAttention rounds its scale 1 / sqrt(E/N) to float32, in float64, too.
Where float32 holds it (E/N = 1, 4, 16, 64: every experiment here) nothing is lost; with heads
of three columns scores are off by 1e-8, and so is all that follows. The recipe's
attention="exact" gives the layer the same number as a float64, and then it agrees.

nn.MultiheadAttention hands back its attention maps only on request, and then it leaves the
fused kernel (scaled_dot_product_attention). So it is asked for them in evaluation, where they
are an activation to compare, and not in training.
""",
)
