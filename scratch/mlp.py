"""Multilayer perceptron, from scratch.

Source
------
Rumelhart, Hinton & Williams (1986), Nature 323, 533-536.

Equations
---------
::

    h_0 = x                                                        (1)
    z_l = h_(l-1) W_l + b_l    one weighted sum per unit           (2)
    h_l = f_l(z_l)             f_l: sigmoid, tanh, relu, ...       (3)
    prediction = h_L           logits where f_L is the identity    (4)

Shapes
------
B batch, D inputs, M units below a layer, N units of that layer, K outputs.
W_l is (M, N), b_l is (N,).
"""

from scratch import losses, workspace
from scratch.activations import activation
from scratch.layers import dense_backward, dense_forward
from scratch.workspace import NEW

INPUTS = ("x",)


def shapes(sizes, recipe):
    units = (sizes["D"], *sizes["H"], sizes["K"])
    named = {}
    for l, (M, N) in enumerate(zip(units, units[1:], strict=False), start=1):
        named |= {f"W_{l}": (M, N), f"b_{l}": (N,)}
    return named


def forward(params, batch, recipe, *, train, w=NEW):
    outputs, caches = {}, []
    h = batch["x"]                                                       # (B, D) (1)
    for l, name in enumerate(recipe["activations"], start=1):
        activate, _ = activation(name)                                  # not differentiated
        z, cache = dense_forward(h, params[f"W_{l}"], params[f"b_{l}"], w[l])  # (B, N) (2)
        h = activate(z, out=w[l].h)                                      # (B, N) (3)
        outputs[f"z_{l}"], outputs[f"h_{l}"] = z, h
        caches.append((z, h, cache))
    outputs["prediction"] = outputs.pop(f"h_{l}")                        # (B, K) (4)
    return outputs, caches


def backward(params, doutputs, caches, recipe, *, inputs, w=NEW):
    grads = {}
    # outputs["prediction"] = outputs.pop(f"h_{l}")
    dh = doutputs["prediction"]                                          # (B, K)
    for l in range(len(caches), 0, -1):
        z, h, cache = caches[l - 1]
        _, back = activation(recipe["activations"][l - 1])
        # h = activate(z, out=w[l].h)
        dz = back(dh, z, h, out=w[l].dz)                                 # (B, N)
        # z, cache = dense_forward(h, params[f"W_{l}"], params[f"b_{l}"], w[l])
        dh, grads[f"W_{l}"], grads[f"b_{l}"] = dense_backward(
            dz, cache, w[l], want_dx=l > 1 or "x" in inputs
        )
    # h = batch["x"]
    grads["d/x"] = dh
    return grads


loss = losses.of_prediction


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    layers = range(1, 1 + len(grads) // 2)
    return {l: workspace.Dense(B, grads[f"W_{l}"], grads[f"b_{l}"]) for l in layers}
