"""What the tests of building blocks share.

Truth is the complex step for derivatives, the same code in longdouble for rounding, and
formulas written down once more, as a textbook has them, for what the code means.
"""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from scratch import (
    activations,
    losses,
    sequential,
)
from scratch.adapter import Adapter

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


def in_u(value, truth, dtype, floor=0.0):
    """Largest error in units of roundoff of the largest true value."""
    scale = max(np.abs(truth).max(initial=0), floor, np.finfo(np.float64).tiny)
    return float(np.abs(value - truth).max(initial=0) / scale / U[dtype])


def drawn(seed, *shape, scale=2.0):
    return short(np.random.default_rng(seed).normal(size=shape) * scale)


NONSENSE = (
    *("swish", "leaky_relu", "gelu(2)", "elu(a)", "elu(nan)", "tanh()", "relu(1"),
    *("", "(2)", "leaky_relu(alpha)", "tanh(1)(2)", "tanh(1\n)"),
)


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


ONE_LAYER = ({"shape": (D,)}, stack(dense(K)))
