"""Case -> initial weights and arrays: the same in every worker, whatever the framework."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nn_parity import batches, registry, weights
from nn_parity.protocol import Case, Params, Spec

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset

TINY = 16  # examples of a tiny case: five batches of 3 and a ragged one of one example
LOGITS = (60.0, -60.0, 800.0, -800.0, 0.0, 21.0)  # far beyond where e^z overflows


@dataclass(frozen=True)
class Inputs:
    """Everything a worker feeds to an adapter."""

    params: Params
    state: Params
    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]


def of(case: Case, *, seed: int | None = None) -> Inputs:
    """Build the arrays of a case; ``seed`` defaults to the first of its seeds."""
    seed = case.seeds[0] if seed is None else seed
    spec = registry.spec(case.network)
    params, state = initial(spec, case, seed)
    if case.dataset in TINY_SETS:
        train = TINY_SETS[case.dataset](spec, case, seed, params)
        return Inputs(params, state, train, {})
    train, test = _dataset(case)
    return Inputs(params, state, train, test)


def initial(spec: Spec, case: Case, seed: int) -> tuple[Params, Params]:
    """Return drawn weights, or those of the case's weight file."""
    drawn = weights.initial(spec.params(case.sizes, case.recipe), seed=seed)
    state = weights.initial(spec.state(case.sizes, case.recipe), seed=seed)
    if case.weights is None:
        return drawn, state
    from nn_parity import weight_files

    params, state, _ = weight_files.read(
        case.weights,
        expected={name: value.shape for name, value in drawn.items()},
        expected_state={name: value.shape for name, value in state.items()},
        network=case.network,
        dtype="float64",
    )
    return params, state


def noise(case: Case, n: int, *, epoch: int) -> dict[str, np.ndarray]:
    """Masks and other draws of one epoch: row i goes with its i-th example."""
    rng = np.random.default_rng([case.seeds[0], epoch, *b"noise"])
    return registry.spec(case.network).noise(case.sizes, case.recipe, n, rng)


def batch_rows(case: Case, n: int) -> np.ndarray:
    """Rows of the first batch; small batches are filled up to 32 examples."""
    size = max(case.recipe["batch_size"], 32)
    order = batches.order(
        n, seed=case.seeds[0], epoch=0, shuffle=case.recipe.get("shuffle", False)
    )
    return order[:size]


@lru_cache(maxsize=1)  # a worker asks for the same one several times a case
def _loaded(name: str, folder: str | None) -> Dataset:
    from nn_parity import datasets

    return datasets.load(name, data=folder)


def _dataset(case: Case) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    data = _loaded(case.dataset, case.data)
    return (
        arranged(case, data.x_train, data.y_train),
        arranged(case, data.x_test, data.y_test),
    )


def arranged(case: Case, x: np.ndarray, y: np.ndarray | None = None) -> Params:
    """Return a data set's examples as the network takes them; `Spec.arrange`."""
    return registry.spec(case.network).arrange(case.sizes, x, y)


def _random(spec: Spec, case: Case, seed: int, params: Params) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, *b"batch"])
    return spec.batch(case.sizes, case.recipe, TINY, rng)


def _integers(
    spec: Spec, case: Case, seed: int, params: Params
) -> dict[str, np.ndarray]:
    """Whole numbers everywhere: every sum is exact in float32, so equal means ==."""
    rng = np.random.default_rng([seed, *b"integers"])
    for name, value in params.items():
        params[name] = batches.small_integers(rng, *value.shape)
    batch = spec.batch(case.sizes, case.recipe, TINY, rng)  # 2^k: the mean stays exact
    return {
        name: a if (a == np.round(a)).all() else batches.small_integers(rng, *a.shape)
        for name, a in batch.items()
    }


def _saturated(
    spec: Spec, case: Case, seed: int, params: Params
) -> dict[str, np.ndarray]:
    """Make sums of +-60 and +-800: one layer takes them from its weights, others read them."""
    rng = np.random.default_rng([seed, *b"saturated"])
    batch = spec.batch(case.sizes, case.recipe, TINY, rng)
    rows, D = batch["x"].shape
    logits = np.array([np.roll(LOGITS, i) for i in range(rows)])
    if len(params) > 2:  # layers above: the first of them reads x itself
        return batch | {"x": logits[:, :D]}
    (name, W), (bias, b) = params.items()
    params[name] = logits[:D, : W.shape[1]]
    params[bias] = np.zeros_like(b)
    return batch | {"x": np.eye(D)[np.arange(rows) % D]}


TINY_SETS = {"random": _random, "integers": _integers, "saturated": _saturated}
