"""Gates: how far two implementations may be apart, and why just that far.

Errors are max-norm, max|a - ref| / max|ref| of one tensor; u is the unit roundoff.
Every gate stands in units that a reader can check: u for what rounding alone explains,
a plain number for what training amplifies.
"""

from __future__ import annotations

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
UNUSED = Gate(
    None, "a batch norm above takes it away: rounding moves it, and no result needs it"
)
REPORTED = Gate(
    None, "after the gated steps float32 rounding is amplified (ReLU flips)"
)

# worst of networks, frameworks and seeds, measured with the pinned versions:
# (quantity, point) -> {dtype: Gate}; "" is any other point
GATES = {
    ("state", "loaded"): {"float64": EXACT, "float32": EXACT},
    ("activation", ""): {
        "float64": Gate(1e-12, "a few u for each layer; thousands would be a formula"),
        "float32": Gate(
            1e-5, "160 u: elementwise functions differ by up to 6 ulp each"
        ),
    },
    ("output", ""): {
        "float64": Gate(1e-12, "as activations"),
        "float32": Gate(1e-5, "as activations"),
    },
    ("loss", ""): {
        "float64": Gate(1e-12, "one sum over the outputs, relative to max(1, |loss|)"),
        "float32": Gate(1e-5, "one sum over the outputs, relative to max(1, |loss|)"),
    },
    ("grad", ""): {
        "float64": Gate(64 * U["float64"], "64 u: 3-32 u is what summing costs"),
        "float32": Gate(1e-5, "168 u: 3-32 u is what summing costs"),
    },
    ("grad", "B=1"): {
        "float64": Gate(1e-10, "one example: p - y and 1 - h^2 may cancel, unaveraged"),
        "float32": Gate(1e-3, "one example: p - y and 1 - h^2 may cancel, unaveraged"),
    },
    ("grad", "batch_norm"): {
        "float64": Gate(
            256 * U["float64"], "256 u: what is left after means are taken away"
        ),
        "float32": Gate(1e-5, "168 u: what is left after means are taken away"),
    },
    ("grad", "saturated"): {
        "float64": Gate(1e-10, "differences of +-800 cancel"),
        "float32": Gate(1e-3, "differences of +-800 cancel"),
    },
    ("grad", "given"): {
        "float64": Gate(1e-10, "a user's weights: near an optimum p - y cancels"),
        "float32": Gate(1e-3, "a user's weights: near an optimum p - y cancels"),
    },
    ("state", "50 updates"): {
        "float64": Gate(1e-12, "per row: each update rounds m and v by 1-2 u"),
        "float32": Gate(1e-5, "per row: 50 updates of 1-2 u, measured to 15 u"),
    },
    ("state", ""): {
        "float64": Gate(1e-10, "as the weights that the moments follow"),
        "float32": Gate(1e-5, "as the weights that the moments follow"),
    },
    ("curve", ""): {
        "float64": Gate(1e-10, "training amplifies u, by less than 10^6 here"),
        "float32": Gate(1e-5, "gated for 30 steps only"),
    },
    ("trained", ""): {
        "float64": Gate(1e-10, "training amplifies u, by less than 10^6 here"),
        "float32": Gate(1e-5, "gated for 30 steps only"),
    },
    ("prediction", ""): {
        "float64": Gate(1e-9, "a decision may differ only within ten times the 1e-10"),
        "float32": REPORTED,
    },
}


# a looser gate carries the divergence that explains it: docs/divergences.md
OPTAX_FLOAT32 = Gate(
    1e-4, "N01: optax forms 1 - beta2^t in float32, which keeps 14 of 24 bits at t = 1"
)
_MOVED_BY_OPTIMIZER = ("state", "curve", "trained")


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
    if case.dataset == "integers":
        return EXACT
    if tensor.startswith("loaded/"):
        return GATES["state", "loaded"][dtype]
    if point == "end" and dtype == "float32":
        return REPORTED
    layers = {layer["name"] for layer in case.recipe.get("layers", ())}
    if quantity == "trained" and tensor in registry.spec(case.network).zeros(
        case.recipe
    ):
        return UNUSED
    if quantity == "grad" and "batch_norm" in layers and point != "B=1":
        return GATES["grad", "batch_norm"][dtype]
    if quantity == "grad" and case.dataset == "saturated":
        return GATES["grad", "saturated"][dtype]
    if quantity == "grad" and case.given:
        return GATES["grad", "given"][dtype]
    adam = case.recipe["optimizer"]["name"] in ("adam", "adamw")
    if adam and where == ("jax", "float32") and quantity in _MOVED_BY_OPTIMIZER:
        return OPTAX_FLOAT32
    known = GATES.get((quantity, point), GATES[quantity, ""])
    return known[dtype]
