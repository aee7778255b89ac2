"""How many floating-point operations a network's matrix products take, counted on scratch.

Counted are the products of matrices (``np.dot``, ``np.matmul`` and ``@`` of two arrays with
at least two axes each) that scratch performs: 2 M N K for (M, K) times (K, N), times the
number of matrices in a stack. Nothing else is: no activation, no sum, no update, no
product with a vector. What comes out is a little less than all the work, and the same for
every framework, so that shares of a processor's peak compare.

The arrays of one pass are of a class that notices the products it meets in. NumPy's
functions that make arrays are replaced meanwhile, so this runs in a process of its own that
times no network.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import mock

import numpy as np

from nn_parity import batches, inputs, registry
from nn_parity.protocol import Case

MAKERS = (
    "array", "asarray", "ascontiguousarray", "empty", "zeros", "ones", "full", "arange",
    "empty_like", "zeros_like", "ones_like", "full_like", "concatenate", "stack", "where",
)  # fmt: skip


class _Counted(np.ndarray):
    """An array whose matrix products are added up in `total`."""

    total = 0
    __array_priority__ = 1.0

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *given: Any, **options: Any
    ) -> Any:
        if ufunc is np.matmul:
            _add(*given)
        out = options.get("out")
        if out is not None:
            options["out"] = tuple(_plain(o) for o in out)
        made = getattr(ufunc, method)(*map(_plain, given), **options)
        return out[0] if out is not None and len(out) == 1 else _counted(made)

    def __array_function__(
        self, function: Any, types: Any, given: Any, options: Any
    ) -> Any:
        if function is np.dot:
            _add(*given[:2])
        elif function is np.einsum:
            raise TypeError("einsum here: count its products, or write matmul")
        return _counted(super().__array_function__(function, types, given, options))

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other, out=out)


def _add(a: Any, b: Any) -> None:
    a, b = np.shape(a), np.shape(b)
    if min(len(a), len(b)) < 2:
        return
    stack = np.broadcast_shapes(a[:-2], b[:-2])
    _Counted.total += 2 * math.prod(stack) * a[-2] * a[-1] * b[-1]


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, _Counted) else value


def _counted(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return value.view(_Counted)
    return value


@contextlib.contextmanager
def _counting() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name in MAKERS:
            made = _making(getattr(np, name))
            stack.enter_context(mock.patch.object(np, name, made))
        yield


def _making(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given, **options: _counted(function(*given, **options))


def count(case: Case, inference: tuple[int, ...]) -> dict[str, int]:
    """Count operations of one training step, and of predicting so many examples.

    Returns
    -------
    dict
        "train" and each of the batch sizes in ``inference``, as text.
    """
    B, most = case.recipe["batch_size"], max(inference)
    given = inputs.of(case)
    order = batches.order(len(given.train["x"]), seed=0, epoch=0, shuffle=False)
    noise = inputs.noise(case, B, epoch=0)

    def taken(n: int) -> dict[str, np.ndarray]:
        rows = np.resize(order, n)
        return {name: np.array(a[rows]) for name, a in given.train.items()}

    batch, rows = taken(B) | noise, taken(most)
    found = {}
    with _counting():
        adapter = registry.build("scratch", case, dtype="float64")
        adapter.load(given.params, given.state)

        def counted(work: Callable[[], Any]) -> int:
            _Counted.total = 0
            work()
            return _Counted.total

        batch = {name: _counted(a) for name, a in batch.items()}
        found["train"] = counted(lambda: adapter.step(batch, lr=0.0))
        for n in inference:
            x = {name: _counted(a[:n]) for name, a in rows.items()}
            found[str(n)] = counted(partial(adapter.forward, x, train=False))
    return found
