"""Which Keras variable holds which canonical parameters, and how to go there and back."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

# No layer draws its initial weights; they are given to Adapter.load.
GIVEN = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}


def same(array):
    """Keras stores (inputs, outputs), as the canonical layout does."""
    return array


def alone(array):
    """One canonical array from one variable."""
    return (array,)


@dataclass(frozen=True)
class Weight:
    """One Keras variable and the canonical arrays in it.

    Parameters
    ----------
    native : str
        The variable's path, ``"dense_1/kernel"``; ``{l}`` stands for a layer number.
    canonical : tuple of str
        Names of the arrays it holds. Empty: the variable stays frozen at zero.
    to_native, from_native : callable
        ``to_native(*arrays) -> array`` and ``from_native(array) -> tuple of arrays``,
        made of permutation, concatenation and reshape only.
    """

    native: str
    canonical: tuple[str, ...]
    to_native: Callable = same
    from_native: Callable = alone

    def split(self, array):
        """Native array -> {canonical name: array}."""
        if not self.canonical:
            return {}
        return dict(zip(self.canonical, self.from_native(array), strict=True))

    def join(self, named):
        """{canonical name: array, ...} -> native array."""
        return self.to_native(*(named[name] for name in self.canonical))


def bind(weights, paths):
    """Give every variable path its Weight, with ``{l}`` filled in.

    Returns
    -------
    dict
        path -> Weight, in the order of `paths`.

    Raises
    ------
    ValueError
        If a variable is in no entry or in several, an entry fits no variable, or a
        canonical name occurs twice.
    """
    bound, used = {}, set()
    for path in paths:
        matches = [(entry, found) for entry in weights if (found := _match(entry, path))]
        if len(matches) != 1:
            raise ValueError(f"variable {path!r} is in {len(matches)} entries of WEIGHTS")
        entry, found = matches[0]
        names = tuple(name.format(**found.groupdict()) for name in entry.canonical)
        bound[path] = replace(entry, native=path, canonical=names)
        used.add(entry)
    if unused := [entry.native for entry in weights if entry not in used]:
        raise ValueError(f"WEIGHTS names variables the model lacks: {unused}")
    names = [name for entry in bound.values() for name in entry.canonical]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"WEIGHTS names parameters twice: {twice}")
    return bound


def _match(entry, path):
    pattern = re.escape(entry.native).replace(r"\{l\}", r"(?P<l>\d+)")
    return re.fullmatch(pattern, path)
