"""Layers by name: what recipe["layers"] of `sequential` is built of."""

import torch
from torch import nn

from torch_impl.activations import activation
from torch_impl.convolution import AvgPool, Conv, MaxPool, outputs_of
from torch_impl.regularizers import BatchNorm, Dropout, Flip, Shift, layer_norm


class Logistic(nn.Module):
    """sigmoid(a z), the slope a trained."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.ones(1))

    def forward(self, z):
        return torch.sigmoid(self.slope * z)


def dense(below, *, units, bias):
    if len(below) != 1:  # nn.Linear would keep all axes but the last
        raise ValueError(f"dense: expected (D,), got {tuple(below)} -> put flatten below")
    return nn.Linear(below[0], units, bias=bias)


# canonical name -> function of the shape below (without B) and the layer's settings
LAYERS = {
    "dense": dense,
    "conv": Conv,
    "max_pool": MaxPool,
    "avg_pool": AvgPool,
    "prelu": lambda below: nn.PReLU(num_parameters=1),  # derivative a at 0
    "logistic": lambda below: Logistic(),
    "flatten": lambda below: nn.Flatten(start_dim=1, end_dim=-1),
    "batch_norm": lambda below, **settings: BatchNorm(below[-1], **settings),
    "layer_norm": lambda below, **settings: layer_norm(below[-1], **settings),
    "dropout": lambda below: Dropout(),
    "shift": lambda below: Shift(),
    "flip": lambda below: Flip(),
}


def layer(below, *, name, **settings):
    """Build one layer on a shape; a name that is not in LAYERS is an activation's."""
    if name in LAYERS:
        return LAYERS[name](below, **settings)
    return activation(name, **settings)


def above(below, *, name, **settings):
    """The shape that a layer makes of the shape below it."""
    if name == "dense":
        return (settings["units"],)
    if name in ("conv", "max_pool", "avg_pool"):
        size = settings.get("kernel", settings.get("size"))
        moves = {"stride": settings["stride"], "padding": settings["padding"]}
        return (*outputs_of(below, size=size, **moves), settings.get("channels", below[2]))
    return (torch.Size(below).numel(),) if name == "flatten" else tuple(below)


def noise(l, *, name, **settings):
    """The entry of the batch that layer l reads, or None."""
    return {"dropout": f"mask_{l}", "shift": "shift", "flip": "flip"}.get(name)
