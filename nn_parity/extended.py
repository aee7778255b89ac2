"""Truth: the reference once more with more digits, to say which side is wrong.

Where NumPy's long double has 64 bits of mantissa or more, that is the very same code in
another dtype. Where long double is only another name for double (Windows, ARM), the same
code runs on arrays of mpmath's numbers: correct to 113 bits and about a thousand times
slower, so only the tiny cases get it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity import inputs, registry

if TYPE_CHECKING:
    from nn_parity.protocol import Adapter, Batch, Case, Losses, Params

LONG = bool(np.finfo(np.longdouble).eps < np.finfo(np.float64).eps)
AFFORDABLE = 2e7  # weights of a step, each as often as it is used
BITS = 113  # of the mantissa, as in IEEE 754's binary128
_METHODS = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "sin": "sin", "cos": "cos",
    "arctan": "atan", "log1p": "log1p", "expm1": "expm1",
}  # fmt: skip


def digits(case: Case) -> str:
    """Return what the truth of a case is computed in: "double" is no truth at all."""
    if LONG:
        return "long double"
    tiny = case.dataset in inputs.TINY_SETS
    return "mpmath" if tiny and "gelu" not in _units(case) else "double"


def _units(case: Case) -> set[str]:
    """Activations of a case; the constants of erf, for gelu, end with long double."""
    layers = {layer["name"] for layer in case.recipe.get("layers", ())}
    return layers | set(case.recipe.get("activations", ()))


def affordable(case: Case) -> Case:
    """Return the case with the tiers that its truth has time for.

    Long double has no BLAS. Where a training step is some hundred million products, a
    hundred of them would take minutes: the truth of such a case is its first pass.
    """
    spec = registry.spec(case.network)
    weights = sum(math.prod(p.shape) for p in spec.params(case.sizes, case.recipe))
    uses = case.recipe["batch_size"] * case.sizes.get("T", 1)  # one use a time step
    if weights * uses < AFFORDABLE:
        return case
    return replace(case, tiers=tuple(tier for tier in case.tiers if tier != "steps"))


def reference(case: Case) -> Adapter:
    """Return scratch's adapter of a case in the most digits that this machine affords."""
    if digits(case) == "mpmath":
        return ManyDigits(case)
    return registry.build("scratch", case, dtype="longdouble")


@cache
def _context() -> Any:
    """Return mpmath with numbers that NumPy's functions take.

    ``np.exp`` of an array of objects calls each one's method ``exp``. The methods are
    added to this context's own number type, not to mpmath's.
    """
    import mpmath

    context = mpmath.MPContext()
    context.prec = BITS
    number = context.mpf
    for ours, theirs in _METHODS.items():
        function = getattr(context, theirs)
        setattr(number, ours, lambda self, function=function: function(self))
    number.real = property(lambda self: self)
    number.item = lambda self: self
    return context


def _wide(array: np.ndarray) -> np.ndarray:
    """Return an array of mpmath's numbers; whole numbers (labels, token ids) stay."""
    array = np.asarray(array)
    if array.dtype.kind != "f" and array.dtype != object:
        return array
    number = _context().mpf
    wide = np.empty(array.shape, object)
    wide.ravel()[:] = [number(value) for value in array.ravel().tolist()]
    return wide


def _rounded(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array.astype(np.float64) if array.dtype == object else array


class ManyDigits:
    """Scratch's adapter on arrays of mpmath's numbers; what it returns is rounded once."""

    def __init__(self, case: Case) -> None:
        self._adapter: Any = registry.build("scratch", case, dtype="object")

    def load(self, params: Params, state: Params) -> None:
        """Take weights and state, as every adapter does."""
        self._adapter.load(params, state)
        for own in (self._adapter.params, self._adapter.state):
            for array in own.values():
                array[...] = _wide(array)

    def export(self) -> tuple[Params, Params]:
        """Return parameters and state."""
        params, state = self._adapter.export()
        return _all(_rounded, params), _all(_rounded, state)

    def forward(self, batch: Batch, *, train: bool) -> Params:
        """Return "prediction" and every named activation."""
        outputs = self._adapter.forward(_all(_wide, batch), train=train)
        return _all(_rounded, outputs)

    def generate(self, batch: Batch) -> np.ndarray:
        """Return token ids."""
        return self._adapter.generate(_all(_wide, batch))

    def losses_and_grads(
        self,
        batch: Batch,
        *,
        player: str | None = None,
        upstream: np.ndarray | None = None,
    ) -> tuple[Losses, Params]:
        """Return losses and gradients."""
        above = None if upstream is None else _wide(upstream)
        losses, grads = self._adapter.losses_and_grads(
            _all(_wide, batch), player=player, upstream=above
        )
        return _floats(losses), _all(_rounded, grads)

    def update(self, grads: Params, *, lr: float) -> None:
        """Apply one optimizer update with these gradients."""
        self._adapter.update(_all(_wide, grads), lr=lr)

    def step(self, batch: Batch, *, lr: float) -> Losses:
        """Train on one batch."""
        return _floats(self._adapter.step(_all(_wide, batch), lr=lr))

    def optimizer_state(self) -> Params:
        """Return "t", "m/W_1", ..."""
        return _all(_rounded, self._adapter.optimizer_state())

    def load_optimizer_state(self, state: Params) -> None:
        """Take what `optimizer_state` returned."""
        self._adapter.load_optimizer_state(state)

    def put(self, data: Batch) -> Params:
        """Convert a whole data set once."""
        return _all(_wide, data)

    def run_epoch(
        self,
        data: Batch,
        order: np.ndarray,
        noise: Batch,
        lr: float | np.ndarray,
        *,
        variant: str,
    ) -> Params:
        """Train one epoch."""
        losses = self._adapter.run_epoch(
            self.put(data), order, self.put(noise), lr, variant=variant
        )
        return _all(_rounded, losses)


def _all(function: Any, arrays: Batch) -> Params:
    return {name: function(array) for name, array in arrays.items()}


def _floats(losses: Any) -> Losses:
    return {name: float(value) for name, value in losses.items()}
