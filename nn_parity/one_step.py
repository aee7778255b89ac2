"""One training step as a framework takes it: what goes in, what comes out, all recorded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nn_parity import inputs, registry, schedules, transcripts
from nn_parity.protocol import Case, Recipe


def record(
    case: Case, framework: str, dtype: str, step: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train all steps before ``step``, then record that one; steps count from 0.

    Returns
    -------
    dict
        JSON-ready: ``arrays`` by name (the batch, weights and moments before, every
        activation, ``loss``, ``dL/dW_1 returned`` as the framework differentiates,
        ``W_1 new`` and ``m/W_1 new`` after its own update), ``lr`` and ``t``, the number
        of updates so far. Or ``diverged``: the step whose loss was no number any more.
    """
    adapter = registry.build(framework, case, dtype=dtype)
    given = inputs.of(case)
    adapter.load(given.params, given.state)
    steps = -(-len(given.train["x"]) // case.recipe["batch_size"])
    for k, batch in enumerate(transcripts.first_batches(case, given.train, step + 1)):
        lr = _rate(case.recipe, k, steps)
        if k == step:
            break
        losses = adapter.step(batch, lr=lr)
        if not all(map(math.isfinite, losses.values())):
            return {"diverged": k}
        if k % 100 == 0:
            say(f"epoch {k // steps + 1}, step {k} of {step}")
    arrays = dict(batch) | adapter.export()[0] | _moments(adapter)
    arrays |= adapter.forward(batch, train=True)
    losses, grads = adapter.losses_and_grads(batch)
    arrays |= {name: np.array(value) for name, value in losses.items()}
    arrays |= {f"dL/d{name} returned": g for name, g in grads.items()}
    adapter.step(batch, lr=lr)
    after = adapter.export()[0] | _moments(adapter)
    arrays |= {f"{name} new": value for name, value in after.items()}
    plain = {name: value.tolist() for name, value in arrays.items()}
    return {"arrays": plain, "lr": lr, "t": int(adapter.optimizer_state()["t"])}


def _rate(recipe: Recipe, k: int, steps: int) -> float:
    rates = np.broadcast_to(schedules.rates(recipe, k // steps, steps), steps)
    return float(rates[k % steps])


def _moments(adapter: Any) -> dict[str, np.ndarray]:
    state = adapter.optimizer_state()
    return {name: value for name, value in state.items() if name != "t"}
