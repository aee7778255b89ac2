"""What one implementation does with one case, written down: the transcript.

A transcript is a flat dict of arrays, by the keys of `nn_parity.keys`. The same code runs
in every worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from nn_parity import batches, extended, inputs, metrics, registry, schedules
from nn_parity.inputs import Inputs
from nn_parity.keys import Key
from nn_parity.protocol import Adapter, Case, Params, Recipe
from nn_parity.tolerances import PADDING

Transcript = dict[str, np.ndarray]
Say = Callable[[str], None]

GATED_STEPS = {"float64": 100, "float32": 30}
CHUNK = 1000  # examples evaluated at once
# One nudge may by chance hardly point where the training is unstable: those of
# digits-columns, seed 4, move W_x by 1.6e-12, 1.9e-10, 2.0e-10 and 2.4e-10. In
# float32 two numbers below a max pool come within rounding of each other every few steps:
# what one nudge leaves in order, the next one swaps.
NUDGES = {"float64": 3, "float32": 8}


def record(case: Case, framework: str, dtype: str, say: Say) -> Transcript:
    """Run one case in one framework and return everything that is compared.

    scratch also records ``truth/...``: the same code with more digits; and of an
    experiment ``nudged/...``: the same training from weights a rounding error away.
    """
    start = time.perf_counter()
    if dtype == "float32":  # how epochs are run shows in float64; compiling is slow
        case = replace(case, tiers=tuple(t for t in case.tiers if t != "epochs"))
    adapter = _adapter(framework, case, dtype)
    out = short_tiers(adapter, case, GATED_STEPS[dtype])
    if framework == "scratch":
        exact = short_tiers(
            extended.reference(case), extended.affordable(case), GATED_STEPS[dtype]
        )
        out |= {f"truth/{k}": v for k, v in exact.items() if not k.startswith("meta")}
        out["meta/truth"] = np.array(extended.digits(case))
    if "epochs" in case.recipe:
        out |= whole_training(adapter, case, inputs.of(case), say)
    if framework == "scratch" and case.experiment and case.trains:
        out |= nudged(adapter, case, dtype, out, say)
    out["meta/seconds"] = np.array(time.perf_counter() - start)
    return out


_latest: dict[tuple[str, ...], Adapter] = {}


def _adapter(framework: str, case: Case, dtype: str) -> Adapter:
    """Return the adapter of a case: the last one, if only data and weights are others.

    `Adapter.load` returns it to the start, and what it has compiled need not be compiled
    again.
    """
    key = (framework, dtype, case.network, repr(case.sizes), repr(case.recipe))
    if key not in _latest:
        _latest.clear()
        _latest[key] = registry.build(framework, case, dtype=dtype)
    return _latest[key]


def short_tiers(adapter: Adapter, case: Case, steps: int) -> Transcript:
    """Everything but the whole training; short enough for longdouble too."""
    given = inputs.of(case)
    out = initial_weights(adapter, case)
    if case.dataset == "random":
        if "updates" in case.tiers:
            out |= optimizer_tier(adapter, case, given)
        if "epochs" in case.tiers:
            out |= epochs_of_both_kinds(adapter, case, given)
    if case.trains and "steps" in case.tiers:
        out |= first_steps(adapter, case, given, steps)
    return out


def initial_weights(adapter: Adapter, case: Case) -> Transcript:
    """Weights as loaded, activations, output, loss and gradients before any training."""
    out: Transcript = {}
    for seed in case.seeds:
        given = inputs.of(case, seed=seed)
        point = "" if seed == case.seeds[0] else f"seed={seed}"
        adapter.load(given.params, given.state)
        params, state = adapter.export()
        out |= _named("state/loaded", params | state, point)
        if "initial" not in case.tiers:
            return out
        rows = inputs.batch_rows(case, len(given.train["x"]))
        batch = {name: a[rows] for name, a in given.train.items()}
        noise = inputs.noise(case, len(rows), epoch=0)
        out |= one_pass(adapter, batch, noise, point)
        out |= written(adapter, case, batch, point)
        shape = out[Key("output", "prediction", point).text].shape
        out |= upstream_gradients(adapter, case, batch | noise, seed, point, shape)
        if "mask" in batch and not point:
            other = with_other_padding(batch)
            out |= one_pass(adapter, other, noise, PADDING)
            out |= written(adapter, case, other, PADDING)
    possible = registry.spec(case.network).one_example(case.recipe)
    if case.trains and "one" in case.tiers and possible:
        # the last one: a truth table begins with 0 0
        one = {name: a[-1:] for name, a in (batch | noise).items()}
        out |= backward(adapter, one, "B=1")
    return out


def one_pass(
    adapter: Adapter,
    batch: dict[str, np.ndarray],
    noise: dict[str, np.ndarray],
    point: str,
) -> Transcript:
    """Forward without noise, then forward and backward with it, of one batch."""
    outputs = adapter.forward(batch, train=False)
    out = _named("output", {"prediction": outputs.pop("prediction")}, point)
    out |= _named("activation", outputs, point)
    return out | backward(adapter, batch | noise, point)


def written(
    adapter: Adapter, case: Case, data: dict[str, np.ndarray], point: str
) -> Transcript:
    """Tokens that a network which generates makes of what it reads alone."""
    if not registry.spec(case.network).generates:
        return {}
    read = {name: a for name, a in data.items() if not name.startswith("y")}
    tokens = [adapter.generate(chunk) for chunk in _chunks(read)]
    return _named("prediction", {"tokens": np.concatenate(tokens)}, point)


def with_other_padding(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the batch with other values (numbers, token ids) where its mask is 0."""
    x, mask = batch["x"], batch["mask"]
    other = x.max() + x.min() - x if x.dtype.kind in "iu" else 1000 + x
    real = mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)) > 0
    return batch | {"x": np.where(real, x, other)}


