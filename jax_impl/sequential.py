"""A stack of layers of any kind in JAX: pure functions of a dict of arrays.

Source
------
Ioffe & Szegedy (2015), ICML, for batch normalization; Ba, Kiros & Hinton (2016),
arXiv:1607.06450, for layer normalization; Srivastava et al. (2014), JMLR 15,
1929-1958, for dropout; He et al. (2015), ICCV, for PReLU; LeCun et al. (1998),
Proceedings of the IEEE 86(11), 2278-2324, for convolution and pooling.

Equations
---------
::

    h_0 = x                                                          (1)
    h_l = f_l(h_(l-1))     f_l: dense, an activation, batch_norm ... (2)
    prediction = h_L                                                 (3)

Shapes
------
B batch, L layers. h_l is (B, ...): what layer l makes of the shape below it.
"""

from math import prod

from jax_impl import convolution, layers, losses, regularizers
from jax_impl.activations import activation

INPUTS = ("x",)
# layers that are no activation -> their settings
SETTINGS = {
    "dense": {"units", "bias"},
    "conv": {"channels", "kernel", "stride", "padding", "bias"},
    "max_pool": {"size", "stride", "padding"},
    "avg_pool": {"size", "stride", "padding"},
    "prelu": set(),
    "logistic": set(),
    "dropout": set(),
    "batch_norm": {"eps", "momentum", "unbiased"},
    "layer_norm": {"eps"},
    "flatten": set(),
    "shift": set(),
    "flip": set(),
}


def walk(sizes, recipe):
    """(l, layer, shape of what comes in) for every layer; refuses what cannot be built."""
    shape = tuple(sizes["shape"])
    for l, layer in enumerate(recipe["layers"], start=1):
        name = layer["name"]
        if name not in SETTINGS:
            activation(name)
        if (got := layer.keys() - {"name"}) != (expected := SETTINGS.get(name, set())):
            raise ValueError(f"layer {l} {name}: has {sorted(got)}, needs {sorted(expected)}")
        if name == "dense" and len(shape) != 1:
            raise ValueError(f"layer {l} dense: expected (D,), got {shape}; put flatten below")
        if name in ("shift", "flip") and len(shape) not in (2, 3):
            raise ValueError(f"layer {l} {name}: expected (H, W) or (H, W, C), got {shape}")
        if name in ("conv", "max_pool", "avg_pool") and len(shape) != 3:
            raise ValueError(f"layer {l} {name}: expected (H, W, C), got {shape}")
        yield l, layer, shape
        if name == "dense":
            shape = (layer["units"],)
        elif name == "flatten":
            shape = (prod(shape),)
        elif name == "conv":
            height_width = convolution.outputs_of(shape, size=layer["kernel"], **moves(layer))
            shape = (*height_width, layer["channels"])
        elif name in ("max_pool", "avg_pool"):
            shape = (*convolution.outputs_of(shape, **moves(layer)), shape[2])


def moves(layer):
    """How a kernel or a window moves over a picture."""
    return {key: layer[key] for key in ("size", "stride", "padding") if key in layer}


def shapes(sizes, recipe):
    named = {}
    for l, layer, shape in walk(sizes, recipe):
        match layer["name"]:
            case "conv":
                named |= {f"W_{l}": (*layer["kernel"], shape[2], layer["channels"])}
                named |= {f"b_{l}": (layer["channels"],)} if layer["bias"] else {}
            case "dense":
                named |= {f"W_{l}": (*shape, layer["units"])}
                named |= {f"b_{l}": (layer["units"],)} if layer["bias"] else {}
            case "prelu" | "logistic":
                named |= {f"a_{l}": (1,)}
            case "batch_norm" | "layer_norm":
                named |= {f"gamma_{l}": shape[-1:], f"beta_{l}": shape[-1:]}
    return named


def state_shapes(sizes, recipe):
    named = {}
    for l, layer, shape in walk(sizes, recipe):
        if layer["name"] == "batch_norm":
            named |= {f"mean_{l}": shape[-1:], f"var_{l}": shape[-1:]}
    return named


def own(params, l, *letters):
    """The arrays of layer l."""
    return [params[f"{letter}_{l}"] for letter in letters]


def apply(x, l, layer, params, batch, train):
    """What layer l makes of x, equation (2), and the new state that it leaves behind."""
    match layer["name"]:
        case "dense":
            return layers.dense(params[f"W_{l}"], params.get(f"b_{l}", 0), x), {}
        case "conv":
            W, b = params[f"W_{l}"], params.get(f"b_{l}", 0)
            return convolution.conv(W, b, x, **moves(layer)), {}
        case "max_pool":
            return convolution.max_pool(x, **moves(layer)), {}
        case "avg_pool":
            return convolution.avg_pool(x, **moves(layer)), {}
        case "prelu":
            return layers.prelu(*own(params, l, "a"), x), {}
        case "logistic":
            return layers.logistic(*own(params, l, "a"), x), {}
        case "dropout":
            mask = batch.get(f"mask_{l}")
            return (x if mask is None else regularizers.dropout(x, mask)), {}
        case "batch_norm":
            return batch_norm(x, l, layer, params, train)
        case "layer_norm":
            gamma, beta = own(params, l, "gamma", "beta")
            return regularizers.layer_norm(gamma, beta, x, eps=layer["eps"]), {}
        case "flatten":
            return x.reshape(len(x), -1), {}
        case "shift":
            return (regularizers.shift(x, batch["shift"]) if "shift" in batch else x), {}
        case "flip":
            return (regularizers.flip(x, batch["flip"]) if "flip" in batch else x), {}
        case name:
            return activation(name)(x), {}


def batch_norm(x, l, layer, params, train):
    """In training by the batch, and the statistics move; else by the statistics."""
    gamma, beta, *old = own(params, l, "gamma", "beta", "mean", "var")
    if not train:
        return regularizers.normalized(x, gamma, beta, *old, layer["eps"]), {}
    h, found = regularizers.batch_norm(gamma, beta, x, eps=layer["eps"])
    mean, var = regularizers.running(
        old, found, x.size // x.shape[-1],
        momentum=layer["momentum"], unbiased=layer["unbiased"],
    )
    return h, {f"state/mean_{l}": mean, f"state/var_{l}": var}


def forward(params, batch, recipe, *, train):
    outputs, states = {}, {}
    h = batch["x"]                           # (1)
    for l, layer in enumerate(recipe["layers"], start=1):
        h, state = apply(h, l, layer, params, batch, train)  # (2)
        outputs[f"h_{l}"] = h
        states |= state
    outputs["prediction"] = outputs.pop(f"h_{l}")  # (3)
    return outputs | states


loss = losses.of_prediction
