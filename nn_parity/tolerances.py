"""Gates: how far two implementations may be apart, and why just that far.

Errors are max-norm, max|a - ref| / max|ref| of one tensor; u is the unit roundoff.
Every gate stands in units that a reader can check: u for what rounding alone explains,
a plain number for what training amplifies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nn_parity import registry
from nn_parity.protocol import Case

Where = tuple[str, str]
U = {"float64": 2.0**-53, "float32": 2.0**-24}


@dataclass(frozen=True)
class Gate:
    """The largest relative error that passes, with its reason; None is only reported."""

    value: float | None
    why: str


EXACT = Gate(
    0.0, "only copies and whole numbers: nothing is rounded, so equal means =="
)
PADDING = "other padding"  # a point: the first batch with other values in its padding
UNREAD = Gate(0.0, "padding is not read: what stands there changes nothing, under ==")
UNUSED = Gate(
    None, "a batch norm above takes it away: rounding moves it, and no result needs it"
)
REPORTED = Gate(
    None, "after the gated steps float32 rounding is amplified (ReLU flips)"
)

# (quantity, point) -> {dtype: Gate}; "" is any other point. "measured" is the largest error
# of all frameworks and seeds in float64 and float32, with the pinned versions: on the tiny
# networks and building blocks (`parity`, `parity --blocks`), and in the experiments digits,
# spiral, sine, feature-cross, activations, initialization, optimizers, learning-rate and
# overfitting (`compare`; in float32 digits alone).
GATES = {
    # measured: 0 u, 0 u
    ("state", "loaded"): {"float64": EXACT, "float32": EXACT},
    # measured: 27 u (initialization), 12 u (digits)
    ("activation", ""): {
        "float64": Gate(1e-12, "a few u for each layer; thousands would be a formula"),
        "float32": Gate(
            1e-5, "160 u: elementwise functions differ by up to 6 ulp each"
        ),
    },
    # measured: 23 u (activations), 16 u (layer norm)
    ("output", ""): {
        "float64": Gate(1e-12, "as activations"),
        "float32": Gate(1e-5, "as activations"),
    },
    # measured: 5 u, 7 u (layer norm, one example)
    ("loss", ""): {
        "float64": Gate(1e-12, "one sum over the outputs, relative to max(1, |loss|)"),
        "float32": Gate(1e-5, "one sum over the outputs, relative to max(1, |loss|)"),
    },
    # measured: 27 u, 50 u (the bias of a tanh neuron)
    ("grad", ""): {
        "float64": Gate(64 * U["float64"], "64 u: 3-32 u is what summing costs"),
        "float32": Gate(1e-5, "168 u: 3-50 u is what summing costs"),
    },
    # measured: 141 u, 169 u (the steepness of a logistic function)
    ("grad", "B=1"): {
        "float64": Gate(1e-10, "one example: p - y and 1 - h^2 may cancel, unaveraged"),
        "float32": Gate(1e-3, "one example: p - y and 1 - h^2 may cancel, unaveraged"),
    },
    # measured: 68 u (overfitting, batch norm), 123 u (layer norm)
    ("grad", "normalized"): {
        "float64": Gate(
            256 * U["float64"], "256 u: what is left after a mean is taken"
        ),
        "float32": Gate(3e-5, "503 u: what is left after a mean is taken away"),
    },
    # measured: 89 u (digits-columns); float32 as any other gradient
    ("grad", "pixels"): {
        "float64": Gate(
            256 * U["float64"],
            "256 u: a kernel sums over all pixels, 25,088 in a batch",
        ),
        "float32": Gate(1e-5, "168 u: 3-50 u is what summing costs"),
    },
    # measured: 464 u, 338 u (squared error)
    ("grad", "saturated"): {
        "float64": Gate(1e-10, "differences of +-800 cancel"),
        "float32": Gate(1e-3, "differences of +-800 cancel"),
    },
    # measured: 59 u, 103 u (digits, from its own trained weights)
    ("grad", "given"): {
        "float64": Gate(1e-10, "a user's weights: near an optimum p - y cancels"),
        "float32": Gate(1e-3, "a user's weights: near an optimum p - y cancels"),
    },
    # measured: 14 u, 21 u (Adam with weight decay)
    ("state", "50 updates"): {
        "float64": Gate(1e-12, "per row: each update rounds m and v by 1-2 u"),
        "float32": Gate(1e-5, "per row: 50 updates of 1-2 u"),
    },
    # measured: 398 u (sine), 20 u (RMSprop with weight decay)
    ("state", ""): {
        "float64": Gate(1e-10, "as the weights that the moments follow"),
        "float32": Gate(1e-5, "as the weights that the moments follow"),
    },
    # measured: 4,002 u, 105 u (layer norm)
    ("curve", ""): {
        "float64": Gate(1e-10, "training amplifies u, by less than 10^6 here"),
        "float32": Gate(1e-5, "gated for 30 steps only"),
    },
    # measured: 11,351 u (spiral), 71 u (a tanh neuron)
    ("trained", ""): {
        "float64": Gate(1e-10, "training amplifies u, by less than 10^6 here"),
        "float32": Gate(1e-5, "gated for 30 steps only"),
    },
    # measured: 14,102 u (spiral), and no decision differed
    ("prediction", ""): {
        "float64": Gate(1e-9, "a decision may differ only within ten times the 1e-10"),
        "float32": REPORTED,
    },
}


WRITTEN = {  # greedy decoding; measured: no token differed, in float32 either
    "float64": Gate(0.0, "tokens are whole numbers: the same ones, or another string"),
    "float32": Gate(None, "a tie within rounding would change all that follows on it"),
}
# a looser gate carries the divergence that explains it: docs/divergences.md
OPTAX_FLOAT32 = Gate(  # measured: 509 u (mlp, relu-adam)
    1e-4, "N01: optax forms 1 - beta2^t in float32, which keeps 14 of 24 bits at t = 1"
)
# measured: 4.3e-4 (adding), 8.3e-4 (reverse); 1.0e-6 and 1.3e-5 when the same code of optax
# is given 1 - beta2^t with all its bits
OPTAX_MOMENTS = Gate(
    2e-3, "N01, and an experiment's gradients after an update that is off by up to 6e-5"
)
KERAS_SCALE = Gate(  # measured: 1.7e-8 (transformer, heads-of-three)
    1e-7,
    "N18: Keras' attention rounds 1/sqrt(E/N) to float32; see heads-of-three-exact",
)
TIES = Gate(  # measured: 0.25 (four ties); float64 and the whole batch stay gated
    None, "N19: where equal patches tie, rounding decides which one a pool passes on"
)
_MOVED_BY_OPTIMIZER = ("state", "curve", "trained")
# A training that a single rounding error leads astray cannot be gated more closely. Scratch
# trains again from weights one unit in the last place away; a difference above the
# gate, but below so many times what that nudge makes, is reported as ill-conditioned. The
# nudge rounds once, a training in every step of some hundred.
CONDITION = 100.0
# A trained tensor below this share of the largest one is measured on the scale of that
# share: 1e-10 of a millionth is about u of the largest weight, and nobody computes better.
# measured: the bias of `learning-neuron` ends at 6e-8 beside a weight of 1, off by 2e-17
SMALLEST_TRAINED = 1e-6


def gate(quantity: str, tensor: str, point: str, case: Case, where: Where) -> Gate:
    """Return the gate of one row of parity.csv.

    Parameters
    ----------
    quantity, tensor, point : str
        The parts of a transcript's key.
    case : Case
        Its data set "integers" is the exact tier.
    where : (str, str)
        Framework and dtype.
    """
    framework, dtype = where
    if point == PADDING:
        return UNREAD
    if case.dataset == "integers":
        return EXACT
    if tensor.startswith("loaded/"):
        return GATES["state", "loaded"][dtype]
    if (quantity, tensor) == ("prediction", "tokens"):
        return WRITTEN[dtype]
    if point == "end" and dtype == "float32":
        return REPORTED
    if where == ("keras", "float64") and _scale_is_rounded(case):
        return KERAS_SCALE
    layers = {layer["name"] for layer in case.recipe.get("layers", ())}
    if quantity == "trained" and tensor in registry.spec(case.network).zeros(
        case.recipe
    ):
        return UNUSED
    one_picture = point == "B=1" and dtype == "float32" and case.dataset != "random"
    if quantity == "grad" and one_picture and registry.spec(case.network).ties:
        return TIES
    normalized = not layers.isdisjoint(("batch_norm", "layer_norm"))
    if quantity == "grad" and normalized and point != "B=1":
        return GATES["grad", "normalized"][dtype]
    if quantity == "grad" and case.dataset == "saturated":
        return GATES["grad", "saturated"][dtype]
    if quantity == "grad" and case.given:
        return GATES["grad", "given"][dtype]
    if quantity == "grad" and point != "B=1" and _sums_over_pixels(case, tensor):
        return GATES["grad", "pixels"][dtype]
    adam = case.recipe["optimizer"]["name"] in ("adam", "adamw")
    if adam and where == ("jax", "float32") and quantity in _MOVED_BY_OPTIMIZER:
        moments = quantity == "state" and case.experiment and point != "50 updates"
        return OPTAX_MOMENTS if moments else OPTAX_FLOAT32
    known = GATES.get((quantity, point), GATES[quantity, ""])
    return known[dtype]


def _sums_over_pixels(case: Case, tensor: str) -> bool:
    """Whether this is hybrid's kernel on real pictures: a mean gives every pixel a share.

    Below lenet's max pools only one pixel of four has a gradient: 64 u do there.
    """
    kernel = case.network == "hybrid" and tensor in ("W_1", "b_1")
    return kernel and case.dataset != "random"


def _scale_is_rounded(case: Case) -> bool:
    """Whether Keras' own attention cannot hold 1 / sqrt(columns of a head): 2^-k it can."""
    if case.recipe.get("attention") != "native":
        return False
    columns = case.sizes["E"] // case.recipe["heads"]
    return not math.log(columns, 4).is_integer()