def backward(adapter: Adapter, batch: dict[str, np.ndarray], point: str) -> Transcript:
    """Loss and gradients of one batch."""
    losses, grads = adapter.losses_and_grads(batch)
    out = _named("loss", {name: np.array(v) for name, v in losses.items()}, point)
    return out | _named("grad", grads, point)


def upstream_gradients(
    adapter: Adapter,
    case: Case,
    batch: dict[str, np.ndarray],
    seed: int,
    point: str,
    shape: tuple[int, ...],
) -> Transcript:
    """Gradients of sum(prediction * a random array): no loss smooths anything over."""
    whole = case.dataset == "integers"
    upstream = batches.upstream(shape, seed=seed, whole=whole)
    _, grads = adapter.losses_and_grads(batch, upstream=upstream)
    return _named("grad", grads, "@".join(filter(None, ("upstream", point))))


def optimizer_tier(adapter: Adapter, case: Case, given: Inputs) -> Transcript:
    """Parameters and every state array before and after each of 50 recorded gradients."""
    adapter.load(given.params, given.state)
    start = adapter.optimizer_state() | adapter.export()[0]
    history = {name: [value] for name, value in start.items()}
    for k, grads in enumerate(batches.recorded_gradients(given.params)):
        adapter.update(grads, lr=batches.recorded_rate(k, case.recipe["lr"]))
        for name, value in (adapter.optimizer_state() | adapter.export()[0]).items():
            history[name].append(value)
    return _named("state", {n: np.stack(v) for n, v in history.items()}, "50 updates")


def epochs_of_both_kinds(adapter: Adapter, case: Case, given: Inputs) -> Transcript:
    """Two epochs with a ragged last batch, each way of running them."""
    out: Transcript = {}
    n = len(given.train["x"])
    for variant in ("lean", "idiomatic"):
        adapter.load(given.params, given.state)
        for epoch in range(2):
            order = batches.order(n, seed=case.seeds[0], epoch=epoch, shuffle=True)
            noise = inputs.noise(case, n, epoch=epoch)
            losses = adapter.run_epoch(
                given.train, order, noise, case.recipe["lr"], variant=variant
            )
            if variant == "lean":
                out |= _named("curve", losses, f"lean epoch {epoch}")
        params, state = adapter.export()
        out |= _named("trained", params | state, f"{variant} epochs")
    return out


def first_steps(adapter: Adapter, case: Case, given: Inputs, steps: int) -> Transcript:
    """Loss of each of the first training steps, the weights and optimizer state after."""
    adapter.load(given.params, given.state)
    curve: dict[str, list[float]] = {}
    seconds = []
    for batch in first_batches(case, given.train, steps):
        start = time.perf_counter()
        losses = adapter.step(batch, lr=case.recipe["lr"])
        seconds.append(time.perf_counter() - start)
        for name, value in losses.items():
            curve.setdefault(name, []).append(value)
    params, state = adapter.export()
    point = f"{steps} steps"
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
        out |= _named("trained", params | state, "end")
        prediction = predict(adapter, given.train)
        out["meta/train_loss"] = np.array(
            metrics.loss(loss, prediction, given.train["y"])
        )
    prediction = predict(adapter, given.test)
    out["meta/test_loss"] = np.array(metrics.loss(loss, prediction, given.test["y"]))
    out["prediction/test@end"] = prediction
    return out | written(adapter, case, given.test, "end")


def nudged(
    adapter: Adapter, case: Case, dtype: str, own: Transcript, say: Say
) -> Transcript:
    """Train again from weights one unit in the last place above or below, at random.

    How far that leads away from the training itself is its condition: no two ways to
    round can be asked to stay closer. Of several nudges each tensor's farthest counts.
    float32 is gated for its first steps only.
    """
    given = inputs.of(case)
    farthest: Transcript = {}
    for nudge in range(NUDGES[dtype]):
        moved = replace(given, params=_moved(given.params, dtype, nudge))
        out: Transcript = {}
        if "steps" in case.tiers:
            out |= first_steps(adapter, case, moved, GATED_STEPS[dtype])
        if dtype == "float64" and "epochs" in case.recipe:
            out |= whole_training(adapter, case, moved, say)
        for text, array in out.items():
            if text not in own or array.shape != own[text].shape:
                continue  # it diverged, or stopped early
            known = farthest.get(f"nudged/{text}", own[text])
            if _apart(array, own[text]) >= _apart(known, own[text]):
                farthest[f"nudged/{text}"] = array
    return {text: a for text, a in farthest.items() if "/meta/" not in text}


