"""Losses: scratch against textbook formulas, the complex step and longdouble."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.stacks import (
    LOSSES,
    SATURATED,
    SEEDS,
    WIDE,
    U,
    drawn,
    in_u,
    quick,
    short,
    target,
)
from scratch import (
    losses,
)


def own(a, dtype):
    """Floats in a dtype; labels stay what they are."""
    return a if a is None or a.dtype.kind in "iu" else a.astype(dtype)


def problem(loss, seed, B=7, K=4, *, saturated=False):
    rng = np.random.default_rng(seed)
    p = (
        rng.choice(SATURATED, (B, K))
        if saturated
        else short(2 * rng.normal(size=(B, K)))
    )
    return p, target(loss, rng, B, K), short(rng.random(B) + 0.1)


def log_softmax(p):
    p = p - p.max(axis=1, keepdims=True)
    return p - np.log(np.exp(p).sum(axis=1, keepdims=True))


def each_example(loss, p, y):
    """The loss of every example by itself, as a textbook writes it."""
    rows, K = np.arange(len(p)), p.shape[1]
    if loss == "softmax_cross_entropy":
        return -log_softmax(p)[rows, y]
    if loss == "softmax_cross_entropy_one_hot":
        return -(y * log_softmax(p)).sum(axis=1)
    if loss == "kl_divergence":
        safe = np.where(y == 0, 1, y)
        return (y * (np.log(safe) - log_softmax(p))).sum(axis=1)
    if loss == "multiclass_hinge":
        margins = np.maximum(0, 1 - p[rows, y][:, None] + p)
        return (margins.sum(axis=1) - 1) / K  # the true class contributed exactly 1
    if loss == "binary_cross_entropy":
        return np.where(y == 1, np.logaddexp(0, -p), np.logaddexp(0, p)).mean(axis=1)
    if loss == "hinge":
        return np.maximum(0, 1 - y * p).mean(axis=1)
    r = np.abs(p - y)
    if loss.startswith("huber"):
        return np.where(r <= 0.7, r * r / 2, 0.7 * (r - 0.35)).mean(axis=1)
    if loss == "mse":
        return (r * r).mean(axis=1)
    return (r * r).sum(axis=1) * (0.5 if loss.startswith("half") else 1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("saturated", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@quick
@given(seed=SEEDS, B=st.integers(1, 6), K=st.integers(1, 5))
def test_loss_is_the_textbook_mean_or_weighted_mean(
    loss, saturated, weighted, seed, B, K
):
    p, y, weight = problem(loss, seed, B, K, saturated=saturated)
    forward, _ = losses.loss_pair(loss)
    value, _ = forward(p, y, weight if weighted else None)
    each = each_example(loss, p.astype(WIDE), own(y, WIDE))
    truth = np.average(each, weights=weight.astype(WIDE) if weighted else None)
    assert abs(value - truth) <= 16 * U["float64"] * max(1, np.abs(each).max())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@quick
@given(seed=SEEDS, B=st.integers(1, 6), K=st.integers(1, 5))
def test_loss_gradient_is_the_complex_step_derivative(loss, weighted, seed, B, K):
    p, y, weight = problem(loss, seed, B, K)
    weight = weight if weighted else None
    direction = drawn(seed + 1, B, K)
    forward, backward = losses.loss_pair(loss)
    exact = backward(forward(p, y, weight)[1]) * direction
    stepped, cache = forward(p + 1e-30j * direction, own(y, complex), weight)
    assert backward(cache).dtype == complex
    error = abs(exact.sum() - stepped.imag / 1e-30)
    assert error <= 16 * U["float64"] * max(np.abs(exact).sum(), 1e-2)


@pytest.mark.parametrize("saturated", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
@quick
@given(seed=SEEDS)
def test_loss_and_gradient_round_by_a_few_units(loss, dtype, saturated, seed):
    p, y, weight = problem(loss, seed, saturated=saturated)
    forward, backward = losses.loss_pair(loss)
    results = {}
    for width in (dtype, "longdouble"):
        value, cache = forward(p.astype(width), own(y, width), weight.astype(width))
        results[width] = np.array(value), backward(cache)
    for value, truth in zip(*results.values(), strict=True):
        assert np.isfinite(value).all()
        assert value.dtype == np.dtype(dtype)
        assert truth.dtype == WIDE
    (value, gradient), (truth, true_gradient) = results.values()
    assert in_u(value, truth, dtype, floor=1) <= 64
    assert in_u(gradient, true_gradient, dtype, floor=1e-2) <= 64


@pytest.mark.parametrize("loss", LOSSES)
def test_a_weight_of_two_is_the_example_twice(loss):
    p, y, _ = problem(loss, 0)
    forward, backward = losses.loss_pair(loss)
    times = np.array([1, 2, 3, 0, 1, 1, 2])
    value, cache = forward(p, y, times.astype(float))
    repeated, _ = forward(np.repeat(p, times, axis=0), np.repeat(y, times, axis=0))
    assert value == pytest.approx(repeated, rel=1e-14)
    assert (backward(cache)[3] == 0).all()


def test_derivative_of_a_hinge_at_its_kink_is_zero():
    forward, backward = losses.LOSSES["hinge"]
    one = np.array([[1.0], [-1.0]])
    assert (backward(forward(one, one)[1]) == 0).all()
    forward, backward = losses.LOSSES["multiclass_hinge"]
    assert (backward(forward(np.array([[3.0, 2.0]]), np.array([0]))[1]) == 0).all()


@pytest.mark.parametrize(
    "loss", [n for n in LOSSES if target(n, np.random.default_rng(0), 3, 1).ndim == 2]
)
def test_a_target_of_another_shape_is_refused(loss):
    forward, _ = losses.loss_pair(loss)
    with pytest.raises(ValueError, match="differ in shape"):
        forward(np.zeros((3, 1)), np.zeros(3))


def test_a_loss_that_is_none_is_refused():
    for name in ("huber", "mae", "mse(2)"):
        with pytest.raises(ValueError, match="expected"):
            losses.loss_pair(name)
