"""Building blocks: scratch against truth, and the others against scratch.

Truth is the complex step for derivatives, the same code in longdouble for rounding, and
formulas written down once more, as a textbook has them, for what the code means.
`record` runs the blocks of one framework through its adapter, in a process of its own.
"""

import math
from decimal import Decimal, localcontext
from importlib import import_module

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from nn_parity import registry
from parity_tests.conftest import OTHERS, python
from scratch import (
    activations,
    layers,
    losses,
    optimizers,
    regularizers,
    sequential,
)
from scratch.adapter import Adapter
from scratch.erf import erf, erfc

U = {
    name: np.finfo(name).eps / 2 for name in ("float32", "float64", "longdouble")
}  # longdouble: 2^-64 where it has 80 bits
WIDE = np.longdouble
PLAIN = [name for name in activations.ACTIVATIONS if "(" not in name]
NAMES = [
    *PLAIN,
    *("sigmoid(2.5)", "tanh(-0.3)", "relu(1.7)", "leaky_relu(0.1)", "elu(0.7)"),
]
LOSSES = [n for n in losses.LOSSES if "(" not in n] + ["huber(0.7)"]
SATURATED = np.array([60.0, -60.0, 800.0, -800.0, 0.0, 3.0])
SEEDS = st.integers(0, 2**32 - 1)
quick = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def short(a):
    """Numbers that float32 holds exactly, so that every dtype starts from the same."""
    return np.asarray(a).astype(np.float32).astype(np.float64)


def own(a, dtype):
    """Floats in a dtype; labels stay what they are."""
    return a if a is None or a.dtype.kind in "iu" else a.astype(dtype)


def in_u(value, truth, dtype, floor=0.0):
    """Largest error in units of roundoff of the largest true value."""
    scale = max(np.abs(truth).max(initial=0), floor, np.finfo(np.float64).tiny)
    return float(np.abs(value - truth).max(initial=0) / scale / U[dtype])


# -- erf -----------------------------------------------------------------------------------


def exactly(number):
    """A float of any width as a Decimal."""
    m, e = np.frexp(WIDE(number))
    return Decimal(int(np.ldexp(m, 64))) * Decimal(2) ** (int(e) - 64)


def erf_of(x):
    """The Maclaurin series with more digits than its terms cancel."""
    pi = Decimal(
        "3.14159265358979323846264338327950288419716939937510582097494459230781640628"
    )
    total = term = x
    n = 0
    while abs(term) > Decimal(10) ** -110:
        n += 1
        term *= -x * x / n
        total += term / (2 * n + 1)
    return 2 * total / pi.sqrt()


@pytest.mark.parametrize("dtype", U)
@quick
@given(
    xs=st.lists(
        st.floats(-6, 6, width=32, allow_subnormal=False), min_size=1, max_size=8
    )
)
def test_erf_and_erfc_are_good_to_a_few_units_in_every_dtype(dtype, xs):
    x = np.array([*xs, 0.5, 0.49999, -0.5, 2.5], dtype)
    with localcontext(prec=160):
        for f, true in ((erf, erf_of), (erfc, lambda x: 1 - erf_of(x))):
            values = f(x)
            assert values.dtype == np.dtype(dtype)
            for at, value in zip(x, values, strict=True):
                truth = true(exactly(at))
                error = abs(exactly(value) - truth) / Decimal(float(U[dtype]))
                assert error <= 8 * abs(truth)  # 4.3 measured


def test_erfc_has_digits_far_out_and_then_ends_in_zero():
    assert erfc(np.array([26.0]))[0] == pytest.approx(math.erfc(26.0), rel=1e-14)
    assert erfc(np.array([800.0, -800.0])).tolist() == [0.0, 2.0]


# -- activations ---------------------------------------------------------------------------