def _moved(params: Params, dtype: str, nudge: int) -> Params:
    rng = np.random.default_rng(nudge)
    moved = {}
    for name, array in params.items():
        towards = np.where(rng.random(array.shape) < 0.5, np.inf, -np.inf)
        moved[name] = np.nextafter(array.astype(dtype), towards.astype(dtype))
    return moved


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).max(initial=0))


def train(adapter: Adapter, case: Case, given: Inputs, say: Say) -> Transcript:
    """Run all epochs from where the adapter stands; losses of every step, and times.

    Stops at a loss that is not finite, and says at which step that was; early, if the
    recipe has patience, when the loss on held-back data has not fallen for so many
    epochs (Prechelt, 1998), and then returns to the best weights.
    """
    recipe = case.recipe
    train, held_back = _split(recipe, given.train)
    data, n = adapter.put(train), len(train["x"])
    steps = -(-n // recipe["batch_size"])
    curve: list[float] = []
    per_epoch, seconds = [], []
    watched: dict[str, list[float]] = {"test": [], "validation": []}
    best = adapter.export()
    last_said = 0.0
    for epoch in range(recipe["epochs"]):
        order = batches.order(
            n, seed=case.seeds[0], epoch=epoch, shuffle=recipe["shuffle"]
        )
        noise = inputs.noise(case, n, epoch=epoch)
        lr = schedules.rates(recipe, epoch, steps)
        start = time.perf_counter()
        loss = adapter.run_epoch(data, order, noise, lr, variant="lean")["loss"]
        seconds.append(time.perf_counter() - start)
        if not np.isfinite(loss).all():
            step = len(curve) + int(np.argmin(np.isfinite(loss)))
            say(f"diverged at step {step}")
            return {"meta/diverged": np.array(step)}
        curve.extend(loss)
        per_epoch.append(loss.mean())
        if recipe.get("watch"):
            watched["test"].append(_mean_loss(adapter, recipe, given.test))
        if held_back is not None:
            watched["validation"].append(_mean_loss(adapter, recipe, held_back))
            waited = epoch - int(np.argmin(watched["validation"]))
            if waited == 0:
                best = adapter.export()
            if waited == recipe["patience"]:
                break
        if time.perf_counter() - last_said > 0.25:
            last_said = time.perf_counter()
            say(f"epoch {epoch + 1}/{recipe['epochs']}, loss {per_epoch[-1]:.4f}")
    if not curve:
        return {}
    if held_back is not None:
        adapter.load(*best)
    observed = {name: np.array(losses) for name, losses in watched.items() if losses}
    return _named("curve", observed, "end") | {
        "curve/loss@end": np.array(curve),
        "meta/epoch_losses": np.array(per_epoch),
        "meta/epoch_seconds": np.array(seconds),
    }


def _split(
    recipe: Recipe, data: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray] | None]:
    """Hold back the last fifth of the training data if early stopping needs it."""
    if "patience" not in recipe:
        return data, None
    n = len(data["x"]) - len(data["x"]) // 5
    return {k: a[:n] for k, a in data.items()}, {k: a[n:] for k, a in data.items()}


def _mean_loss(adapter: Adapter, recipe: Recipe, data: dict[str, np.ndarray]) -> float:
    return metrics.loss(recipe["loss"], predict(adapter, data), data["y"])


def predict(adapter: Adapter, data: dict[str, np.ndarray]) -> np.ndarray:
    """Return predictions (N, K), in chunks that fit into memory."""
    outputs = [adapter.forward(c, train=False)["prediction"] for c in _chunks(data)]
    return np.concatenate(outputs)


def _chunks(data: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(data["x"]), CHUNK):
        yield {name: a[start : start + CHUNK] for name, a in data.items()}


def first_batches(
    case: Case, data: dict[str, np.ndarray], steps: int
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the first batches that training would see, across epochs.

    Of a tiny case only whole ones: JAX compiles a step anew for each size, and the tier
    of epochs has ragged ones.
    """
    B, n = case.recipe["batch_size"], len(data["x"])
    if case.dataset in inputs.TINY_SETS:
        n -= n % B
    epoch = done = 0
    while True:
        order = batches.order(
            n,
            seed=case.seeds[0],
            epoch=epoch,
            shuffle=case.recipe.get("shuffle", False),
        )
        noise = inputs.noise(case, n, epoch=epoch)
        for start in range(0, n, B):
            if done == steps:
                return
            rows = order[start : start + B]
            batch = {name: a[rows] for name, a in data.items()}
            yield batch | {name: a[start : start + B] for name, a in noise.items()}
            done += 1
        epoch += 1


def _named(quantity: str, arrays: Any, point: str) -> Transcript:
    return {Key(quantity, n, point).text: np.asarray(a) for n, a in arrays.items()}


__all__ = ["Params", "Transcript", "first_batches", "predict", "record"]
