"""Multilayer perceptron in JAX: pure functions of a dict of arrays.

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

from itertools import pairwise

from jax_impl import losses
from jax_impl.activations import activation

INPUTS = ("x",)


def shapes(sizes, recipe):
    named = {}
    units = (sizes["D"], *sizes["H"], sizes["K"])
    for layer, (M, N) in enumerate(pairwise(units), start=1):
        named |= {f"W_{layer}": (M, N), f"b_{layer}": (N,)}
    return named


def forward(params, batch, recipe, *, train):
    outputs = {}
    h = batch["x"]                                           # (B, D)  (1)
    for layer, name in enumerate(recipe["activations"], start=1):
        activate = activation(name)
        z = h @ params[f"W_{layer}"] + params[f"b_{layer}"]  # (B, N)  (2)
        h = activate(z)                                      # (B, N)  (3)
        outputs |= {f"z_{layer}": z, f"h_{layer}": h}
    outputs["prediction"] = outputs.pop(f"h_{layer}")        # (B, K)  (4)
    return outputs


loss = losses.of_prediction
