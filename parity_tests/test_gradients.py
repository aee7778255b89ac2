"""Scratch alone: its gradients are derivatives, in every dtype that it claims."""

from importlib import import_module

import numpy as np
import pytest

from nn_parity import inputs, registry

CASES = [
    (network, case.name)
    for network in registry.networks()
    for case in registry.spec(network).cases
]
SMOOTH = [c for c in CASES if "integers" not in c[1]]
OF_NUMBERS = [  # by token ids nobody differentiates
    (network, case.name)
    for network in registry.networks()
    for case in registry.spec(network).cases
    if (network, case.name) in SMOOTH and inputs.of(case).train["x"].dtype.kind == "f"
]
U = 2.0**-53


def built(network, name, dtype, seed=0):
    (case,) = (c for c in registry.spec(network).cases if c.name == name)
    given = inputs.of(case, seed=seed)
    adapter = registry.build("scratch", case, dtype=dtype)
    adapter.load(given.params, given.state)
    return adapter, given


@pytest.mark.parametrize(("network", "name"), SMOOTH)
def test_gradients_are_the_complex_step_derivative(network, name):
    """f'(x) = Im f(x + ih) / h has no subtraction, so h = 1e-30 costs no digits."""
    adapter, given = built(network, name, "float64")
    _, grads = adapter.losses_and_grads(given.train)
    stepped = registry.build("scratch", _case(network, name), dtype="complex128")
    zeros = registry.spec(network).zeros(_case(network, name).recipe)
    rng = np.random.default_rng(0)
    for tensor, value in given.params.items():
        direction = rng.normal(size=value.shape)
        moved = given.params | {tensor: value + 1e-30j * direction}
        stepped.load(moved, given.state)
        losses, _ = stepped.losses_and_grads(given.train)
        numeric = losses["loss"].imag / 1e-30
        exact = (grads[tensor] * direction).sum()
        scale = np.abs(grads[tensor] * direction).sum()
        if tensor in zeros:  # by the equations; what is left is rounding of the others
            scale = max(np.abs(g).max() for g in grads.values())
        assert abs(exact - numeric) <= 64 * U * scale, tensor


@pytest.mark.parametrize(("network", "name"), OF_NUMBERS)
def test_input_gradients_are_the_complex_step_derivative(network, name):
    adapter, given = built(network, name, "float64")
    _, grads = adapter.losses_and_grads(given.train)
    stepped = registry.build("scratch", _case(network, name), dtype="complex128")
    stepped.load(given.params, given.state)
    direction = np.random.default_rng(1).normal(size=given.train["x"].shape)
    moved = given.train | {"x": given.train["x"] + 1e-30j * direction}
    losses, _ = stepped.losses_and_grads(moved)
    scale = np.abs(grads["d/x"] * direction).sum()
    exact = (grads["d/x"] * direction).sum()
    assert abs(exact - losses["loss"].imag / 1e-30) <= 64 * U * scale


@pytest.mark.parametrize(("network", "name"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
def test_results_keep_the_dtype_of_the_parameters(network, name, dtype):
    adapter, given = built(network, name, dtype)
    outputs = adapter.forward(given.train, train=True)
    _, grads = adapter.losses_and_grads(given.train)
    for tensor, value in (outputs | grads).items():
        assert value.dtype == np.dtype(dtype), tensor


@pytest.mark.parametrize(("network", "name"), CASES)
def test_workspace_changes_no_bit(network, name):
    """The lean epoch runs the same lines on memory that it uses again."""
    ends = []
    lr = 1e-6 if "integers" in name else 0.1  # whole numbers are far too large to train
    for variant in ("lean", "idiomatic"):
        adapter, given = built(network, name, "float32")
        order = np.random.default_rng(0).permutation(len(given.train["x"]))
        for _ in range(3):
            losses = adapter.run_epoch(given.train, order, {}, lr, variant=variant)
        ends.append(adapter.export()[0] | losses)
    for tensor, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][tensor], err_msg=tensor)


@pytest.mark.parametrize(("network", "name"), CASES)
def test_a_prediction_is_the_callers_own_and_the_same_in_used_memory(network, name):
    adapter, given = built(network, name, "float32")
    fresh, _, _ = adapter._forward(adapter._own(given.train), train=False)
    first = adapter.forward(given.train, train=False)
    kept = {tensor: value.copy() for tensor, value in first.items()}
    other = {n: a[::-1].copy() for n, a in given.train.items()}
    adapter.forward(other, train=False)  # in the same memory
    again = adapter.forward(given.train, train=False)
    for tensor, value in kept.items():
        np.testing.assert_array_equal(first[tensor], value, err_msg=tensor)
        np.testing.assert_array_equal(again[tensor], value, err_msg=tensor)
        np.testing.assert_array_equal(fresh[tensor], value, err_msg=tensor)


def test_nothing_that_was_given_is_changed():
    adapter, given = built("mlp", "sigmoid", "float64")
    before = {n: a.copy() for n, a in (given.params | given.train).items()}
    adapter.step(given.train, lr=0.1)
    order = np.arange(len(given.train["x"]))
    adapter.run_epoch(given.train, order, {}, 0.1, variant="lean")
    for name, value in (given.params | given.train).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def _case(network, name):
    return next(c for c in registry.spec(network).cases if c.name == name)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_keep_their_digits_in_the_tails(name, dtype):
    """Relative to the value itself, not to the largest of a tensor; no warning either."""
    z = np.linspace(-80, 80, 4001).astype(dtype)
    f, _ = import_module("scratch.activations").ACTIVATIONS[name]
    exact = f(z.astype(np.longdouble))
    error = np.abs(f(z) - exact)[exact != 0] / np.abs(exact[exact != 0])
    assert error.max() <= 16 * np.finfo(dtype).eps / 2  # 3.4 u measured in float32
    assert (
        f(np.array([-2000, 2000], dtype)).tolist()
        == f(np.array([-2000.0, 2000.0])).tolist()
    )
