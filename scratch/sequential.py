"""A stack of layers of any kind, from scratch.

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

from scratch import losses
from scratch.activations import activation
from scratch.convolution import (
    avg_pool_backward,
    avg_pool_forward,
    conv_backward,
    conv_forward,
    max_pool_backward,
    max_pool_forward,
    outputs_of,
)
from scratch.layers import (
    dense_backward,
    dense_forward,
    flatten_backward,
    flatten_forward,
    logistic_backward,
    logistic_forward,
    prelu_backward,
    prelu_forward,
)
from scratch.regularizers import (
    batch_norm_backward,
    batch_norm_evaluated,
    batch_norm_forward,
    batch_norm_running,
    dropout_backward,
    dropout_forward,
    flip_backward,
    flip_forward,
    layer_norm_backward,
    layer_norm_forward,
    shift_backward,
    shift_forward,
)
from scratch.workspace import NEW

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
            height_width = outputs_of(shape, size=layer["kernel"], **moves(layer))
            shape = (*height_width, layer["channels"])
        elif name in ("max_pool", "avg_pool"):
            shape = (*outputs_of(shape, **moves(layer)), shape[2])


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


def kind(l, layer, batch):
    """The layer's name; "identity" where it waits for noise that the batch does not bring."""
    needs = {"dropout": f"mask_{l}", "shift": "shift", "flip": "flip"}.get(layer["name"])
    return layer["name"] if needs is None or needs in batch else "identity"


def layer_forward(x, l, layer, params, batch, train):
    """What layer l makes of x, equation (2), and what it remembers beyond this step."""
    state = {}
    name = kind(l, layer, batch)             # not differentiated
    if name == "dense":
        h, cache = dense_forward(x, params[f"W_{l}"], params.get(f"b_{l}", 0))
    elif name == "conv":
        W, b = params[f"W_{l}"], params.get(f"b_{l}", 0)  # not differentiated
        h, cache = conv_forward(x, W, b, **moves(layer))
    elif name == "max_pool":
        h, cache = max_pool_forward(x, **moves(layer))
    elif name == "avg_pool":
        h, cache = avg_pool_forward(x, **moves(layer))
    elif name == "prelu":
        h, cache = prelu_forward(x, params[f"a_{l}"])
    elif name == "logistic":
        h, cache = logistic_forward(x, params[f"a_{l}"])
    elif name == "dropout":
        h, cache = dropout_forward(x, batch[f"mask_{l}"])
    elif name == "batch_norm":
        h, cache, state = batch_norm(x, l, layer, params, train)
    elif name == "layer_norm":
        gamma, beta = params[f"gamma_{l}"], params[f"beta_{l}"]  # not differentiated
        h, cache = layer_norm_forward(x, gamma, beta, eps=layer["eps"])
    elif name == "flatten":
        h, cache = flatten_forward(x)
    elif name == "shift":
        h, cache = shift_forward(x, batch["shift"])
    elif name == "flip":
        h, cache = flip_forward(x, batch["flip"])
    else:
        activate, _ = activation(name)       # not differentiated
        h = activate(x)
        cache = x, h
    return h, cache, state


def layer_backward(dh, l, layer, cache, batch, want_dx):
    """dx, and the gradients of this layer's own parameters by their names."""
    grads = {}
    name = kind(l, layer, batch)
    if name not in SETTINGS:
        _, back = activation(name)
        # h = activate(x)
        dx = back(dh, *cache)
    elif name == "flip":
        # h, cache = flip_forward(x, batch["flip"])
        dx = flip_backward(dh, cache)
    elif name == "shift":
        # h, cache = shift_forward(x, batch["shift"])
        dx = shift_backward(dh, cache)
    elif name == "flatten":
        # h, cache = flatten_forward(x)
        dx = flatten_backward(dh, cache)
    elif name == "layer_norm":
        # h, cache = layer_norm_forward(x, gamma, beta, eps=layer["eps"])
        dx, grads["gamma"], grads["beta"] = layer_norm_backward(dh, cache)
    elif name == "batch_norm":
        # h, cache, state = batch_norm(x, l, layer, params, train)
        dx, grads["gamma"], grads["beta"] = batch_norm_backward(dh, cache)
    elif name == "dropout":
        # h, cache = dropout_forward(x, batch[f"mask_{l}"])
        dx = dropout_backward(dh, cache)
    elif name == "logistic":
        # h, cache = logistic_forward(x, params[f"a_{l}"])
        dx, grads["a"] = logistic_backward(dh, cache)
    elif name == "prelu":
        # h, cache = prelu_forward(x, params[f"a_{l}"])
        dx, grads["a"] = prelu_backward(dh, cache)
    elif name == "avg_pool":
        # h, cache = avg_pool_forward(x, **moves(layer))
        dx = avg_pool_backward(dh, cache)
    elif name == "max_pool":
        # h, cache = max_pool_forward(x, **moves(layer))
        dx = max_pool_backward(dh, cache)
    elif name == "conv":
        # h, cache = conv_forward(x, W, b, **moves(layer))
        dx, grads["W"], grads["b"] = conv_backward(dh, cache, want_dx=want_dx)
    elif name == "dense":
        # h, cache = dense_forward(x, params[f"W_{l}"], params.get(f"b_{l}", 0))
        dx, grads["W"], grads["b"] = dense_backward(dh, cache, want_dx=want_dx)
    return dx, {f"{letter}_{l}": grad for letter, grad in grads.items()}


def batch_norm(x, l, layer, params, train):
    """In training by the batch, and the statistics move; else by the statistics."""
    gamma, beta, eps = params[f"gamma_{l}"], params[f"beta_{l}"], layer["eps"]
    running = params[f"mean_{l}"], params[f"var_{l}"]
    if not train:
        return batch_norm_evaluated(x, gamma, beta, *running, eps=eps), None, {}
    h, cache, found = batch_norm_forward(x, gamma, beta, eps=eps)
    mean, var = batch_norm_running(
        running, found, x.size // x.shape[-1],
        momentum=layer["momentum"], unbiased=layer["unbiased"],
    )
    return h, cache, {f"state/mean_{l}": mean, f"state/var_{l}": var}


def forward(params, batch, recipe, *, train, w=NEW):
    outputs, caches = {}, []
    h = batch["x"]                           # (1)
    for l, layer in enumerate(recipe["layers"], start=1):
        h, cache, state = layer_forward(h, l, layer, params, batch, train)  # (2)
        outputs |= {f"h_{l}": h} | state     # not differentiated
        caches.append(cache)
    outputs["prediction"] = outputs.pop(f"h_{l}")  # (3)
    return outputs, (caches, batch)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    caches, batch = cache
    grads = {}
    # outputs["prediction"] = outputs.pop(f"h_{l}")
    dh = doutputs["prediction"]
    for l in range(len(caches), 0, -1):
        layer, cache = recipe["layers"][l - 1], caches[l - 1]
        # h, cache, state = layer_forward(h, l, layer, params, batch, train)
        dh, own = layer_backward(dh, l, layer, cache, batch, l > 1 or "x" in inputs)
        grads |= own
    # h = batch["x"]
    grads["d/x"] = dh
    return grads


loss = losses.of_prediction
