"""One training step taken apart by the chain rule, each framework by its own numbers.

What a framework does not say (f'(z), dL/dz, each product on the way to dL/dW) is worked out
here from that framework's own activations, weights and prediction, by the equations; what
it does say (gradients, new weights) is put beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from nn_parity import agreement, registry
from nn_parity.keys import Key
from nn_parity.protocol import Case

Arrays = dict[str, np.ndarray]
Index = tuple[int, ...]
Factor = tuple[str, Index]

SPELLED_OUT = 4  # terms of a sum; a longer one is written with "sum over"
# f'(z) in terms of its own output h, or of z where that is natural
_SLOPES = {
    "identity": "1",
    "step": "0",
    "sign": "0",
    "sigmoid": "{h} * (1 - {h})",
    "tanh": "1 - {h} * {h}",
    "relu": "1 if {z} > 0 else 0",
    "arctan": "1 / (1 + {z} * {z})",
    "softplus": "1 - e^-{h}",
}
# of one example: the loss, and its derivative with respect to one output
_LOSSES = {
    "squared_error": ("sum of (prediction - y)^2", "2 * ({p} - {y})"),
    "half_squared_error": ("1/2 sum of (prediction - y)^2", "{p} - {y}"),
    "mse": ("mean of (prediction - y)^2", "2 * ({p} - {y}) / {K}"),
    "binary_cross_entropy": (
        "-y log s - (1 - y) log(1 - s), s = sigmoid(prediction)",
        "(sigmoid({p}) - {y}) / {K}",
    ),
    "softmax_cross_entropy": (
        "-log softmax(prediction)[y]",
        "softmax(prediction)[{k}] - ({k} == y)",
    ),
}
# moments and the new weight, where they fit on a line; g is the gradient returned
_UPDATES = {
    "sgd": {"": "{W} - lr * {g}"},
    "momentum": {"m": "mu * {m} + {g}", "": "{W} - lr * {new m}"},
    "adam": {
        "m": "beta1 * {m} + (1 - beta1) * {g}",
        "v": "beta2 * {v} + (1 - beta2) * {g}^2",
        "": "{W} - lr * {new m} / (1 - beta1^t) / (sqrt({new v} / (1 - beta2^t)) + eps)",
    },
}


@dataclass(frozen=True)
class Layer:
    """Names of what belongs to one layer; ``below`` is its input."""

    number: int
    W: str
    b: str
    below: str
    z: str
    h: str
    activation: str

    @property
    def elementwise(self) -> bool:
        """Whether each output depends on its own z alone, so that f'(z) is a number."""
        return self.activation != "softmax"


@dataclass(frozen=True)
class Row:
    """One number of the step in every framework that answered."""

    equation: str
    quantity: str
    tensor: str
    index: str
    formula: str
    values: dict[str, Any]
    error_u: float
    widest: str  # the framework that is furthest off


@dataclass(frozen=True)
class Section:
    """Rows that are read together, and a sentence for who reads them."""

    title: str
    about: str
    rows: list[Row]


def layers(case: Case) -> list[Layer]:
    """Name the tensors of a layered network, first layer first."""
    params = registry.spec(case.network).params(case.sizes, case.recipe)
    weights, biases = params[::2], params[1::2]
    found: list[Layer] = []
    for W, b, activation in zip(
        weights, biases, case.recipe["activations"], strict=True
    ):
        suffix = W.name.removeprefix("W")
        last = len(found) == len(weights) - 1
        found.append(
            Layer(
                number=len(found) + 1,
                W=W.name,
                b=b.name,
                below=found[-1].h if found else "x",
                z=f"z{suffix}",
                h="prediction" if last else f"h{suffix}",
                activation=activation,
            )
        )
    return found