PI = WIDE("3.14159265358979323846264338327950288")
HERE = {  # as a textbook has them, for numbers of moderate size
    "identity": lambda z: z,
    "step": lambda z: (z >= 0) * 1,
    "sign": lambda z: (z > 0) * 1 - (z < 0) * 1,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    "relu": lambda z: z * (z > 0),
    "arctan": lambda z: np.arctan2(z, 1),
    "selu": lambda z: (
        WIDE("1.0507009873554804934193349852946")
        * np.where(
            z > 0, z, WIDE("1.6732632423543772848170429916717") * (np.exp(z) - 1)
        )
    ),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "mish": lambda z: z * np.tanh(np.log(1 + np.exp(z))),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(WIDE(2)))) / 2,
    "gelu_tanh": lambda z: (
        z * (1 + np.tanh(np.sqrt(2 / PI) * (z + WIDE("0.044715") * z**3))) / 2
    ),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
    "sigmoid(2.5)": lambda z: 1 / (1 + np.exp(-2.5 * z)),
    "tanh(-0.3)": lambda z: np.tanh(-0.3 * z),
    "relu(1.7)": lambda z: 1.7 * z * (z > 0),
    "leaky_relu(0.1)": lambda z: np.where(z > 0, z, 0.1 * z),
    "elu(0.7)": lambda z: np.where(z > 0, z, 0.7 * (np.exp(z) - 1)),
}


def drawn(seed, *shape, scale=2.0):
    return short(np.random.default_rng(seed).normal(size=shape) * scale)


@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=SEEDS, rows=st.integers(1, 5), columns=st.integers(1, 6))
def test_activation_is_the_textbook_function(name, seed, rows, columns):
    z = drawn(seed, rows, columns)
    f, _ = activations.activation(name)
    assert in_u(f(z), HERE[name](z.astype(WIDE)), "float64", floor=0.1) <= 8


@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=SEEDS, rows=st.integers(1, 5), columns=st.integers(1, 6))
def test_way_back_is_the_complex_step_derivative(name, seed, rows, columns):
    z = drawn(seed, rows, columns)
    dh, direction = drawn(seed + 1, rows, columns), drawn(seed + 2, rows, columns)
    f, back = activations.activation(name)
    exact = back(dh, z, f(z)) * direction
    stepped = z + 1e-30j * direction
    numeric = f(stepped).imag / 1e-30 * dh
    scale = np.abs(dh * direction).sum()  # a derivative near 0 may be 1 - h^2
    assert abs((exact - numeric).sum()) <= 16 * U["float64"] * scale
    assert back(dh.astype(complex), stepped, f(stepped)).dtype == complex


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=SEEDS)
def test_activation_and_way_back_round_by_a_few_units(name, dtype, seed):
    z, dh = drawn(seed, 6, 5), drawn(seed + 1, 6, 5)
    f, back = activations.activation(name)
    results = {}
    for width in (dtype, "longdouble"):
        a, d = z.astype(width), dh.astype(width)
        h = f(a)
        results[width] = h, back(d, a, h)
        written = f(a, out=np.empty_like(a))
        np.testing.assert_array_equal(written, h)
        again = back(d, a, h, out=np.empty_like(a))
        np.testing.assert_array_equal(again, results[width][1])
    for value, truth in zip(*results.values(), strict=True):
        assert value.dtype == np.dtype(dtype)
        assert truth.dtype == WIDE
        assert in_u(value, truth, dtype, floor=0.01) <= 64


