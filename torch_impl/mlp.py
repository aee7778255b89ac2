"""Multilayer perceptron in PyTorch: a ModuleList of nn.Linear.

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

from torch import nn

from torch_impl.activations import activation
from torch_impl.losses import loss_function
from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        units = (sizes["D"], *sizes["H"], sizes["K"])
        self.layers = nn.ModuleList(
            nn.Linear(M, N, bias=True) for M, N in zip(units, units[1:], strict=False)
        )
        activations = map(activation, recipe["activations"])
        self.stack = list(zip(self.layers, activations, strict=True))

    def forward(self, batch):
        outputs = {}
        h = batch["x"]                                   # (B, D)  (1)
        for l, (linear, f) in enumerate(self.stack, start=1):
            z = linear(h)                                # (B, N)  (2)
            h = f(z)                                     # (B, N)  (3)
            outputs[f"z_{l}"], outputs[f"h_{l}"] = z, h
        outputs["prediction"] = outputs.pop(f"h_{l}")    # (B, K)  (4)
        return outputs


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("layers.{l-1}.weight", ("W_{l}",), *TRANSPOSED),
    Weight("layers.{l-1}.bias", ("b_{l}",), *SAME),
)
