"""Building blocks: the frameworks against scratch.

`record` runs the blocks of one framework through its adapter, in a process of its own.
"""

from importlib import import_module

import numpy as np
import pytest
from filelock import FileLock

from nn_parity import registry
from parity_tests.conftest import OTHERS, python
from parity_tests.stacks import (
    LOSSES,
    NAMES,
    NONSENSE,
    ONE_LAYER,
    OPTIMIZERS,
    STACKS,
    B,
    K,
    U,
    batch_of,
    dense,
    in_u,
    optimized,
    recipe,
    short,
    stack,
    stream,
    target,
    weights_of,
)
from scratch import (
    sequential,
)
from scratch.adapter import Adapter


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