@pytest.mark.parametrize(
    ("name", "at_zero"),
    [
        ("step", 0),
        ("sign", 0),
        ("relu", 0),
        ("relu(1.7)", 0),
        ("leaky_relu(0.1)", 0.1),
        ("elu(0.7)", 0.7),
        ("identity", 1),
        ("selu", 1.0507009873554805 * 1.6732632423543772),
    ],
)
def test_derivative_at_a_kink(name, at_zero):
    z = np.zeros((1, 1))
    f, back = activations.activation(name)
    assert back(np.ones((1, 1)), z, f(z))[0, 0] == pytest.approx(at_zero, rel=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_activation_stays_finite_where_e_to_the_z_does_not(name, dtype):
    z = SATURATED[:, None].astype(dtype)
    f, back = activations.activation(name)
    h = f(z)
    dz = back(np.ones_like(z), z, h)
    assert np.isfinite(h).all()
    assert np.isfinite(dz).all()
    truth = f(z.astype(WIDE))
    assert in_u(h, truth, dtype) <= 2


NONSENSE = (
    *("swish", "leaky_relu", "gelu(2)", "elu(a)", "elu(nan)", "tanh()", "relu(1"),
    *("", "(2)", "leaky_relu(alpha)", "tanh(1)(2)", "tanh(1\n)"),
)


@pytest.mark.parametrize("name", NONSENSE)
def test_a_name_that_means_nothing_is_refused_in_one_line(name):
    with pytest.raises(ValueError, match="expected") as refusal:
        activations.activation(name)
    assert "\n" not in str(refusal.value)


# -- losses --------------------------------------------------------------------------------


def target(loss, rng, B, K):
    """Labels as a loss expects them."""
    if loss in ("softmax_cross_entropy", "multiclass_hinge"):
        return rng.integers(0, K, B)
    if loss in ("softmax_cross_entropy_one_hot", "kl_divergence"):
        counts = rng.integers(0, 3, (B, K)) + np.eye(K)[rng.integers(0, K, B)]
        return short(counts / counts.sum(axis=1, keepdims=True))
    if loss == "binary_cross_entropy":
        return rng.integers(0, 2, (B, K)).astype(float)
    if loss == "hinge":
        return 2.0 * rng.integers(0, 2, (B, K)) - 1
    return short(rng.normal(size=(B, K)))


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


# -- layers --------------------------------------------------------------------------------

B, K = 8, 4
BATCH_NORM = {"name": "batch_norm", "eps": 1e-5, "momentum": 0.1, "unbiased": False}
LAYER_NORM = {"name": "layer_norm", "eps": 1e-5}


def dense(units):
    return {"name": "dense", "units": units, "bias": True}


def stack(*kinds):
    return tuple({"name": k} if isinstance(k, str) else k for k in kinds)


STACKS = {  # name -> (shape of an example, layers)
    "dense": ((5,), stack(dense(6), "tanh", dense(K))),
    "prelu": ((5,), stack(dense(6), "prelu", dense(K))),
    "logistic": ((5,), stack(dense(6), "logistic", dense(K))),
    "dropout": ((5,), stack(dense(6), "dropout", "softplus", dense(K))),
    "batch_norm": ((5,), stack(dense(6), BATCH_NORM, "gelu", dense(K))),
    "biased": ((5,), stack(BATCH_NORM | {"momentum": 0.25}, dense(K))),
    "unbiased": (
        (5,),
        stack(BATCH_NORM | {"unbiased": True, "momentum": 0.25}, dense(K)),
    ),
    "layer_norm": ((5,), stack(dense(6), LAYER_NORM, "mish", dense(K))),
    "pictures": ((4, 6), stack("shift", "flip", LAYER_NORM, "flatten", dense(K))),
    "channels": (
        (4, 6, 2),
        stack(BATCH_NORM, "flip", "shift", "prelu", "flatten", dense(K)),
    ),
    "axis by axis": (
        (3, 5),
        stack(LAYER_NORM, "softmax", "logistic", "flatten", dense(K)),
    ),
}
SGD = {"name": "sgd"}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
OPTIMIZERS = {
    "sgd": SGD,
    "sgd, decay": SGD | {"weight_decay": 0.01},
    "momentum": {"name": "momentum", "mu": 0.9},
    "momentum, decay": {"name": "momentum", "mu": 0.9, "weight_decay": 0.01},
    "nesterov": {"name": "nesterov", "mu": 0.9},
    "adagrad": {"name": "adagrad", "eps": 1e-8, "start": 0.0},
    "adagrad, start": {
        "name": "adagrad",
        "eps": 1e-8,
        "start": 0.1,
        "weight_decay": 0.01,
    },
    "adadelta": {"name": "adadelta", "rho": 0.9, "eps": 1e-6},
    "rmsprop": {"name": "rmsprop", "rho": 0.9, "eps": 1e-8},
    "adam": ADAM,
    "adam, decay": ADAM | {"weight_decay": 0.01},
    "adamw": ADAM | {"name": "adamw", "weight_decay": 0.01},
}


def recipe(stack, loss="softmax_cross_entropy", optimizer=SGD, **more):
    return {
        "layers": stack,
        "loss": loss,
        "optimizer": optimizer,
        "batch_size": 3,
    } | more


def stream(*words):
    return np.random.default_rng([*" ".join(words).encode()])


def weights_of(shape, recipe, name):
    """Parameters and state of a stack, from its name."""
    rng, sizes = stream(name, "weights"), {"shape": shape}
    params = {
        n: short(0.7 * rng.normal(size=s) + n.startswith(("gamma", "a_")))
        for n, s in sequential.shapes(sizes, recipe).items()
    }
    if name.endswith("saturated"):
        params = {"W_1": rng.choice(SATURATED, (B, K)), "b_1": np.zeros(K)}
    state = {
        n: short(rng.random(s) + 0.3)
        for n, s in sequential.state_shapes(sizes, recipe).items()
    }
    return params, state


def batch_of(shape, recipe, name, n=B):
    """Examples, and the noise that the layers ask for."""
    rng, noise, units = stream(name, "batch"), {}, shape
    for l, layer in enumerate(recipe["layers"], start=1):
        if layer["name"] == "dense":
            units = (layer["units"],)
        if layer["name"] == "dropout":
            noise[f"mask_{l}"] = 2.0 * rng.integers(0, 2, (n, *units))
        if layer["name"] == "shift":
            noise["shift"] = rng.integers(-3, 4, (n, 2))
        if layer["name"] == "flip":
            noise["flip"] = rng.integers(0, 2, n)
    x = short(rng.normal(size=(n, *shape)))
    return {"x": x, "y": target(recipe["loss"], rng, n, units[-1])}, noise


def loaded(name, dtype, **more):
    shape, layers = STACKS[name]
    asked = recipe(layers, **more)
    params, state = weights_of(shape, asked, name)
    adapter = Adapter(sequential, {"shape": shape}, asked, dtype=dtype)
    adapter.load(params, state)
    data, noise = batch_of(shape, asked, name)
    return adapter, params, state, data | noise


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


# -- optimizers ----------------------------------------------------------------------------

D, STEPS = 10, 50
ROWS = 10.0 ** -np.arange(D)[:, None]  # gradients of every size from 1 to 1e-9


def given_gradients():
    """Fifty gradients and learning rates; the rate drops midway, a gradient is absent once."""
    rng = stream("gradients")
    for t in range(STEPS):
        W, b = short(rng.normal(size=(D, K)) * ROWS), short(rng.normal(size=K))
        lr = 0.05 if t < STEPS // 2 else 0.0125
        yield {"W_1": W} | ({"b_1": b} if t != 7 else {}), lr


def optimized(adapter):
    """What an adapter's parameters and moments are after each tenth update."""
    adapter.load({"W_1": short(stream("W").normal(size=(D, K))), "b_1": np.ones(K)}, {})
    seen = {"start": adapter.optimizer_state()}
    for t, (grads, lr) in enumerate(given_gradients(), start=1):
        adapter.update(grads, lr=lr)
        if t % 10 == 0:
            seen[f"{t}"] = adapter.export()[0] | adapter.optimizer_state()
    return {f"{t} {n}": a for t, arrays in seen.items() for n, a in arrays.items()}


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


ONE_LAYER = ({"shape": (D,)}, stack(dense(K)))


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


# -- clipping and penalty ------------------------------------------------------------------


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


# -- the others against scratch ------------------------------------------------------------


def recorded_cases():
    """Name -> (shape, recipe, batch, noise) of all that the frameworks must agree on."""
    cases = {}

    def add(name, shape, asked, stack_name=None, batch=None):
        key = stack_name or name
        data, noise = batch or batch_of(shape, asked, key)
        cases[name] = shape, asked, data, noise

    for name in NAMES:
        add(name, (5,), recipe(stack(dense(6), name, dense(K)), "mse"))
    for loss in LOSSES:
        asked = recipe(stack(dense(K)), loss)
        data, noise = batch_of((5,), asked, loss)
        add(f"loss {loss}", (5,), asked, batch=(data, noise))
        weighted = data | {"weight": short(stream(loss).random(B) + 0.1)}
        add(f"loss {loss} weighted", (5,), asked, batch=(weighted, noise))
        # examples are unit vectors: the weights are the logits
        add(
            f"loss {loss} saturated",
            (B,),
            asked,
            batch=(data | {"x": np.eye(B)}, noise),
        )
    for name, (shape, kinds) in STACKS.items():
        add(f"train {name}", shape, recipe(kinds), name)
    penalty = {"penalty": {"l1": 0.01, "l2": 0.1}, "clip": {"norm": 0.3}}
    for optimizer in ("momentum, decay", "adamw", "adagrad, start"):
        more = {"optimizer": OPTIMIZERS[optimizer]} | penalty
        add(f"train {optimizer}", (5,), recipe(STACKS["dense"][1], **more))
    clipped = recipe(STACKS["dense"][1], clip={"value": 0.02})
    add("train clipped by value", (5,), clipped)
    return cases


# blocks whose every operation is exact on small whole numbers -> their loss
PIECEWISE = (
    "identity",
    "step",
    "sign",
    "relu",
    "leaky_relu(0.5)",
    "flatten",
    "penalty",
)
INTEGERS = dict.fromkeys(PIECEWISE, "squared_error")
INTEGERS |= {"hinge": "hinge", "multiclass_hinge": "multiclass_hinge"}


def integer_case(name):
    """Whole numbers everywhere, and sizes that are powers of two: nothing is rounded.

    A hinge gets numbers so small that many scores stand exactly at its kink.
    """
    rng, loss = stream(name, "integers"), INTEGERS[name]
    below, shape, most = {
        "flatten": (stack("flatten"), (2, 2), 2),
        "penalty": (stack(dense(6)), (5,), 2),
        loss: ((), (5,), 1),
    }.get(name, (stack(dense(6), name), (5,), 2))
    penalty = {"penalty": {"l1": 0.5, "l2": 0.25}} if name == "penalty" else {}
    asked = recipe((*below, dense(K)), loss, **penalty)
    sizes = {"shape": shape}
    whole = lambda shape: rng.integers(-most, most + 1, shape).astype(float)  # noqa: E731
    params = {n: whole(s) for n, s in sequential.shapes(sizes, asked).items()}
    data = {"x": whole((B, *shape)), "y": target(loss, rng, B, K)}
    if loss == "squared_error":
        data["y"] = whole((B, K))
    return shape, asked, params, data


def test_whole_numbers_meet_every_kink():
    """Else equal bits would say nothing about what happens there."""
    for name in (
        "relu",
        "leaky_relu(0.5)",
        "step",
        "sign",
        "hinge",
        "multiclass_hinge",
    ):
        shape, asked, params, data = integer_case(name)
        adapter = Adapter(sequential, {"shape": shape}, asked, dtype="float32")
        adapter.load(params, {})
        outputs = adapter.forward(data, train=True)
        scores, y = outputs["prediction"], data["y"]
        if name == "hinge":
            at = 1 - y * scores
        elif name == "multiclass_hinge":
            at = 1 - scores[np.arange(B), y][:, None] + scores
        else:
            at = outputs["h_1"]
        assert (at == 0).any(), name
    _, _, params, _ = integer_case("penalty")
    assert all((params[name] == 0).any() for name in ("W_1", "W_2"))


def named(prefix, arrays):
    return {f"{prefix}/{name}": np.asarray(a) for name, a in arrays.items()}


def record(framework, dtype, path):
    """Run every case in one framework and write what came out."""
    package = registry.PACKAGES[framework]
    network = import_module(f"{package}.sequential")
    adapter = import_module(f"{package}.adapter").Adapter
    out = {}
    for name, (shape, asked, data, noise) in recorded_cases().items():
        made = adapter(network, {"shape": shape}, asked, dtype=dtype)
        params, state = weights_of(shape, asked, name)
        made.load(params, state)
        out |= seen(name, made, data | noise)
        if name.startswith("train"):
            out |= trained(name, made, data, noise, params, state)
    resolve = import_module(f"{package}.activations").activation
    out["integers/refused"] = np.array([refuses(resolve, name) for name in NONSENSE])
    for name in INTEGERS:
        shape, asked, params, data = integer_case(name)
        made = adapter(network, {"shape": shape}, asked, dtype=dtype)
        made.load(params, {})
        out |= seen(f"integers {name}", made, data)
    for name, optimizer in OPTIMIZERS.items():
        sizes, layers = ONE_LAYER
        made = adapter(network, sizes, recipe(layers, optimizer=optimizer), dtype=dtype)
        out |= named(f"optimizer {name}", optimized(made))
    np.savez(path, **out)


def refuses(resolve, name):
    """1 where a name is refused, else 0."""
    try:
        resolve(name)
    except ValueError:
        return 1.0
    return 0.0


def seen(name, adapter, batch):
    """Activations, loss and gradients; a block without a loss takes a gradient from above.

    (JAX and Keras compile each of these anew: no case takes more of them than it needs.)
    """
    out = {}
    if not name.startswith("loss"):
        out |= named(f"{name}/train", adapter.forward(batch, train=True))
    if name.startswith(("loss", "train", "integers")):
        losses, grads = adapter.losses_and_grads(batch)
        return out | named(f"{name}/loss", losses) | named(f"{name}/grad", grads)
    up = short(stream(name, "up").normal(size=(B, K)))
    _, grads = adapter.losses_and_grads(batch, upstream=up)
    return out | named(f"{name}/upstream", grads)


def trained(name, adapter, data, noise, params, state):
    """Evaluation, three steps, and an epoch of either kind with a ragged last batch."""
    whole = data | noise
    out = named(f"{name}/eval", adapter.forward(whole, train=False))
    for k in range(3):
        part = {n: a[k : k + 4] for n, a in whole.items()}
        out |= named(f"{name}/step {k}", adapter.step(part, lr=0.1))
    stepped, moved = adapter.export()
    out |= named(f"{name}/stepped", stepped | moved | adapter.optimizer_state())
    for variant in ("lean", "idiomatic"):
        adapter.load(params, state)
        adapter.run_epoch(
            data, stream("order").permutation(B), noise, 0.1, variant=variant
        )
        stepped, moved = adapter.export()
        out |= named(f"{name}/{variant}", stepped | moved)
    return out


@pytest.fixture(scope="session")
def blocks(shared_folder):
    """What `record` writes, made once for each framework and dtype."""

    def recorded(framework, dtype):
        path = shared_folder / f"blocks-{framework}-{dtype}.npz"
        with FileLock(f"{path}.lock"):
            if not path.exists():
                code = "import sys; from parity_tests.test_blocks import record; "
                code += "record(*sys.argv[1:])"
                python(["-c", code, framework, dtype, path])
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}

    return recorded