def derived(arrays: Mapping[str, np.ndarray], case: Case, lr: float) -> Arrays:
    """Work out every derivative of the step from a framework's own numbers.

    Parameters
    ----------
    arrays : mapping
        What `one_step.record` found, in the framework's dtype.

    Returns
    -------
    dict
        ``dL/dprediction``, ``f'(z_1)``, ``dL/dz_1``, ``dL/dh_1``, ``dL/dW_1``, ``dL/db_1``,
        and ``W_1 by equation`` where one line gives the new weight.
    """
    forward, backward = _scratch("losses").loss_pair(case.recipe["loss"])
    _, cache = forward(arrays["prediction"], arrays["y"])
    out: Arrays = {}
    dh = out["dL/dprediction"] = backward(cache)
    for layer in reversed(layers(case)):
        z, h, below = arrays[layer.z], arrays[layer.h], arrays[layer.below]
        _, back = _scratch("activations").activation(layer.activation)
        if layer.elementwise:
            out[f"f'({layer.z})"] = back(np.ones_like(h), z, h)
        dz = out[f"dL/d{layer.z}"] = back(dh, z, h)
        out[f"dL/d{layer.W}"] = below.T @ dz
        out[f"dL/d{layer.b}"] = dz.sum(axis=0)
        dh = out[f"dL/d{layer.below}"] = dz @ arrays[layer.W].T
        if penalty := case.recipe.get("penalty"):
            slope = _scratch("regularizers").penalty_backward
            out[f"dL/d{layer.W}"] += slope(arrays[layer.W], **penalty)
        if case.recipe["optimizer"] == {"name": "sgd"} and "clip" not in case.recipe:
            for name in (layer.W, layer.b):
                step = np.multiply(lr, arrays[f"dL/d{name} returned"])
                out[f"{name} by equation"] = arrays[name] - step
    return out


def _scratch(name: str) -> ModuleType:
    """Formulas for the way back stand in one place, where tests check them alone."""
    return registry.network_module("scratch", name)


