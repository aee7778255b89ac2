"""Run the probe networks of one framework through its adapter; write what happened.

``python -m parity_tests.probes.record FRAMEWORK DTYPE OUT.npz``: one process for each
framework, as everywhere.
"""

import sys
from importlib import import_module

import numpy as np

from nn_parity import registry

CE = "softmax_cross_entropy"
SGD = {"name": "sgd"}
MOMENTUM = {"name": "momentum", "mu": 0.9}
ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
SHAPES = {"D": 5, "H": 4, "K": 3}
PROBES = {
    "batch_norm": (SHAPES, {"loss": CE, "optimizer": MOMENTUM}),
    "dropout": (SHAPES, {"loss": CE, "optimizer": SGD}),
    "tokens": ({"V": 40, "T": 4, "M": 3, "K": 2}, {"loss": CE, "optimizer": ADAM}),
    "players": (
        {"Z": 3, "D": 4},
        {"critic_optimizer": ADAM, "generator_optimizer": MOMENTUM},
    ),
    "padding": ({"T": 5, "D": 3, "H": 4, "K": 2}, {"loss": CE, "optimizer": SGD}),
}
N, BATCH, LR = 8, 3, 0.1  # the last batch has two examples
STATE = {"mean": (4,), "var": (4,)}


def stream(*words):
    return np.random.default_rng([*" ".join(words).encode()])


def values(rng, *shape):
    return rng.normal(size=shape).astype(np.float32).astype(np.float64)


def data(probe, sizes):
    """Examples of a probe, and the noise that comes with each position of an epoch."""
    rng = stream(probe, "data")
    y = rng.integers(0, sizes.get("K", 2), N)
    if probe == "tokens":
        return {"x": rng.integers(0, sizes["V"], (N, sizes["T"])), "y": y}, {}
    if probe == "players":
        return {"x": values(rng, N, sizes["D"])}, {"z": values(rng, N, sizes["Z"])}
    if probe == "padding":
        lengths = rng.integers(1, sizes["T"] + 1, N)
        mask = (np.arange(sizes["T"]) < lengths[:, None]).astype(np.float64)
        return {"x": values(rng, N, sizes["T"], sizes["D"]), "y": y, "mask": mask}, {}
    x = values(rng, N, sizes["D"])
    if probe == "dropout":
        return {"x": x, "y": y}, {"mask": 2.0 * rng.integers(0, 2, (N, sizes["H"]))}
    return {"x": x, "y": y}, {}


def initial(probe, network, sizes, recipe):
    rng = stream(probe, "weights")
    shapes = scratch_network(probe).shapes(sizes, recipe)
    params = {name: values(rng, *shape) for name, shape in shapes.items()}
    if probe != "batch_norm":
        return params, {}
    return params, {"mean": values(rng, 4), "var": 1 + values(rng, 4) ** 2 * 0.5}


def scratch_network(probe):
    return import_module(f"parity_tests.probes.scratch.{probe}")


def transcript(probe, framework, dtype, *, unbiased):
    sizes, recipe = PROBES[probe]
    recipe = recipe | {"batch_size": BATCH, "unbiased": unbiased}
    package = registry.package(framework)
    folder = package.removesuffix("_impl")
    network = import_module(f"parity_tests.probes.{folder}.{probe}")
    adapter = import_module(f"{package}.adapter").Adapter(
        network, sizes, recipe, dtype=dtype
    )
    params, state = initial(probe, network, sizes, recipe)
    rows, noise = data(probe, sizes)
    whole = rows | noise
    adapter.load(params, state)
    out = named("loaded", adapter.export())
    out |= named("eval", [adapter.forward(whole, train=False)])
    out |= named("train", [adapter.forward(whole, train=True)])
    who = list(getattr(network, "PLAYERS", {"loss": None}))
    for player in who:
        losses, grads = adapter.losses_and_grads(whole, player=player)
        out |= named(f"losses {player}", [losses]) | named(f"grads {player}", [grads])
    if len(who) == 1:
        upstream = 0.5 + stream(probe, "up").random((N, sizes["K"]))
        _, grads = adapter.losses_and_grads(whole, upstream=upstream)
        out |= named("upstream", [grads])
    out |= named("still", adapter.export())  # nothing has moved it so far
    if probe == "padding":
        out |= named("other padding", [other_padding(adapter, whole)])
    for k in range(5):
        part = {name: a[k : k + BATCH] for name, a in whole.items()}
        out |= named(f"step {k}", [adapter.step(part, lr=LR)])
    out |= named("stepped", adapter.export())
    out |= named("optimizer", [adapter.optimizer_state()])
    kept = adapter.optimizer_state()
    params_then, state_then = adapter.export()
    adapter.load(params_then, state_then)
    adapter.load_optimizer_state(kept)
    out |= named("resumed", [adapter.step(whole, lr=LR)]) | named("after", adapter.export())
    for variant in ("lean", "idiomatic"):
        adapter.load(params, state)
        order = stream(probe, "order").permutation(N)
        adapter.run_epoch(rows, order, noise, LR, variant=variant)
        out |= named(f"{variant} epoch", adapter.export())
    return out


def other_padding(adapter, batch):
    """The same batch with other numbers in the padding."""
    mask = batch["mask"][:, :, None]
    changed = batch | {"x": np.where(mask != 0, batch["x"], 1e6)}
    losses, grads = adapter.losses_and_grads(changed)
    return adapter.forward(changed, train=False) | losses | grads


def named(point, dicts):
    return {f"{point}/{n}": np.asarray(a) for d in dicts for n, a in d.items()}


def main():
    framework, dtype, out = sys.argv[1:]
    arrays = {}
    for probe in PROBES:
        kinds = (True, False) if framework == "scratch" else (framework == "torch",)
        for unbiased in kinds:
            for key, a in transcript(probe, framework, dtype, unbiased=unbiased).items():
                arrays[f"{probe}:{unbiased}:{key}"] = a
    np.savez(out, **arrays)


if __name__ == "__main__":
    main()
