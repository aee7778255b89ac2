"""One network in NumPy, PyTorch, Keras and JAX: same weights, same numbers, measured.

>>> from nn_parity import compare
>>> run = compare("hiring")  # doctest: +SKIP
>>> run.parity  # doctest: +SKIP

`compare`, `parity`, `bench`, `predict`, `trace`, `verify` and `open_run` are the Python API.
They are imported when first used, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn_parity.errors import Refusal
    from nn_parity.predicting import predict
    from nn_parity.results import Run, open_run
    from nn_parity.runs import bench, compare, parity
    from nn_parity.tracing import trace
    from nn_parity.verifying import verify

_HOMES = {
    "bench": "nn_parity.runs",
    "compare": "nn_parity.runs",
    "parity": "nn_parity.runs",
    "predict": "nn_parity.predicting",
    "trace": "nn_parity.tracing",
    "verify": "nn_parity.verifying",
    "Run": "nn_parity.results",
    "open_run": "nn_parity.results",
    "Refusal": "nn_parity.errors",
}
__all__ = [
    "Refusal", "Run", "bench", "compare", "open_run", "parity", "predict", "trace", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nn_parity' has no attribute '{name}'")
