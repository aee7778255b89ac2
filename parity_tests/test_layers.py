"""Layers in a stack: scratch against the complex step and longdouble, and what they do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.stacks import (
    SEEDS,
    STACKS,
    U,
    dense,
    drawn,
    in_u,
    loaded,
    quick,
    recipe,
    stack,
    stream,
)
from scratch import (
    layers,
    regularizers,
    sequential,
)


def structural(name, tensor):
    """A bias below batch norm moves nothing: its gradient is rounding noise."""
    return name == "batch_norm" and tensor == "b_1"


@pytest.mark.parametrize("name", STACKS)
def test_layer_gradients_are_the_complex_step_derivative(name):
    more = {"penalty": {"l1": 0.01, "l2": 0.1}}
    adapter, params, state, batch = loaded(name, "float64", **more)
    stepped = loaded(name, "complex128", **more)[0]
    _, grads = adapter.losses_and_grads(batch)
    for tensor in (*params, "x"):
        value = (params | batch)[tensor]
        direction = stream(name, tensor).normal(size=value.shape)
        moved = {tensor: value + 1e-30j * direction}
        stepped.load(params | moved if tensor in params else params, state)
        seen = batch | moved if tensor in batch else batch
        loss, _ = stepped.losses_and_grads(seen)
        exact = grads["d/x" if tensor == "x" else tensor] * direction
        scale = 1 if structural(name, tensor) else np.abs(exact).sum()
        error = abs(exact.sum() - loss["loss"].imag / 1e-30)
        assert error <= 16 * U["float64"] * scale, tensor


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STACKS)
def test_layers_round_by_a_few_units_and_keep_their_dtype(name, dtype):
    results = []
    for width in (dtype, "longdouble"):
        adapter, *_, batch = loaded(name, width)
        losses, grads = adapter.losses_and_grads(batch)
        looks = [adapter.forward(batch, train=train) for train in (True, False)]
        adapter.step(batch, lr=0.1)
        tensors = grads | dict(zip(("train", "eval"), [o["prediction"] for o in looks]))  # noqa: B905
        tensors |= adapter.export()[1]
        results.append(tensors)
        assert {a.dtype for a in tensors.values()} == {np.dtype(width)}
        assert {a.dtype for o in looks for a in o.values()} == {np.dtype(width)}
    for tensor, value in results[0].items():
        floor = 1 if structural(name, tensor) else 0
        assert in_u(value, results[1][tensor], dtype, floor) <= 64, tensor


@quick
@given(seed=SEEDS, H=st.integers(1, 5), W=st.integers(1, 5), C=st.integers(0, 3))
def test_shift_and_flip_move_pixels_one_by_one(seed, H, W, C):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, H, W, C) if C else (3, H, W))
    by, mirrored = rng.integers(-6, 7, (3, 2)), rng.integers(0, 2, 3)
    moved, turned = np.zeros_like(x), np.zeros_like(x)
    for b in range(3):
        for r in range(H):
            for c in range(W):
                down, right = r + by[b, 0], c + by[b, 1]
                if 0 <= down < H and 0 <= right < W:
                    moved[b, down, right] = x[b, r, c]
                turned[b, r, W - 1 - c if mirrored[b] else c] = x[b, r, c]
    np.testing.assert_array_equal(regularizers.shift_forward(x, by)[0], moved)
    np.testing.assert_array_equal(regularizers.flip_forward(x, mirrored)[0], turned)


def test_what_leaves_the_picture_takes_no_nan_with_it():
    x = np.full((1, 2, 2), np.nan)
    h, _ = regularizers.shift_forward(x, np.array([[2, 0]]))
    assert (h == 0).all()


@pytest.mark.parametrize("name", ["biased", "unbiased"])
def test_running_statistics_follow_the_batch_and_evaluation_uses_them(name):
    adapter, params, state, batch = loaded(name, "float64")
    x = batch["x"]
    h = adapter.forward(batch, train=False)["h_1"]
    s = (x - state["mean_1"]) / np.sqrt(state["var_1"] + 1e-5)
    np.testing.assert_allclose(h, params["gamma_1"] * s + params["beta_1"])
    adapter.step(batch, lr=0.0)
    _, moved = adapter.export()
    var = x.var(axis=0, ddof=int(name == "unbiased"))
    for statistic, found in (("mean_1", x.mean(axis=0)), ("var_1", var)):
        expected = 0.75 * state[statistic] + 0.25 * found
        np.testing.assert_allclose(moved[statistic], expected)


def test_one_row_has_no_unbiased_variance():
    adapter, *_, batch = loaded("unbiased", "float64")
    with pytest.raises(ValueError, match="one row"):
        adapter.step({n: a[:1] for n, a in batch.items()}, lr=0.1)


def test_normalized_rows_have_mean_zero_and_variance_one():
    z = drawn(0, 6, 5)
    one, zero = np.ones(5), np.zeros(5)
    h, _ = regularizers.layer_norm_forward(z, one, zero, eps=0.0)
    np.testing.assert_allclose(h.mean(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(h.var(axis=1), 1)
    h, _, _ = regularizers.batch_norm_forward(z, one, zero, eps=0.0)
    np.testing.assert_allclose(h.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(h.var(axis=0), 1)


def test_prelu_at_zero_has_slope_a_and_teaches_it_nothing():
    z, a = np.array([[0.0, -2.0, 3.0]]), np.array([0.25])
    h, cache = layers.prelu_forward(z, a)
    dz, da = layers.prelu_backward(np.ones((1, 3)), cache)
    assert h.tolist() == [[0.0, -0.5, 3.0]]
    assert dz.tolist() == [[0.25, 0.25, 1.0]]
    assert da.tolist() == [-2.0]


def test_dropout_multiplies_by_the_mask_of_its_own_layer():
    adapter, *_, batch = loaded("dropout", "float64")
    outputs = adapter.forward(batch, train=True)
    np.testing.assert_array_equal(outputs["h_2"], outputs["h_1"] * batch["mask_2"])
    assert (batch["mask_2"] == 0).any()


@pytest.mark.parametrize("name", ["dropout", "pictures"])
def test_noise_that_is_not_there_changes_nothing(name):
    adapter, *_, batch = loaded(name, "float64")
    quiet = {n: a for n, a in batch.items() if n in ("x", "y")}
    plain = batch | {
        n: np.ones_like(a) if n.startswith("mask") else np.zeros_like(a)
        for n, a in batch.items()
        if n not in quiet
    }
    want = adapter.forward(plain, train=True)
    for key, value in adapter.forward(quiet, train=True).items():
        np.testing.assert_array_equal(value, want[key])


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (stack("swish"), "expected"),
        (stack({"name": "dense"}), "units"),
        (stack({"name": "dropout", "rate": 0.5}), "rate"),
        (stack("shift"), "expected"),
        (stack(dense(3), "flip"), "expected"),
    ],
)
def test_a_stack_that_cannot_be_built_is_refused(layers, said):
    with pytest.raises(ValueError, match=said):
        sequential.shapes({"shape": (5,)}, recipe(layers))
    with pytest.raises(ValueError, match="flatten"):
        sequential.shapes({"shape": (2, 3)}, recipe(stack(dense(3))))
