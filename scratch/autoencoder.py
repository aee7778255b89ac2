"""Autoencoder, from scratch.

Source
------
Hinton & Salakhutdinov (2006), Science 313, 504-507. No pre-training layer by layer:
all weights learn at once, from random ones. There, transposed weights are where the
decoder starts; here tied weights are transposed for ever.

Equations
---------
::

    h_0 = x                                                            (1)
    z_l = h_(l-1) W_l + b_l     l = 1 ... L encodes, L+1 ... 2L decodes (2)
    z_l = h_(l-1) W_k' + b_l    a decoding layer where weights are tied:
                                those of its counterpart, k = 2L+1-l   (3)
    h_l = f_l(z_l)              f_l: relu, sigmoid, ...                (4)
    code = h_L                  all that the decoder learns about x    (5)
    prediction = h_2L           x again; logits where f_2L is the identity
                                and the loss a cross-entropy           (6)

Shapes
------
B batch, D inputs and outputs, M units below a layer, N units of that layer.
W_l is (M, N), b_l is (N,).
"""

from itertools import pairwise

import numpy as np

from scratch import losses, workspace
from scratch.activations import activation
from scratch.layers import dense_backward, dense_forward
from scratch.workspace import NEW

INPUTS = ("x",)


def shapes(sizes, recipe):
    there = (sizes["D"], *sizes["H"])
    units = (*there, *there[-2::-1])
    named = {}
    for l, (M, N) in enumerate(pairwise(units), start=1):
        if l < len(there) or not recipe["tied"]:
            named |= {f"W_{l}": (M, N)}
        named |= {f"b_{l}": (N,)}
    return named


def transposed_forward(x, W, b, w=NEW):
    """A dense layer by the weights (N, M) of another one, which goes from N to M units."""
    z = np.dot(x, W.T, out=w.z)              # (B, N)
    z += b                                   # (B, N)
    return z, (x, W)


def transposed_backward(dz, cache, w=NEW):
    x, W = cache
    # z += b
    ones = np.ones(len(dz), dz.dtype) if w.ones is None else w.ones  # (B,)
    db = np.dot(ones, dz, out=w.db)          # (N,)
    # z = np.dot(x, W.T, out=w.z)
    dW = np.dot(dz.T, x, out=w.dW)           # (N, M)  as W lies, not as it is used
    dx = np.dot(dz, W, out=w.dx)             # (B, M)
    return dx, dW, db


def forward(params, batch, recipe, *, train, w=NEW):
    outputs, caches = {}, []
    last = len(recipe["activations"])        # 2L  not differentiated
    h = batch["x"]                                                        # (B, D) (1)
    for l, name in enumerate(recipe["activations"], start=1):
        b, k = params[f"b_{l}"], last + 1 - l  # not differentiated
        if f"W_{l}" in params:
            z, cache = dense_forward(h, params[f"W_{l}"], b, w[l])        # (B, N) (2)
        else:
            z, cache = transposed_forward(h, params[f"W_{k}"], b, w[l])   # (B, N) (3)
        activate, _ = activation(name)       # not differentiated
        h = activate(z, out=w[l].h)                                       # (B, N) (4)
        outputs[f"z_{l}"], outputs[f"h_{l}"] = z, h
        caches.append((z, h, cache))
    outputs["code"] = outputs.pop(f"h_{last // 2}")  # (5)  not differentiated: to look at
    outputs["prediction"] = outputs.pop(f"h_{last}")                      # (B, D) (6)
    return outputs, caches


def backward(params, doutputs, caches, recipe, *, inputs, w=NEW):
    grads, last = {}, len(caches)
    # outputs["prediction"] = outputs.pop(f"h_{last}")
    dh = doutputs["prediction"]                                           # (B, D)
    for l in range(last, 0, -1):
        z, h, cache = caches[l - 1]
        _, back = activation(recipe["activations"][l - 1])
        k, want_dx = last + 1 - l, l > 1 or "x" in inputs
        # h = activate(z, out=w[l].h)
        dz = back(dh, z, h, out=w[l].dz)                                  # (B, N)
        if f"W_{l}" not in params:
            # z, cache = transposed_forward(h, params[f"W_{k}"], b, w[l])
            dh, grads[f"W_{k}"], grads[f"b_{l}"] = transposed_backward(dz, cache, w[l])
        else:
            # z, cache = dense_forward(h, params[f"W_{l}"], b, w[l])
            dh, dW, grads[f"b_{l}"] = dense_backward(dz, cache, w[l], want_dx=want_dx)
            if f"W_{l}" in grads:            # one W, two uses: gradients add
                dW = np.add(dW, grads[f"W_{l}"], out=w[l].dW)             # (M, N)
            grads[f"W_{l}"] = dW
    # h = batch["x"]
    grads["d/x"] = dh
    return grads


loss = losses.of_prediction


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    last = sum(name.startswith("b_") for name in grads)
    w = {}
    for l in range(1, last + 1):
        if f"W_{l}" in grads:
            w[l] = workspace.Dense(B, grads[f"W_{l}"], grads[f"b_{l}"])
        else:
            dW = np.empty_like(grads[f"W_{last + 1 - l}"])
            w[l] = workspace.Dense(B, dW.T, grads[f"b_{l}"])
            w[l].dW = dW
    return w
