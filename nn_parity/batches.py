"""Tiny random batches, recorded gradients and the order of examples; all from NumPy."""

from __future__ import annotations

import numpy as np

from nn_parity.protocol import Params, Recipe

# losses whose target is a class index; all others take an array of prediction's shape
INDEX_LOSSES = ("softmax_cross_entropy", "multiclass_hinge")
BINARY_LOSSES = ("binary_cross_entropy",)
DISTRIBUTION_LOSSES = ("softmax_cross_entropy_one_hot", "kl_divergence")
UPDATES = 50  # recorded gradients: long enough for Adam's bias correction to fade


def values(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw normal numbers that float32 holds exactly."""
    return rng.normal(size=shape).astype(np.float32).astype(np.float64)


def small_integers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw from {-2 .. 2}: sums and products stay exact in float32."""
    return rng.integers(-2, 3, size=shape).astype(np.float64)


def finite(array: np.ndarray) -> np.ndarray:
    """Return the array; ValueError if it holds NaN or infinity."""
    if not np.isfinite(array).all():
        raise ValueError("not finite")
    return array


def targets(recipe: Recipe, n: int, K: int, rng: np.random.Generator) -> np.ndarray:
    """Draw targets of the type and shape that a loss expects."""
    if recipe["loss"] in INDEX_LOSSES:
        return rng.integers(0, K, size=n)
    if recipe["loss"] in BINARY_LOSSES:
        return rng.integers(0, 2, size=(n, K)).astype(np.float64)
    if recipe["loss"] == "hinge":
        return rng.choice([-1.0, 1.0], size=(n, K))
    if recipe["loss"] in DISTRIBUTION_LOSSES:
        return _distributions(rng, n, K)
    return values(rng, n, K)


def _distributions(rng: np.random.Generator, n: int, K: int) -> np.ndarray:
    """Draw probabilities in multiples of 1/256; some are 0, and every third row is one-hot."""
    p = np.floor(rng.dirichlet(np.full(K, 0.7), size=n) * 256) / 256
    p[:, 0] += 1 - p.sum(axis=1)
    p[::3] = np.eye(K)[rng.integers(0, K, size=len(p[::3]))]
    return p


def order(n: int, *, seed: int, epoch: int, shuffle: bool) -> np.ndarray:
    """Return the order of the examples in one epoch (epoch 0 is the first)."""
    if not shuffle:
        return np.arange(n)
    return np.random.default_rng([seed, epoch, *b"order"]).permutation(n)


def upstream(shape: tuple[int, ...], *, seed: int, whole: bool) -> np.ndarray:
    """Draw the gradient that comes from above, in whole numbers for the exact tier.

    Never ones, which hide errors of scale; and of one sign, since a sum over the batch
    that happens to cancel would make honest rounding look large.
    """
    rng = np.random.default_rng([seed, *b"upstream"])
    if whole:
        return rng.integers(1, 4, shape).astype(np.float64)
    return rng.uniform(0.5, 1.5, shape).astype(np.float32).astype(np.float64)


def recorded_gradients(params: Params) -> list[Params]:
    """Gradients for the optimizer tier.

    The first axis of each tensor is scaled from 1 down to 1e-9, its last row is zero
    from the tenth update on, and at the twentieth update the first tensor has no
    gradient at all: that is where epsilons, moments and step counts differ.
    """
    names = list(params)
    recorded = []
    for k in range(UPDATES):
        rng = np.random.default_rng([k, *b"gradient"])
        grads = {}
        for name in names:
            shape = params[name].shape
            g = rng.normal(size=shape)
            scale = np.logspace(0, -9, shape[0]) if shape[0] > 1 else np.full(1, 1e-5)
            g *= scale.reshape(-1, *[1] * (len(shape) - 1))
            if k >= 10 and shape[0] > 1:
                g[-1] = 0
            grads[name] = g.astype(np.float32).astype(np.float64)
        if k == 20 and len(names) > 1:
            del grads[names[0]]
        recorded.append(grads)
    return recorded


def recorded_rate(k: int, lr: float) -> float:
    """Learning rate of update k: it drops in the middle, where momenta differ."""
    return lr if k < UPDATES // 2 else lr / 10
