"""Textbooks against frameworks."""

import torch
import torch.nn.functional as F

from torch_impl.divergences.activations import derivative, pair, same


def prelu_derivative(z, a):
    return derivative(lambda z: F.prelu(z, a), z)


def form_derivative(u, X, v):
    return derivative(lambda X: u @ X @ v, X)


def stepped(p, y, lr):
    return p - lr * derivative(lambda p: F.mse_loss(p, y, reduction="mean"), p)


ROWS = {
    "T01": same("0", lambda z: derivative(F.relu, z)),
    "T02": same("the slope", prelu_derivative),
    "T03": same("(n, k)", form_derivative),
    "T04": pair(
        "mean over all elements",
        naive=stepped,
        aligned=lambda p, y, lr: stepped(p, y, lr * p.numel() / 2),
    ),
    "T05": pair(
        "h = 1",
        naive=lambda a, h: torch.sigmoid(a),
        aligned=lambda a, h: torch.sigmoid(h * a),
    ),
    "T06": pair(
        "sign(0) = 0",
        naive=lambda a, threshold: torch.sign(a - threshold),
        aligned=lambda a, threshold: torch.where(a >= threshold, 1.0, -1.0),
    ),
    "T07": pair(
        "one step from logits",
        naive=lambda logits, y: F.cross_entropy(logits, y),
        aligned=lambda logits, y: F.cross_entropy(logits, y, reduction="mean"),
    ),
    "T08": pair(
        "W x: linear(x, W) is x W'",
        naive=lambda x, W: F.linear(x, W),
        aligned=lambda x, W: F.linear(x, W, bias=None),
    ),
}
