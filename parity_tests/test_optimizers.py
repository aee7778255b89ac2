"""Optimizers, clipping and penalties: scratch against the formulas as a textbook has them."""

import math

import numpy as np
import pytest

from parity_tests.stacks import (
    ONE_LAYER,
    OPTIMIZERS,
    SGD,
    WIDE,
    B,
    D,
    K,
    drawn,
    given_gradients,
    in_u,
    loaded,
    optimized,
    recipe,
    short,
    stream,
)
from scratch import (
    optimizers,
    regularizers,
    sequential,
)
from scratch.adapter import Adapter


def textbook(name, p, gradients, *, weight_decay=0.0, **s):
    """One parameter, the formulas once more: {step: {p, m, v, u}}."""
    seen = {}
    m, u, v = 0 * p, 0 * p, 0 * p + s.get("start", 0.0)
    for t, (g, lr) in enumerate(gradients, start=1):
        if name == "adamw":
            p = p - lr * weight_decay * p
        elif weight_decay:
            g = g + weight_decay * p
        if name in ("momentum", "nesterov"):
            m = s["mu"] * m + g
        if name in ("rmsprop", "adadelta"):
            v = s["rho"] * v + (1 - s["rho"]) * g**2
        if name in ("adam", "adamw"):
            m = s["beta1"] * m + (1 - s["beta1"]) * g
            v = s["beta2"] * v + (1 - s["beta2"]) * g**2
        if name == "adagrad":
            v = v + g**2
        match name:
            case "sgd":
                d = g
            case "momentum":
                d = m
            case "nesterov":
                d = g + s["mu"] * m
            case "adagrad" | "rmsprop":
                d = g / (np.sqrt(v) + s["eps"])
            case "adadelta":
                d = g * np.sqrt(u + s["eps"]) / np.sqrt(v + s["eps"])
                u = s["rho"] * u + (1 - s["rho"]) * d**2
            case "adam" | "adamw":
                m_hat, v_hat = m / (1 - s["beta1"] ** t), v / (1 - s["beta2"] ** t)
                d = m_hat / (np.sqrt(v_hat) + s["eps"])
        p = p - lr * d
        seen[t] = {"": p, "m/": m, "v/": v, "u/": u}
    return seen


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_is_the_textbook_formula(name):
    sizes, layers = ONE_LAYER
    asked = OPTIMIZERS[name]
    seen = optimized(
        Adapter(sequential, sizes, recipe(layers, optimizer=asked), dtype="float64")
    )
    W = short(stream("W").normal(size=(D, K))).astype(WIDE)
    gradients = [(g["W_1"].astype(WIDE), lr) for g, lr in given_gradients()]
    truth = textbook(
        asked["name"], W, gradients, **{k: v for k, v in asked.items() if k != "name"}
    )
    compared = set()
    for key, value in seen.items():
        t, _, tensor = key.partition(" ")
        kind, _, parameter = tensor.rpartition("W_1")
        if t == "start" or not tensor.endswith("W_1"):
            continue
        compared.add(kind)
        for row, true_row in zip(value, truth[int(t)][kind + parameter], strict=True):
            assert in_u(row, true_row, "float64") <= 64, key
    _, moments = optimizers.OPTIMIZERS[asked["name"]]
    assert compared == {"", *(f"{m}/" for m in moments)}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_loading_weights_starts_the_optimizer_again(name):
    sizes, layers = ONE_LAYER
    asked = recipe(layers, optimizer=OPTIMIZERS[name])
    adapter = Adapter(sequential, sizes, asked, dtype="float64")
    params = {"W_1": np.ones((D, K)), "b_1": np.ones(K)}
    adapter.load(params, {})
    before = adapter.optimizer_state()
    adapter.update(params, lr=0.1)
    adapter.load(params, {})
    for key, value in adapter.optimizer_state().items():
        np.testing.assert_array_equal(value, before[key])
        starts_at = OPTIMIZERS[name].get("start", 0.0) if key.startswith("v/") else 0
        assert (value == starts_at).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_absent_gradient_moves_nothing_but_the_count(name):
    sizes, layers = ONE_LAYER
    adapter = Adapter(
        sequential, sizes, recipe(layers, optimizer=OPTIMIZERS[name]), dtype="float64"
    )
    adapter.load({"W_1": np.ones((D, K)), "b_1": np.ones(K)}, {})
    everything = {"W_1": np.ones((D, K)), "b_1": np.ones(K)}
    adapter.update(everything, lr=0.1)
    before = adapter.export()[0] | adapter.optimizer_state()
    adapter.update({"W_1": everything["W_1"]}, lr=0.1)
    after = adapter.export()[0] | adapter.optimizer_state()
    assert after["t"] == before["t"] + 1 == 2
    for key, value in before.items():
        if key.endswith("b_1"):
            np.testing.assert_array_equal(after[key], value)
        elif key == "W_1":
            assert (after[key] != value).all()


