"""What one implementation does with one case, written down: the transcript.

A transcript is a flat dict of arrays. A key is ``<quantity>/<tensor>[@<point>]``, for
example ``grad/W_1@upstream``; the quantities are those of parity.csv, and ``meta/...``
is what is not compared. The same code runs in every worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nn_parity import batches, inputs, metrics, registry
from nn_parity.inputs import Inputs
from nn_parity.protocol import Adapter, Case, Params

Transcript = dict[str, np.ndarray]
Say = Callable[[str], None]

GATED_STEPS = {"float64": 100, "float32": 30}
CHUNK = 1000  # examples evaluated at once


def record(case: Case, framework: str, dtype: str, say: Say) -> Transcript:
    """Run one case in one framework and return everything that is compared.

    scratch also records ``truth/...``: the same code in longdouble.
    """
    start = time.perf_counter()
    adapter = registry.build(framework, case, dtype=dtype)
    out = short_tiers(adapter, case, GATED_STEPS[dtype])
    if framework == "scratch":
        truth = registry.build(framework, case, dtype="longdouble")
        exact = short_tiers(truth, case, GATED_STEPS[dtype])
        out |= {f"truth/{k}": v for k, v in exact.items() if not k.startswith("meta")}
    if "epochs" in case.recipe:
        out |= whole_training(adapter, case, inputs.of(case), say)
    out["meta/seconds"] = np.array(time.perf_counter() - start)
    return out


def short_tiers(adapter: Adapter, case: Case, steps: int) -> Transcript:
    """Everything but the whole training; short enough for longdouble too."""
    out = initial_weights(adapter, case)
    given = inputs.of(case)
    if case.dataset == "random":
        out |= optimizer_tier(adapter, case, given)
        out |= epochs_of_both_kinds(adapter, case, given)
    if case.trains:
        out |= first_steps(adapter, case, given, steps)
    return out


def initial_weights(adapter: Adapter, case: Case) -> Transcript:
    """Weights as loaded, activations, output, loss and gradients before any training."""
    out: Transcript = {}
    for seed in case.seeds:
        given = inputs.of(case, seed=seed)
        point = "" if seed == case.seeds[0] else f"@seed={seed}"
        adapter.load(given.params, given.state)
        params, state = adapter.export()
        out |= _named("state/loaded", params | state, point)
        rows = inputs.batch_rows(case, len(given.train["x"]))
        batch = {name: a[rows] for name, a in given.train.items()}
        out |= one_pass(adapter, batch, point)
        out |= upstream_gradients(adapter, case, batch, seed, point)
    if case.trains:
        one = {
            name: a[-1:] for name, a in batch.items()
        }  # a truth table begins with 0 0
        out |= one_pass(adapter, one, "@B=1")
    return out


def one_pass(adapter: Adapter, batch: dict[str, np.ndarray], point: str) -> Transcript:
    """Forward and backward of one batch."""
    outputs = adapter.forward(batch, train=False)
    out = _named("output", {"prediction": outputs.pop("prediction")}, point)
    out |= _named("activation", outputs, point)
    losses, grads = adapter.losses_and_grads(batch)
    out |= _named("loss", {name: np.array(v) for name, v in losses.items()}, point)
    return out | _named("grad", grads, point)


def upstream_gradients(
    adapter: Adapter, case: Case, batch: dict[str, np.ndarray], seed: int, point: str
) -> Transcript:
    """Gradients of sum(prediction * a random array): no loss smooths anything over."""
    shape = adapter.forward(batch, train=True)["prediction"].shape
    whole = case.dataset == "integers"
    upstream = batches.upstream(shape, seed=seed, whole=whole)
    _, grads = adapter.losses_and_grads(batch, upstream=upstream)
    return _named("grad", grads, f"@upstream{point}")


def optimizer_tier(adapter: Adapter, case: Case, given: Inputs) -> Transcript:
    """Parameters and every state array after each of 50 recorded gradients."""
    adapter.load(given.params, given.state)
    history: dict[str, list[np.ndarray]] = {}
    for k, grads in enumerate(batches.recorded_gradients(given.params)):
        adapter.update(grads, lr=batches.recorded_rate(k, case.recipe["lr"]))
        for name, value in (adapter.optimizer_state() | adapter.export()[0]).items():
            history.setdefault(name, []).append(value)
    return _named("state", {n: np.stack(v) for n, v in history.items()}, "@50 updates")


def epochs_of_both_kinds(adapter: Adapter, case: Case, given: Inputs) -> Transcript:
    """Two epochs with a ragged last batch, each way of running them."""
    out: Transcript = {}
    n = len(given.train["x"])
    for variant in ("lean", "idiomatic"):
        adapter.load(given.params, given.state)
        for epoch in range(2):
            order = batches.order(n, seed=case.seeds[0], epoch=epoch, shuffle=True)
            losses = adapter.run_epoch(
                given.train, order, {}, case.recipe["lr"], variant=variant
            )
            if variant == "lean":
                out |= _named("curve", losses, f"@lean epoch {epoch}")
        params, state = adapter.export()
        out |= _named("trained", params | state, f"@{variant} epochs")
    return out


def first_steps(adapter: Adapter, case: Case, given: Inputs, steps: int) -> Transcript:
    """Loss of each of the first training steps, the weights and optimizer state after."""
    adapter.load(given.params, given.state)
    curve: dict[str, list[float]] = {}
    seconds = []
    for batch in _batches(case, given.train, steps):
        start = time.perf_counter()
        losses = adapter.step(batch, lr=case.recipe["lr"])
        seconds.append(time.perf_counter() - start)
        for name, value in losses.items():
            curve.setdefault(name, []).append(value)
    params, state = adapter.export()
    point = f"@{steps} steps"
    out = _named("curve", {n: np.array(v) for n, v in curve.items()}, point)
    out |= _named("trained", params | state, point)
    out |= _named("state", adapter.optimizer_state(), point)
    out["meta/step_seconds"] = np.array(seconds)
    return out


def whole_training(adapter: Adapter, case: Case, given: Inputs, say: Say) -> Transcript:
    """Train all epochs, then predict the test set."""
    adapter.load(given.params, given.state)
    out = train(adapter, case, given, say)
    if "meta/diverged" in out:
        return out
    loss, trains = case.recipe["loss"], bool(case.recipe["epochs"])
    if trains:
        params, state = adapter.export()
        out |= _named("trained", params | state, "@end")
        prediction = predict(adapter, given.train)
        out["meta/train_loss"] = np.array(
            metrics.loss(loss, prediction, given.train["y"])
        )
    prediction = predict(adapter, given.test)
    out["meta/test_loss"] = np.array(metrics.loss(loss, prediction, given.test["y"]))
    out["prediction/test@end"] = prediction
    return out


def train(adapter: Adapter, case: Case, given: Inputs, say: Say) -> Transcript:
    """Run all epochs from where the adapter stands; losses of every step, and times.

    Stops at a loss that is not finite, and says at which step that was.
    """
    data, recipe, n = adapter.put(given.train), case.recipe, len(given.train["x"])
    curve: list[float] = []
    per_epoch, seconds = [], []
    last_said = 0.0
    for epoch in range(recipe["epochs"]):
        order = batches.order(
            n, seed=case.seeds[0], epoch=epoch, shuffle=recipe["shuffle"]
        )
        start = time.perf_counter()
        loss = adapter.run_epoch(data, order, {}, recipe["lr"], variant="lean")["loss"]
        seconds.append(time.perf_counter() - start)
        if not np.isfinite(loss).all():
            step = len(curve) + int(np.argmin(np.isfinite(loss)))
            say(f"diverged at step {step}")
            return {"meta/diverged": np.array(step)}
        curve.extend(loss)
        per_epoch.append(loss.mean())
        if time.perf_counter() - last_said > 0.25:
            last_said = time.perf_counter()
            say(f"epoch {epoch + 1}/{recipe['epochs']}, loss {per_epoch[-1]:.4f}")
    if not curve:
        return {}
    return {
        "curve/loss@end": np.array(curve),
        "meta/epoch_losses": np.array(per_epoch),
        "meta/epoch_seconds": np.array(seconds),
    }


def predict(adapter: Adapter, data: dict[str, np.ndarray]) -> np.ndarray:
    """Return predictions (N, K), in chunks that fit into memory."""
    n = len(data["x"])
    chunks = (
        {name: a[start : start + CHUNK] for name, a in data.items()}
        for start in range(0, n, CHUNK)
    )
    outputs = [adapter.forward(c, train=False)["prediction"] for c in chunks]
    return np.concatenate(outputs)


def _batches(
    case: Case, data: dict[str, np.ndarray], steps: int
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the first batches that training would see, across epochs."""
    B, n = case.recipe["batch_size"], len(data["x"])
    epoch = done = 0
    while True:
        order = batches.order(
            n,
            seed=case.seeds[0],
            epoch=epoch,
            shuffle=case.recipe.get("shuffle", False),
        )
        for start in range(0, n, B):
            if done == steps:
                return
            rows = order[start : start + B]
            yield {name: a[rows] for name, a in data.items()}
            done += 1
        epoch += 1


def _named(quantity: str, arrays: Any, point: str) -> Transcript:
    return {f"{quantity}/{n}{point}": np.asarray(a) for n, a in arrays.items()}


__all__ = ["Params", "Transcript", "predict", "record"]
