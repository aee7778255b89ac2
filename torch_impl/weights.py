"""Canonical weights and PyTorch's: what a WEIGHTS table is made of, and its reading."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch


@dataclass(frozen=True)
class Weight:
    """How one variable of the nn.Module is made of canonical arrays, and taken apart.

    The two functions permute, concatenate and reshape, nothing else. So one pair serves
    weights, gradients and optimizer state, and the round trip is bitwise.

    Parameters
    ----------
    native : str
        Name in ``named_parameters()`` or ``named_buffers()``. ``{l}`` stands for the
        number of a layer, ``{l-1}`` for one that PyTorch counts from 0.
    canonical : tuple of str
        Names of the arrays it is made of; none for a variable that is frozen at zero.
    to_native : callable
        to_native(*canonical arrays) -> native array
    from_native : callable
        from_native(native array) -> tuple of canonical arrays
    optional : bool
        Whether a model may lack the variable, where its recipe chooses another.
    """

    native: str
    canonical: tuple[str, ...]
    to_native: Callable
    from_native: Callable
    optional: bool = False


SAME = (lambda a: a, lambda a: (a,))
KERNEL = (  # nn.Conv2d keeps (out, in, height, width)
    lambda W: W.transpose(3, 2, 0, 1),
    lambda W: (W.transpose(2, 3, 1, 0),),
)
TRANSPOSED = (lambda W: W.T, lambda W: (W.T,))  # nn.Linear keeps (out, in)
FROZEN = (lambda: 0, lambda a: ())


def expand(table, variables):
    """Put numbers for ``{l}``; ValueError unless each variable is in just one entry."""
    entries = [entry for weight in table for entry in _numbered(weight, variables)]
    mapped = [entry.native for entry in entries]
    twice = {name for name in mapped if mapped.count(name) > 1}
    if wrong := set(variables) ^ set(mapped) | twice:
        raise ValueError(
            f"{sorted(wrong)}: a variable without its one entry of WEIGHTS, or an entry"
            " without its variable -> mend WEIGHTS"
        )
    return entries


def _numbered(weight, variables):
    template = re.fullmatch(r"(.*)\{l(-1)?\}(.*)", weight.native)
    if template is None:
        return [weight] if weight.native in variables or not weight.optional else []
    before, from_zero, after = template.groups()
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    entries = []
    for match in filter(None, map(pattern.fullmatch, variables)):
        l = int(match[1]) + bool(from_zero)
        names = tuple(name.replace("{l}", str(l)) for name in weight.canonical)
        entries.append(replace(weight, native=match[0], canonical=names))
    return entries


def to_canonical(weights, tensors):
    """Native tensors -> fresh, C-contiguous arrays under canonical names."""
    arrays = {}
    for weight in weights:
        parts = weight.from_native(tensors[weight.native].detach().numpy())
        for name, part in zip(weight.canonical, parts, strict=True):
            arrays[name] = np.array(part, order="C")
    return arrays


def to_native(weight, arrays, dtype):
    """Canonical arrays -> the native tensor of one entry."""
    native = weight.to_native(*(np.asarray(arrays[name]) for name in weight.canonical))
    return torch.tensor(np.asarray(native, order="C"), dtype=dtype)


def check(what, arrays, expected):
    """Raise ValueError, in one line, unless names and shapes are the expected ones."""
    missing = sorted(expected.keys() - arrays)
    unknown = sorted(arrays.keys() - expected)
    if missing or unknown:
        raise ValueError(
            f"{what}: missing {missing}, unknown {unknown}"
            f" -> give exactly {', '.join(expected)}"
        )
    for name, array in arrays.items():
        if np.shape(array) != expected[name].shape:
            raise ValueError(
                f"{what}: {name} is {np.shape(array)}, expected {expected[name].shape}"
                " -> give it in canonical layout, as export() does"
            )


def check_finite(what, arrays):
    """Raise ValueError, in one line, at the first array with NaN or infinity."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"{what}: {name} holds NaN or infinity, expected finite numbers"
                " -> look where they were made"
            )
