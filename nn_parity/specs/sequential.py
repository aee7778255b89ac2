"""Layers one after the other: every building block is one of them."""

import math

import numpy as np

from nn_parity.batches import targets, values
from nn_parity.blocks import BATCH_NORM, dense, network_cases
from nn_parity.images import outputs_of
from nn_parity.protocol import Param, Spec

NORMS = {
    "batch": BATCH_NORM | {"unbiased": True},
    "layer": {"name": "layer_norm", "eps": 1e-5},
}
SHIFTS = {"dense": "b", "conv": "b", "batch_norm": "beta", "layer_norm": "beta"}


def walk(sizes, recipe):
    """Yield (l, layer, shape of one example that enters it)."""
    shape = tuple(sizes["shape"])
    for l, layer in enumerate(recipe["layers"], start=1):
        yield l, layer, shape
        if layer["name"] == "dense":
            shape = (layer["units"],)
        elif layer["name"] == "flatten":
            shape = (math.prod(shape),)
        elif layer["name"] == "conv":
            shape = (*_outputs(shape, layer, layer["kernel"]), layer["channels"])
        elif layer["name"] in ("max_pool", "avg_pool"):
            shape = (*_outputs(shape, layer, layer["size"]), shape[2])
    yield 0, {"name": "prediction"}, shape


def _outputs(shape, layer, size):
    stride, padding = layer["stride"], layer["padding"]
    return outputs_of(shape, size=size, stride=stride, padding=padding)


def params(sizes, recipe):
    """Biases start at 0 and scales at 1, except in test networks, whose recipe has no init."""
    found = []
    init = recipe.get("init", "glorot_uniform")
    bias, scale = ("zeros", "ones") if "init" in recipe else ("small", "positive")
    for l, layer, shape in walk(sizes, recipe):
        match layer["name"]:
            case "dense":
                W = (*shape, layer["units"])
                found.append(Param(f"W_{l}", W, init))
                found += [Param(f"b_{l}", W[1:], bias)] if layer["bias"] else []
            case "conv":
                W = (*layer["kernel"], shape[2], layer["channels"])
                found.append(Param(f"W_{l}", W, init))
                found += [Param(f"b_{l}", W[3:], bias)] if layer["bias"] else []
            case "prelu" | "logistic":
                found.append(Param(f"a_{l}", (1,), scale))
            case "batch_norm" | "layer_norm":
                found.append(Param(f"gamma_{l}", shape[-1:], scale))
                found.append(Param(f"beta_{l}", shape[-1:], bias))
    return tuple(found)


def state(sizes, recipe):
    tiny = "init" not in recipe
    start = (
        {"mean": "small", "var": "positive"}
        if tiny
        else {"mean": "zeros", "var": "ones"}
    )
    return tuple(
        Param(f"{name}_{l}", shape[-1:], init)
        for l, layer, shape in walk(sizes, recipe)
        if layer["name"] == "batch_norm"
        for name, init in start.items()
    )


def batch(sizes, recipe, n, rng):
    *_, (_, _, shape) = walk(sizes, recipe)
    arrays = {"x": values(rng, n, *sizes["shape"])}
    arrays["y"] = targets(recipe, n, math.prod(shape), rng)
    if recipe.get("weighted"):
        arrays["weight"] = rng.integers(1, 9, n) / 4
    return arrays


def noise(sizes, recipe, n, rng):
    draws = {}
    for l, layer, shape in walk(sizes, recipe):
        match layer["name"]:
            case "dropout":
                keep = 1 - recipe["dropout"]
                mask = rng.random((n, *shape)) < keep
                draws[f"mask_{l}"] = (mask / keep).astype(np.float32).astype(np.float64)
            case "shift":
                draws["shift"] = rng.integers(-1, 2, (n, 2))
            case "flip":
                draws["flip"] = rng.integers(0, 2, n)
    return draws


def zeros(recipe):
    """Name what only adds a constant below a batch norm, which takes it away again."""
    found, doomed = set(), False
    for l, layer in reversed(list(enumerate(recipe["layers"], start=1))):
        name = layer["name"]
        if doomed and name in SHIFTS and layer.get("bias", True):
            found.add(f"{SHIFTS[name]}_{l}")
        doomed = name == "batch_norm" or (doomed and name == "dense")
    return frozenset(found)


def one_example(recipe):
    return all(layer["name"] != "batch_norm" for layer in recipe["layers"])


def resolve(settings, data):
    """Stack hidden layers, each with what keeps it in check, up to the logits."""
    shape = data.x_train.shape[1:]
    layers = []
    if settings["augment"] != "none":
        shape = data.image_shape
        layers = [{"name": name} for name in settings["augment"].split("+")]
    layers.append({"name": "flatten"})
    for units in settings["hidden"]:
        norm = settings["norm"]
        # a batch norm takes away what a bias below it adds, so there is none
        layers.append(dense(units, bias=norm != "batch"))
        if norm != "none":
            layers.append(NORMS[norm])
        layers.append({"name": settings["activation"]})
        if settings["dropout"]:
            layers.append({"name": "dropout"})
    layers.append(dense(data.classes or 1))
    recipe = {"layers": tuple(layers), "init": settings["init"]}
    if settings["dropout"]:
        recipe["dropout"] = settings["dropout"]
    return {"shape": tuple(shape)}, recipe


SPEC = Spec(
    name="sequential",
    params=params,
    state=state,
    batch=batch,
    noise=noise,
    zeros=zeros,
    one_example=one_example,
    resolve=resolve,
    takes=("hidden", "activation", "init", "norm", "dropout", "augment"),
    cases=network_cases(),
    differences="""\
torch.nn.BatchNorm1d moves its running variance by the unbiased variance of the batch,
keras.layers.BatchNormalization and JAX users by the biased one, and neither can be asked
for the other (atlas row L08c). Here `unbiased` says which, and all four obey.
""",
)
