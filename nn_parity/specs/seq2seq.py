"""Sequence to sequence: an LSTM that reads, and one that writes."""

import numpy as np

from nn_parity.protocol import FIRST, MOMENTS, VARIANT, Case, Param, Spec
from nn_parity.sequences import one_hidden_layer, real_steps, tokens

SIZES = {"S": 6, "T": 5, "V": 9, "M": 7, "H": 11}
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def params(sizes, recipe):
    V, M, H = sizes["V"], sizes["M"], sizes["H"]
    return (
        Param("E_x", (V, M), "glorot_uniform"),
        Param("W_ex", (M, 4 * H), "glorot_uniform"),
        Param("W_eh", (H, 4 * H), "orthogonal_gates"),
        Param("b_e", (4 * H,), "unit_forget_bias"),
        Param("E_y", (V, M), "glorot_uniform"),
        Param("W_dx", (M, 4 * H), "glorot_uniform"),
        Param("W_dh", (H, 4 * H), "orthogonal_gates"),
        Param("b_d", (4 * H,), "unit_forget_bias"),
        Param("W_y", (H, V), "glorot_uniform"),
        Param("b_y", (V,), "zeros"),
    )


def batch(sizes, recipe, n, rng):
    S, T, V = sizes["S"], sizes["T"], sizes["V"]
    arrays = taught(V, rng.integers(0, V - 1, (n, S)), rng.integers(0, V - 1, (n, T)))
    if recipe.get("padded"):
        arrays["mask"] = real_steps(rng, n, S)
        arrays["y_mask"] = real_steps(rng, n, T)
    return arrays


def taught(V, x, y):
    """x, y and what the decoder is given: the start token, then y but for its last."""
    start = np.full_like(y[:, :1], V - 1)
    return {"x": x, "y": y, "y_in": np.hstack([start, y[:, :-1]])}


def arrange(sizes, x, y):
    return {"x": x} if y is None else taught(sizes["V"], x, y)


def resolve(settings, data):
    V = tokens(data)
    S, T, M = data.x_train.shape[1], data.y_train.shape[1], settings["embedding"]
    return {"S": S, "T": T, "V": V, "M": M, "H": one_hidden_layer(settings)}, {}


def case(name, optimizer, lr, tiers, seeds=(0,), **recipe):
    recipe = {
        "loss": "softmax_cross_entropy",
        "optimizer": optimizer,
        "batch_size": 3,
        "lr": lr,
    } | recipe
    return Case(name, "seq2seq", SIZES, recipe, seeds=seeds, tiers=tiers)


SPEC = Spec(
    name="seq2seq",
    params=params,
    batch=batch,
    arrange=arrange,
    resolve=resolve,
    generates=True,
    takes=("hidden", "embedding"),
    cases=(
        case("sgd", SGD, 0.3, FIRST, seeds=(0, 1, 2, 3, 4)),
        case("adam", ADAM, 0.01, MOMENTS),
        case("padded", SGD, 0.3, VARIANT, padded=True),
    ),
    differences="""\
Each nn.LSTM has two biases that only appear as a sum; b_hh is frozen at zero, as in lstm.

Padding: nn.LSTM takes packed sequences and never sees it; Keras' layer has a mask and keeps
h and c, and what it puts out there is blanked; JAX keeps them by a where; scratch goes on
through the padding and then takes h and c from the last real step.

generate: the decoder's layer is called with one step at a time. JAX's lax.scan is one
compiled loop; the Python loops of Keras are unrolled by tf.function, those of PyTorch and
scratch run as they stand.
""",
)
