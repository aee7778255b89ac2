"""Activations: canonical name -> PyTorch's own function."""

import torch


def identity(z):
    return z


def step(z):
    """1 where z >= 0, else 0. A comparison has no derivative: no gradient passes it."""
    return (z >= 0).to(z.dtype)


ACTIVATIONS = {
    "identity": identity,
    "step": step,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,  # derivative 0 at 0
}
