"""Activations: canonical name -> PyTorch's own function, every setting explicit."""

from functools import cache, partial

import torch
import torch.nn.functional as F

from torch_impl.names import choose


def identity(z):
    return z


def step(z):
    """1 where z >= 0, else 0. A comparison has no derivative: no gradient passes it."""
    return (z >= 0).to(z.dtype)


ACTIVATIONS = {
    "identity": identity,
    "step": step,
    "sign": torch.sign,  # 0 at 0; derivative 0
    "sigmoid": torch.sigmoid,
    "sigmoid(h)": lambda z, h: torch.sigmoid(h * z),
    "tanh": torch.tanh,
    "tanh(h)": lambda z, h: torch.tanh(h * z),
    "relu": torch.relu,  # derivative 0 at 0
    "relu(h)": lambda z, h: torch.relu(h * z),
    "arctan": torch.arctan,
    "leaky_relu(alpha)": lambda z, alpha: F.leaky_relu(z, negative_slope=alpha),
    "elu(alpha)": lambda z, alpha: F.elu(z, alpha=alpha),
    "selu": F.selu,  # both constants are built in
    # Above the threshold PyTorch returns z. At its own 20 that is off by 2e-9; at 40
    # by nothing; far beyond, e^z would overflow: at 89 in float32.
    "softplus": partial(F.softplus, beta=1.0, threshold=40.0),
    "silu": F.silu,
    "mish": F.mish,
    "gelu": partial(F.gelu, approximate="none"),
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "softmax": partial(F.softmax, dim=-1),
}


@cache
def activation(name):
    """Return the function of a name such as "tanh" or "leaky_relu(0.1)".

    Raises ValueError for an unknown name, a missing or a superfluous setting.
    """
    return choose(ACTIVATIONS, "activation", name)
