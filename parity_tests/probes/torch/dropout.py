"""Probe: noise as data. The dropout mask, already scaled, comes with the batch."""

import torch
from torch import nn

from torch_impl.losses import softmax_cross_entropy
from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        self.hidden = nn.Linear(sizes["D"], sizes["H"], bias=True)
        self.out = nn.Linear(sizes["H"], sizes["K"], bias=True)

    def forward(self, batch):
        h = torch.tanh(self.hidden(batch["x"])) * batch["mask"]  # (B, H)
        prediction = self.out(h)                                 # (B, K)
        return {"h": h, "prediction": prediction}


def loss(outputs, batch, recipe):
    return softmax_cross_entropy(outputs["prediction"], batch["y"])


WEIGHTS = (
    Weight("hidden.weight", ("W_1",), *TRANSPOSED),
    Weight("hidden.bias", ("b_1",), *SAME),
    Weight("out.weight", ("W_2",), *TRANSPOSED),
    Weight("out.bias", ("b_2",), *SAME),
)
