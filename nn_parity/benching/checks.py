"""Whether every way to run an epoch ends with the weights that `step` reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from nn_parity import batches, inputs, registry, tolerances
from nn_parity.protocol import Case, Params

FULL_BATCHES = 3  # and a smaller one


def variants(
    case: Case, framework: str, dtype: str, names: Iterable[str]
) -> dict[str, dict[str, float]]:
    """Return how far each variant is from `step`, for each tensor, after a short epoch.

    The error is the largest one relative to the largest value of the tensor.
    """
    B, lr = case.recipe["batch_size"], case.recipe["lr"]
    given = inputs.of(case)
    n = min(len(given.train["x"]), FULL_BATCHES * B + (B + 1) // 2)
    data = {name: a[:n] for name, a in given.train.items()}
    order = batches.order(n, seed=0, epoch=0, shuffle=True)
    noise = inputs.noise(case, n, epoch=0)
    adapter = registry.build(framework, case, dtype=dtype)

    adapter.load(given.params, given.state)
    for start in range(0, n, B):
        rows = order[start : start + B]
        batch = {name: a[rows] for name, a in data.items()}
        batch |= {name: a[start : start + B] for name, a in noise.items()}
        adapter.step(batch, lr=lr)
    want = adapter.export()[0]

    found = {}
    for name in names:
        adapter.load(given.params, given.state)
        adapter.run_epoch(data, order, noise, lr, variant=name)
        found[name] = _errors(adapter.export()[0], want)
    return found


def _errors(got: Params, want: Params) -> dict[str, float]:
    scale = {name: float(np.abs(a).max()) or 1.0 for name, a in want.items()}
    return {
        name: float(np.abs(got[name] - want[name]).max()) / scale[name] for name in want
    }


def objection(
    errors: Mapping[str, float], case: Case, framework: str, dtype: str
) -> str:
    """Return which tensor a variant gets wrong, or "" if it gets them right."""
    for tensor, error in errors.items():
        where = framework, dtype
        gate = tolerances.gate("trained", tensor, "lean epochs", case, where).value
        if gate is not None and not error <= gate:
            return (
                f"its epoch does not end with step()'s weights: {tensor} is off by "
                f"{error:.2g}, gate {gate:.2g}"
            )
    return ""