def gate(key, framework, dtype):
    """64 u, and nothing at all for whole numbers; N01 explains Adam in optax' float32."""
    if key.startswith("integers"):
        return 0
    optax = framework == "jax" and dtype == "float32" and key.startswith("train adam")
    return 1e-4 / U[dtype] if optax else 64  # worst: 7.8 u in float64, 8.9 u in float32


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("framework", OTHERS)
def test_blocks_agree_with_scratch(blocks, framework, dtype):
    want, got = blocks("scratch", dtype), blocks(framework, dtype)
    assert got.keys() == want.keys()
    far = {}
    for key, reference in want.items():
        value = got[key]
        assert value.shape == reference.shape, key
        assert np.isfinite(value).all(), key
        if key.startswith("optimizer"):
            continue
        error = in_u(value, reference, dtype, floor=floor(key))
        if error > gate(key, framework, dtype):
            far[key] = round(error, 1)
    assert not far


def floor(key):
    """A loss is relative to 1; what is structurally zero, to the other gradients."""
    if "/loss/" in key or "/step " in key:
        return 1.0
    structural_zero = key.startswith("train batch_norm/") and key.endswith("b_1")
    return 1.0 if structural_zero else 0.0


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("framework", OTHERS)
def test_optimizers_agree_with_scratch(blocks, framework, dtype):
    """Row by row: 1e-9 has the same right to its digits as 1 has."""
    want, got = blocks("scratch", dtype), blocks(framework, dtype)
    keys = {key for key in want if key.startswith("optimizer")}
    assert keys == {key for key in got if key.startswith("optimizer")}
    far = {}
    for key in sorted(keys):
        value, reference = np.atleast_2d(got[key]), np.atleast_2d(want[key])
        worst = max(map(relative, value, reference))
        if worst > optimizer_gate(key, framework, dtype):
            far[key] = worst
    assert not far


def relative(row, reference):
    scale = float(np.abs(reference).max())
    return float(np.abs(row - reference).max()) / (scale or 1.0)


def optimizer_gate(key, framework, dtype):
    """1e-12 and 1e-5; looser only for what optax makes of Adam in float32 (N01).

    Where decay pulls weights and their mean gradient to 0, its 1e-5 is measured against
    what is left of them: 1.9e-4.
    """
    if dtype == "float64":
        return 1e-12
    optax = framework == "jax" and "optimizer adam" in key
    return (1e-3 if "decay" in key else 1e-4) if optax else 1e-5
