"""Autoencoder in JAX: pure functions of a dict of arrays.

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

from jax_impl import losses
from jax_impl.activations import activation

INPUTS = ("x",)


def shapes(sizes, recipe):
    there = (sizes["D"], *sizes["H"])
    units = (*there, *there[-2::-1])
    named = {}
    for layer, (M, N) in enumerate(pairwise(units), start=1):
        if layer < len(there) or not recipe["tied"]:
            named |= {f"W_{layer}": (M, N)}
        named |= {f"b_{layer}": (N,)}
    return named


def forward(params, batch, recipe, *, train):
    outputs = {}
    last = len(recipe["activations"])                        # 2L
    h = batch["x"]                                           # (B, D)  (1)
    for layer, name in enumerate(recipe["activations"], start=1):
        b, k = params[f"b_{layer}"], last + 1 - layer
        if f"W_{layer}" in params:
            z = h @ params[f"W_{layer}"] + b                 # (B, N)  (2)
        else:
            z = h @ params[f"W_{k}"].T + b                   # (B, N)  (3)
        activate = activation(name)
        h = activate(z)                                      # (B, N)  (4)
        outputs |= {f"z_{layer}": z, f"h_{layer}": h}
    outputs["code"] = outputs.pop(f"h_{last // 2}")          # (5)
    outputs["prediction"] = outputs.pop(f"h_{last}")         # (B, D)  (6)
    return outputs


loss = losses.of_prediction