class Table:
    """The rows of one step, from the arrays of every framework that answered.

    Parameters
    ----------
    case : Case
    equations : mapping
        Left-hand side in the network's docstring -> its number: "z_l" -> "(2)".
    arrays : mapping
        Framework -> arrays by name, recorded and `derived`. The first is the reference,
        whose numbers stand in the formulas.
    lr, u : float
        Learning rate of the step; unit roundoff of the arrays' dtype.
    """

    def __init__(
        self,
        case: Case,
        equations: Mapping[str, str],
        arrays: Mapping[str, Arrays],
        *,
        lr: float,
        u: float,
    ) -> None:
        self.case, self.equations, self.arrays = case, equations, arrays
        self.lr, self.u = lr, u
        self.layers = layers(case)
        self.reference = next(iter(arrays))
        self.B = len(self.own["x"])
        names = (layer.z for layer in self.layers)
        by_unit = {"x", "y", *names, *(layer.h for layer in self.layers)}
        self.by_example = by_unit | {f"dL/d{n}" for n in by_unit}
        self.by_example |= {f"f'({n})" for n in by_unit}

    @property
    def own(self) -> Arrays:
        """Arrays of the reference."""
        return self.arrays[self.reference]

    def sections(self) -> Iterator[Section]:
        """Yield all sections, in the order in which a step is computed."""
        about = "What the network sees, and what it should say."
        if self.B > 1:
            about += (
                " Of x, y, z, h and their derivatives the first index is the example."
            )
        yield self._section("Batch", about, ["x"], ["y"])
        for layer in self.layers:
            yield self._section(
                f"Forward, layer {layer.number} of {len(self.layers)}",
                f"Each unit adds its weighted inputs and its bias to z, then applies "
                f"{layer.activation}.",
                [layer.W],
                [layer.b],
                [layer.z, layer.h],
            )
        yield self._section(
            "Loss", "How wrong that is, and which way.", ["loss"], ["dL/dprediction"]
        )
        for layer in reversed(self.layers):
            yield self._backward(layer)
        moments = [n for n in self.own if "/" in n and f"{n} new" in self.own]
        yield self._section(
            "New weights",
            "The optimizer takes the gradient that the framework returned.",
            *(
                [
                    *(
                        n
                        for m in moments
                        if m.endswith(f"/{p}")
                        for n in (m, f"{m} new")
                    ),
                    f"{p} new",
                ]
                for layer in self.layers
                for p in (layer.W, layer.b)
            ),
        )

    def _backward(self, layer: Layer) -> Section:
        """dL/dh of a layer was computed by the layer above it, or by the loss."""
        dh = [] if layer.h == "prediction" else [f"dL/d{layer.h}"]
        slope = [f"f'({layer.z})"] if layer.elementwise else []
        return self._section(
            f"Backward, layer {layer.number} of {len(self.layers)}",
            "How the loss changes with each h, through f' with each z, and so with each "
            "weight: input times dL/dz. The framework's own gradient stands below each.",
            [*dh, *slope, f"dL/d{layer.z}"],
            [f"dL/d{layer.W}", f"dL/d{layer.W} returned"],
            [f"dL/d{layer.b}", f"dL/d{layer.b} returned"],
        )

    def _section(self, title: str, about: str, *groups: Sequence[str]) -> Section:
        """Tensors of a group have one shape, and their elements take turns."""
        rows = []
        for group in groups:
            errors = {name: self._errors(name) for name in group}
            for index in np.ndindex(self.own[group[0]].shape):
                rows += [self._row(name, index, errors[name]) for name in group]
        return Section(title, about, rows)

    def _row(self, name: str, index: Index, errors: dict[str, np.ndarray]) -> Row:
        widest = max(errors, key=lambda framework: float(errors[framework][index]))
        return Row(
            equation=self._equation(name),
            quantity=self._label(name, index),
            tensor=name,
            index=self._index(name, index),
            formula=self._formula(name, index),
            values={f: arrays[name][index] for f, arrays in self.arrays.items()},
            error_u=float(errors[widest][index]),
            widest=widest,
        )

    def _errors(self, name: str) -> dict[str, np.ndarray]:
        """Framework -> how far each element is from the reference and the equation, in u."""
        found = {}
        key = Key("loss" if name == "loss" else "grad", name)
        check = name.replace(" returned", "").replace(" new", " by equation")
        for framework, arrays in self.arrays.items():
            wants = [self.own[name], arrays.get(check, arrays[name])]
            with np.errstate(invalid="ignore"):
                apart = [
                    agreement.relative_error(key, arrays[name], want) / self.u
                    for want in wants
                ]
            found[framework] = np.nan_to_num(np.maximum(*apart), nan=np.inf)
        return found

    # -- what stands beside the numbers ----------------------------------------------

    def _index(self, name: str, index: Index) -> str:
        if self.B == 1 and name in self.by_example:
            index = index[1:]
        return f"[{','.join(map(str, index))}]" if index else ""

    def _label(self, name: str, index: Index) -> str:
        head, space, tail = name.partition(" ")
        return f"{head}{self._index(name, index)}{space}{tail}"

    def _equation(self, name: str) -> str:
        """Return the number of the equation that is computed, or gone back through."""
        known = self.equations
        weighted, activated = known.get("z_l", known.get("z", "")), known.get("h_l", "")
        output = known.get("prediction", "")
        if name == "x":
            return known.get("h_0", "")
        if name.startswith("dL/d") and name != "dL/dprediction":
            through_f = name in {f"dL/d{layer.z}" for layer in self.layers}
            return (activated or output) if through_f else weighted
        if name == "prediction":
            return activated + output
        if name.startswith("f'") or name in {layer.h for layer in self.layers}:
            return activated or output
        return weighted if name in {layer.z for layer in self.layers} else ""

    def _formula(self, name: str, index: Index) -> str:
        if name == "loss":
            said = _LOSSES.get(self.case.recipe["loss"], (self.case.recipe["loss"],))[0]
            said += " + the penalty" if "penalty" in self.case.recipe else ""
            return said + (", mean over the batch" if self.B > 1 else "")
        if name == "dL/dprediction":
            return self._loss_slope(index)
        if name.endswith(" returned"):
            return "by the framework's own backward pass"
        if name.endswith(" new"):
            return self._update(name.removesuffix(" new"), index)
        for layer in self.layers:
            for formulas in (self._forward_formulas, self._backward_formulas):
                if written := formulas(layer).get(name):
                    return written(index)
        return ""

    def _forward_formulas(self, layer: Layer) -> dict[str, Callable[[Index], str]]:
        x, W, b, z = layer.below, layer.W, layer.b, layer.z
        return {
            z: lambda at: self._sum(
                [[(x, (at[0], i)), (W, (i, at[1]))] for i in self._rows(W)]
                + [[(b, at[1:])]],
                f"sum over i of {x}[{self._e(at)}i] * {W}[i,{at[1]}] + {b}[{at[1]}]",
            ),
            layer.h: lambda at: f"{layer.activation}({self._label(z, at)})",
        }

    def _backward_formulas(self, layer: Layer) -> dict[str, Callable[[Index], str]]:
        x, W, b, z, h = layer.below, layer.W, layer.b, layer.z, layer.h
        slope = f"f'({z})"
        unknown = f"derivative of {layer.activation} at {{z}}"
        return {
            slope: lambda at: self._filled(
                _SLOPES.get(layer.activation, unknown), {"z": (z, at), "h": (h, at)}
            ),
            f"dL/d{z}": lambda at: (
                self._sum([[(f"dL/d{h}", at), (slope, at)]])
                if layer.elementwise
                else f"from dL/d{h} through {layer.activation}"
            ),
            f"dL/d{x}": lambda at: self._sum(
                [[(f"dL/d{z}", (at[0], j)), (W, (at[1], j))] for j in self._rows(b)],
                f"sum over j of dL/d{z}[{self._e(at)}j] * {W}[{at[1]},j]",
            ),
            f"dL/d{W}": lambda at: self._sum(
                [[(x, (e, at[0])), (f"dL/d{z}", (e, at[1]))] for e in range(self.B)],
                f"sum over e of {x}[e,{at[0]}] * dL/d{z}[e,{at[1]}]",
                self._penalty(W, at),
            ),
            f"dL/d{b}": lambda at: self._sum(
                [[(f"dL/d{z}", (e, at[0]))] for e in range(self.B)],
                f"sum over e of dL/d{z}[e,{at[0]}]",
            ),
        }

    def _rows(self, name: str) -> range:
        return range(len(self.own[name]))

    def _e(self, index: Index) -> str:
        return f"{index[0]}," if self.B > 1 else ""

    def _sum(
        self, products: Sequence[Sequence[Factor]], general: str = "", extra: str = ""
    ) -> str:
        """Write a sum of products out, first with names and then with numbers."""
        if len(products) > SPELLED_OUT:
            return general + extra
        names, numbers = (
            " + ".join(" * ".join(write(*factor) for factor in p) for p in products)
            for write in (self._label, self._number)
        )
        return names + extra if extra or names == general else f"{names} = {numbers}"

    def _filled(self, template: str, factors: Mapping[str, Factor]) -> str:
        """Fill a formula twice, with names and with numbers."""
        names = _fill(template, factors, self._label)
        numbers = _fill(template.replace("lr", f"{self.lr:g}"), factors, self._number)
        return names if names == numbers else f"{names} = {numbers}"

    def _number(self, name: str, index: Index) -> str:
        return f"{self.own[name][index]:.6g}"

    def _loss_slope(self, index: Index) -> str:
        """Write the derivative of one example's loss, over B where it is a mean."""
        name, K = self.case.recipe["loss"], self.own["prediction"].shape[1]
        _, slope = _LOSSES.get(name, ("", f"derivative of {name}"))
        slope = slope.replace(" / {K}", f" / {K}" if K > 1 else "")
        if self.B > 1:
            slope = f"({slope}) / {self.B}" if slope[0] != "d" else slope
        slope = slope.replace("{k}", str(index[1]))
        factors: dict[str, Factor] = {"p": ("prediction", index)}
        if self.own["y"].ndim == 2:
            factors["y"] = ("y", index)
        return self._filled(slope, factors)

    def _penalty(self, W: str, index: Index) -> str:
        given = self.case.recipe.get("penalty", {})
        label = self._label(W, index)
        terms = {"l1": f" + l1 * sign({label})", "l2": f" + 2 * l2 * {label}"}
        return "".join(terms[key] for key in sorted(given) if given[key])

    def _update(self, name: str, index: Index) -> str:
        """How a weight, or a moment "m/W_1", moves; only plain descent with its numbers."""
        kind, _, weight = name.rpartition("/")
        optimizer = self.case.recipe["optimizer"]["name"]
        template = _UPDATES.get(optimizer, {}).get(kind, "")
        if "clip" in self.case.recipe:
            template = template.replace("{g}", "clipped({g})")
        if self.case.recipe["optimizer"].get("weight_decay") or not template:
            return f"by {optimizer}"
        factors = {"W": (weight, index), "g": (f"dL/d{weight} returned", index)}
        for moment in ("m", "v"):
            factors[moment] = (f"{moment}/{weight}", index)
            factors[f"new {moment}"] = (f"{moment}/{weight} new", index)
        if f"{weight} by equation" in self.own:
            return self._filled(template, factors)
        return _fill(template, factors, self._label)


def _fill(
    template: str, factors: Mapping[str, Factor], write: Callable[[str, Index], str]
) -> str:
    used = {key: f for key, f in factors.items() if f"{{{key}}}" in template}
    return template.format_map({key: write(*factor) for key, factor in used.items()})
