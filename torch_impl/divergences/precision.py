"""Precision traps."""

import math

import torch
import torch.nn.functional as F

from torch_impl.divergences.activations import pair, same
from torch_impl.divergences.optimizers import rates


def mean_or_nan(n):
    try:
        return n.mean()
    except RuntimeError:  # "mean(): could not infer output dtype"
        return torch.tensor(math.nan)


def product_or_nan(a, b):
    try:
        return a @ b
    except RuntimeError:  # "expected m1 and m2 to have the same dtype"
        return torch.full((len(a), b.shape[1]), math.nan)


def resize(image, R):
    return F.interpolate(image[None, None], size=len(R), mode="bilinear")[0, 0]


def attention(x):
    return F.scaled_dot_product_attention(x[None], x[None], x[None])[0]


def row_alone(x, others, W):
    return (x @ W)[0] - (x[:1] @ W)[0]


def row_in_company(x, others, W):
    return (x @ W)[0] - (others @ W)[0]


def sum_by(threads, x):
    """The sum of x, computed by so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return x.sum()
    finally:
        torch.set_num_threads(before)


def elementary(z, size):
    return torch.stack(
        [
            torch.exp(z),
            torch.tanh(z),
            torch.sigmoid(z),
            torch.erf(z),
            torch.log(size),
            F.softplus(z, threshold=1000.0),
            torch.rsqrt(size),
        ]
    )


def worst(values, truth, unit):
    return ((values.float() - truth).abs() / unit).amax(dim=1)


def gelu_by_erfc(z):
    return z * torch.erfc(-z / math.sqrt(2)) / 2


def cosine(t):
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR
    return rates(scheduler, t, T_max=8, eta_min=0.125 * 0.5)


ROWS = {
    "P01": same("exact", lambda: torch.tensor(0.9, dtype=torch.float64)),
    "P04": pair(
        "exact",
        naive=lambda z, truth: F.gelu(z) / truth,
        aligned=lambda z, truth: F.gelu(z, approximate="none") / truth,
    ),
    "P05": same("exact", lambda z, truth: F.gelu(z, approximate="tanh") / truth),
    "P06": pair(
        "exact",
        naive=lambda z, truth: F.leaky_relu(z, 0.1) / truth,
        aligned=lambda z, truth: F.leaky_relu(z, negative_slope=0.1) / truth,
    ),
    "P07": same("exact", lambda x: x / 255),
    "P10": same("float64", resize),
    "P11": same("exact", attention),
    "P13": same("exact", attention),
    "P14": same("exact", cosine),
    "P15": same("stays float64", lambda z: z),
    "P16": same("2^40", lambda n: n),
    "P17": pair(
        "refuses",
        naive=product_or_nan,
        aligned=lambda a, b: a.double() @ b,
    ),
    "P18": pair("refuses", naive=mean_or_nan, aligned=lambda n: n.double().mean()),
    "P19": pair(
        "stays float32",
        naive=lambda x: 0.1 * x,
        aligned=lambda x: torch.tensor(0.1, dtype=x.dtype) * x,
    ),
    "P20": pair(
        "in blocks",
        naive=lambda x, truth: x.sum(dim=0) / truth,
        aligned=lambda x, truth: x.sum(dim=0, dtype=torch.float64) / truth,
    ),
    "P21": pair("another kernel", naive=row_alone, aligned=row_in_company),
    "P22": pair(
        "each thread sums its share",
        naive=lambda x: sum_by(2, x) - sum_by(1, x),
        aligned=lambda x: sum_by(1, x) - sum_by(1, x),
    ),
    "P24": pair(
        "all below 2",
        naive=lambda z, size, truth, unit: worst(elementary(z, size), truth, unit),
        aligned=lambda z, size, truth, unit: worst(
            elementary(z.double(), size.double()), truth, unit
        ),
    ),
    "P25": pair(
        "1 + erf is 0",
        naive=lambda z, truth: F.gelu(z) / truth,
        aligned=lambda z, truth: gelu_by_erfc(z.double()) / truth,
    ),
}
