"""Canonical weights <-> PyTorch's: what a WEIGHTS table is made of, and how it is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch


@dataclass(frozen=True)
class Weight:
    """How one variable of the nn.Module follows from canonical arrays, and back.

    The two functions permute, concatenate and reshape, nothing else: the same pair then
    serves weights, gradients and optimizer state, and the round trip is bitwise.

    Parameters
    ----------
    native : str
        Name in ``named_parameters()`` or ``named_buffers()``. ``{l}`` stands for a layer
        number, ``{l-1}`` for one that PyTorch counts from 0.
    canonical : tuple of str
        Names of the arrays it is made of; empty for a variable that is frozen at zero.
    to_native : callable
        to_native(*canonical arrays) -> native array
    from_native : callable
        from_native(native array) -> tuple of canonical arrays
    """

    native: str
    canonical: tuple[str, ...]
    to_native: Callable
    from_native: Callable


SAME = (lambda a: a, lambda a: (a,))
TRANSPOSED = (lambda W: W.T, lambda W: (W.T,))  # nn.Linear keeps (out, in): x @ W.T
FROZEN = (lambda: 0.0, lambda a: ())


def expand(table, variables):
    """Put numbers for ``{l}``; every variable must be in exactly one entry."""
    entries = [entry for weight in table for entry in _numbered(weight, variables)]
    mapped = [entry.native for entry in entries]
    wrong = sorted(set(variables) ^ set(mapped) | {n for n in mapped if mapped.count(n) > 1})
    if wrong:
        raise ValueError(
            f"{', '.join(wrong)}: not in exactly one entry of WEIGHTS -> mend the table"
        )
    return entries


def _numbered(weight, variables):
    template = re.fullmatch(r"(.*)\{l(-1)?\}(.*)", weight.native)
    if template is None:
        return [weight]
    before, offset, after = template.groups()
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    entries = []
    for match in filter(None, map(pattern.fullmatch, variables)):
        l = int(match[1]) + (1 if offset else 0)
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
    return torch.from_numpy(np.array(native, dtype=dtype, order="C"))


def check(arrays, expected, what):
    """Raise ValueError, in one line, where names, shapes or numbers are not right."""
    missing, extra = sorted(expected.keys() - arrays), sorted(arrays.keys() - expected)
    if missing or extra:
        raise ValueError(
            f"{what}: missing {missing}, unknown {extra} -> give exactly {sorted(expected)}"
        )
    for name, array in arrays.items():
        if np.shape(array) != expected[name]:
            raise ValueError(
                f"{what}: {name} has shape {np.shape(array)}, expected {expected[name]}"
                " -> give canonical layout, as export() does"
            )
        if not np.isfinite(array).all():
            raise ValueError(
                f"{what}: {name} holds NaN or infinity, expected finite numbers"
                " -> look at where it was made"
            )