def keras_native(name, p, gradients, s):
    """What Keras 3 computes in float64, ops.cast and all; its own source, line by line."""
    f32 = lambda x: float(np.float32(x))  # noqa: E731
    m, v = 0 * p, 0 * p
    if name == "adagrad":
        v = v + f32(s["start"])
    for t, (g, lr) in enumerate(gradients, start=1):
        if name in ("momentum", "nesterov"):
            m = m * f32(s["mu"]) - g * lr
            p = p + (m * f32(s["mu"]) - g * lr if name == "nesterov" else m)
        elif name == "adagrad":
            v = v + g**2
            p = p - lr * g / np.sqrt(v + s["eps"])
        elif name == "rmsprop":
            v = s["rho"] * v + (1 - s["rho"]) * g**2
            p = p - lr * g / np.sqrt(v + s["eps"])
        else:
            if name == "adamw":
                p = p - p * f32(s["weight_decay"]) * lr
            b1, b2 = f32(s["beta1"]) ** t, f32(s["beta2"]) ** t
            m = m + (g - m) * (1 - s["beta1"])
            v = v + (g**2 - v) * (1 - s["beta2"])
            p = p - m * (lr * math.sqrt(1 - b2) / (1 - b1)) / (np.sqrt(v) + s["eps"])
    return p


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("momentum", {"lr_place": "inside", "hyper_dtype": "float32"}),
        ("nesterov", {"lr_place": "inside", "hyper_dtype": "float32"}),
        ("adagrad, start", {"eps_place": "inside", "hyper_dtype": "float32"}),
        ("rmsprop", {"eps_place": "inside"}),
        ("adam", {"eps_place": "before", "hyper_dtype": "float32"}),
        ("adamw", {"eps_place": "before", "hyper_dtype": "float32"}),
    ],
)
def test_switches_make_the_form_that_keras_has(name, switches):
    asked = {
        k: v
        for k, v in OPTIMIZERS[name].items()
        if k != "weight_decay" or name == "adamw"
    }
    gradients = [(g["W_1"].ravel(), lr) for g, lr in given_gradients()]
    start = short(stream("W").normal(size=D * K))
    native = keras_native(asked["name"], start, gradients, asked)
    ends = []
    for recipe_of in (asked | switches, asked):
        update, moments = optimizers.optimizer(recipe_of)
        p, state = start, {"t": 0} | {m: np.full(D * K, v) for m, v in moments.items()}
        for g, lr in gradients:
            p, state = update(p, g, state, lr=lr)
        ends.append(p)
    assert in_u(ends[0], native, "float64") <= 64
    assert in_u(ends[1], native, "float64") > 1e4  # the common form is another one


def test_a_switch_that_means_nothing_is_refused():
    for name, switch in (
        ("adam", "eps_place"),
        ("rmsprop", "eps_place"),
        ("momentum", "lr_place"),
    ):
        update, moments = optimizers.optimizer(OPTIMIZERS[name] | {switch: "elsewhere"})
        state = {"t": 0} | {m: np.zeros(2) for m in moments}
        with pytest.raises(ValueError, match="elsewhere"):
            update(np.zeros(2), np.ones(2), state, lr=0.1)


def test_clipping_bounds_elements_or_the_norm_of_all():
    g = np.array([3.0, -4.0])
    assert optimizers.clipped(g, value=3.5).tolist() == [3.0, -3.5]
    np.testing.assert_allclose(optimizers.clipped(g, norm=1.0), [0.6, -0.8])
    assert optimizers.clipped(g, norm=5.0).tolist() == [3.0, -4.0]
    assert optimizers.clipped(0 * g, norm=5.0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("clip", [{"value": 0.1}, {"norm": 0.2}])
def test_clipping_comes_before_weight_decay_and_looks_at_all_parameters(clip):
    sizes, layers = ONE_LAYER
    asked = recipe(layers, optimizer=SGD | {"weight_decay": 0.5}, clip=clip)
    adapter = Adapter(sequential, sizes, asked, dtype="float64")
    params = {"W_1": drawn(0, D, K), "b_1": drawn(1, K)}
    grads = {"W_1": drawn(2, D, K), "b_1": drawn(3, K)}
    adapter.load(params, {})
    adapter.update(grads, lr=1.0)
    norm = math.sqrt(sum((g**2).sum() for g in grads.values()))
    for name, after in adapter.export()[0].items():
        g = grads[name]
        g = np.clip(g, -0.1, 0.1) if "value" in clip else g * (0.2 / norm)
        np.testing.assert_allclose(
            after, params[name] - (g + 0.5 * params[name]), rtol=1e-13
        )


def test_penalty_sees_weights_and_never_biases():
    more = {"penalty": {"l1": 0.5, "l2": 0.25}}
    (plain, params, _, batch), penalized = (
        loaded("layer_norm", "float64"),
        loaded("layer_norm", "float64", **more)[0],
    )
    (before, grads), (after, more_grads) = (
        plain.losses_and_grads(batch),
        penalized.losses_and_grads(batch),
    )
    expected = sum(
        0.5 * abs(W).sum() + 0.25 * (W**2).sum()
        for n, W in params.items()
        if n[0] == "W"
    )
    assert after["loss"] - before["loss"] == pytest.approx(expected, rel=1e-12)
    for name, grad in grads.items():
        W = params.get(name, 0)
        extra = 0.5 * np.sign(W) + 0.5 * W if name.startswith("W") else 0
        np.testing.assert_allclose(
            more_grads[name], grad + extra, rtol=1e-13, atol=1e-15
        )
    upstream = np.ones((B, K))
    one = plain.losses_and_grads(batch, upstream=upstream)
    other = penalized.losses_and_grads(batch, upstream=upstream)
    assert one[0] == other[0]
    np.testing.assert_array_equal(one[1]["W_1"], other[1]["W_1"])


def test_derivative_of_the_penalty_at_zero_is_zero():
    value, cache = regularizers.penalty_forward(np.zeros((1, 1)), l1=1.0, l2=1.0)
    assert value == 0
    assert regularizers.penalty_backward(cache, l1=1.0, l2=1.0).tolist() == [[0.0]]
