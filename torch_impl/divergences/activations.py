"""Activations and subgradients."""

import math

import torch
import torch.nn.functional as F

from torch_impl.divergences.pair import Pair


def on_tensors(f):
    """Make f, of tensors, a function of the row's arrays: their names are its arguments."""

    def run(given):
        result = f(**{name: torch.tensor(array) for name, array in given.items()})
        if isinstance(result, dict):
            return {name: value.detach().numpy() for name, value in result.items()}
        return result.detach().numpy()

    return run


def pair(does, naive, aligned):
    """A Pair of functions of tensors; ``aligned`` may be None."""
    return Pair(does, on_tensors(naive), aligned and on_tensors(aligned))


def same(does, f):
    """A Pair of a side that needs no setting."""
    return pair(does, f, f)


def derivative(f, at):
    """The gradient of the sum of f's values."""
    at = at.clone().requires_grad_()
    return torch.autograd.grad(f(at).sum(), at)[0]


DEFAULTS = {
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "silu": F.silu,
    "mish": F.mish,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "relu6": F.relu6,
    "softsign": F.softsign,
    "log_sigmoid": F.logsigmoid,
    "glu": F.glu,
    "hard_tanh": F.hardtanh,
    "tanhshrink": F.tanhshrink,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
}


def at_defaults(z):
    return {name: f(z) for name, f in DEFAULTS.items()}


def bounded(z, low, high):
    """Hold z between two bounds; the derivative is 0 at the bounds, too."""
    return torch.where(z <= low, low, torch.where(z >= high, high, z))


def safe_sqrt(z):
    """The root where z > 0, else 0, and so for the derivative."""
    return torch.where(z > 0, torch.sqrt(torch.where(z > 0, z, 1.0)), 0.0)


def derivative_or_nan(f, at):
    try:
        return derivative(f, at)
    except RuntimeError:  # "element 0 of tensors does not require grad"
        return torch.full_like(at, math.nan)


def max_pool(image):
    return F.max_pool2d(image.permute(0, 3, 1, 2), kernel_size=2).permute(0, 2, 3, 1)


def without_nan(z):
    return torch.nan_to_num(z, nan=-math.inf)


ROWS = {
    "A01": pair(
        "exact",
        naive=lambda z: F.gelu(z),
        aligned=lambda z: F.gelu(z, approximate="none"),
    ),
    "A02": pair(
        "returns z above threshold=20",
        naive=lambda z: F.softplus(z),
        aligned=lambda z: F.softplus(z, beta=1.0, threshold=1000.0),
    ),
    "A03": pair(
        "0.01",
        naive=lambda z: F.leaky_relu(z),
        aligned=lambda z: F.leaky_relu(z, negative_slope=0.125),
    ),
    "A04": same("agrees", at_defaults),
    "A07": pair(
        "relu 0; maximum 0.5; clamp 1",
        naive=lambda z: {
            "relu": derivative(F.relu, z),
            "maximum": derivative(lambda z: torch.maximum(z, torch.zeros_like(z)), z),
            "clip": derivative(lambda z: torch.clamp(z, min=0), z),
        },
        aligned=lambda z: derivative(F.relu, z),
    ),
    "A07b": pair(
        "relu6 0; clamp 1; hardtanh 0",
        naive=lambda z: {
            "relu6": derivative(F.relu6, 6 * z),
            "clip": derivative(lambda z: torch.clamp(z, -1, 1), z),
            "hard_tanh": derivative(F.hardtanh, z),
        },
        aligned=lambda z: {
            "relu6": derivative(lambda z: bounded(z, 0.0, 6.0), 6 * z),
            "hard_tanh": derivative(lambda z: bounded(z, -1.0, 1.0), z),
        },
    ),
    "A08": pair(
        "0",
        naive=lambda z: derivative(torch.abs, z),
        aligned=lambda z: derivative(lambda z: z * torch.sign(z), z),
    ),
    "A18": pair(
        "0.1: the slope",
        naive=lambda z: derivative(lambda z: F.leaky_relu(z, 0.1), z),
        aligned=lambda z: derivative(lambda z: torch.where(z > 0, z, 0.1 * z), z),
    ),
    "A09a": pair(
        "max(dim) to one of them; amax shares",
        naive=lambda z: derivative(lambda z: z.max(dim=0).values, z),
        aligned=lambda z: derivative(lambda z: torch.amax(z, dim=0), z),
    ),
    "A09b": same("the first", lambda image: derivative(max_pool, image)),
    "A09d": pair(
        "0.5 to each",
        naive=lambda a, b: derivative(lambda a: torch.maximum(a, b), a),
        aligned=lambda a, b: derivative(lambda a: torch.where(a >= b, a, b), a),
    ),
    "A11a": same("0", lambda z: derivative(torch.linalg.norm, z)),
    "A11b": pair(
        "NaN",
        naive=lambda z: derivative(lambda z: torch.where(z > 0, torch.sqrt(z), 0.0), z),
        aligned=lambda z: derivative(safe_sqrt, z),
    ),
    "A13b": pair(
        "0",
        naive=lambda z: derivative(lambda z: torch.std(z, correction=0), z),
        aligned=lambda z: derivative(lambda z: safe_sqrt(torch.var(z, correction=0)), z),
    ),
    "N05": pair(
        "refuses: nothing to differentiate",
        naive=lambda z: derivative_or_nan(lambda z: (z >= 0).to(z.dtype), z),
        aligned=lambda z: derivative(lambda z: (z >= 0) + 0.0 * z, z),
    ),
    "N10": pair(
        "keeps denormal numbers",
        naive=lambda z: torch.exp(z).double() * 2.0**137,
        aligned=lambda z: torch.exp(z.double()) * 2.0**137,
    ),
    "N19": pair(
        "NaN; argmax 0",
        naive=lambda image, scores: {
            "max_pool": max_pool(image),
            "argmax": torch.argmax(scores),
        },
        aligned=lambda image, scores: {
            "max_pool": max_pool(without_nan(image)),
            "argmax": torch.argmax(without_nan(scores)),
        },
    ),
}
