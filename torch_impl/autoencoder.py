"""Autoencoder in PyTorch: a ModuleList of nn.Linear, there and back.

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

import torch.nn.functional as F
from torch import nn

from torch_impl.activations import activation
from torch_impl.losses import loss_function
from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Transposed(nn.Module):
    """The weights of an nn.Linear, the other way round; only the bias is its own."""

    def __init__(self, linear):
        super().__init__()
        self.linear = linear  # the module itself, so there is one weight and no copy
        self.bias = nn.Parameter(linear.weight.new_zeros(linear.in_features))

    def forward(self, h):
        return F.linear(h, self.linear.weight.t(), self.bias)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        there = (sizes["D"], *sizes["H"])
        encoder = [nn.Linear(M, N, bias=True) for M, N in pairwise(there)]
        if recipe["tied"]:
            decoder = [Transposed(linear) for linear in reversed(encoder)]
        else:
            decoder = [nn.Linear(M, N, bias=True) for M, N in pairwise(reversed(there))]
        self.layers = nn.ModuleList(encoder + decoder)
        activations = map(activation, recipe["activations"])
        self.stack = list(zip(self.layers, activations, strict=True))

    def forward(self, batch):
        outputs = {}
        last = len(self.stack)                           # 2L
        h = batch["x"]                                   # (B, D)  (1)
        for l, (layer, f) in enumerate(self.stack, start=1):
            z = layer(h)                                 # (B, N)  (2), (3)
            h = f(z)                                     # (B, N)  (4)
            outputs[f"z_{l}"], outputs[f"h_{l}"] = z, h
        outputs["code"] = outputs.pop(f"h_{last // 2}")  # (5)
        outputs["prediction"] = outputs.pop(f"h_{last}")  # (B, D)  (6)
        return outputs


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("layers.{l-1}.weight", ("W_{l}",), *TRANSPOSED),  # tied: the encoder's alone
    Weight("layers.{l-1}.bias", ("b_{l}",), *SAME),
)
