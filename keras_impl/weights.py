"""Which Keras variable holds which canonical arrays, and the way there and back."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from keras import ops

# No layer draws initial weights: they are given, to Adapter.load.
GIVEN = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}


def same(array):
    """Keras stores (inputs, outputs), and so does the canonical layout."""
    return array


def alone(array):
    """One variable, one canonical array."""
    return (array,)


@dataclass(frozen=True)
class Weight:
    """One Keras variable and the canonical arrays in it.

    Parameters
    ----------
    native : str
        The variable's path, ``"dense_1/kernel"``; ``{l}`` stands for a layer number.
    canonical : tuple of str
        The arrays it holds. Empty: not trainable, and zero for ever.
    to_native, from_native : callable
        ``to_native(*arrays) -> array`` and ``from_native(array) -> tuple of arrays``,
        made of permutation, concatenation and reshape only.
    shaped : bool
        Whether ``to_native`` takes the variable's shape as a last argument: only that
        says how many heads share the columns of a matrix.
    optional : bool
        Whether a model may lack the variable, where its recipe chooses another.
    """

    native: str
    canonical: tuple[str, ...]
    to_native: Callable = same
    from_native: Callable = alone
    shaped: bool = False
    optional: bool = False

    def match(self, path):
        """Fill in ``{l}`` if the entry names the variable; else None."""
        pattern = re.escape(self.native).replace(r"\{l\}", r"(?P<l>\d+)")
        if found := re.fullmatch(pattern, path):
            names = tuple(name.format(**found.groupdict()) for name in self.canonical)
            return replace(self, native=path, canonical=names)
        return None


class WeightMap:
    """The WEIGHTS of a network, laid over the variables of its model.

    Gradients and optimizer slots have the shapes of their variables and go through
    the same functions.

    Raises
    ------
    ValueError
        If a variable is in no entry or in several, an entry that must fit one fits no
        variable, a canonical name occurs twice, or a trainable variable has none.
    """

    def __init__(self, weights, variables):
        self._entries = {variable.path: _entry(weights, variable) for variable in variables}
        single = [w for w in weights if "{l}" not in w.native and not w.optional]
        idle = [w.native for w in single if not any(map(w.match, self._entries))]
        if idle:
            raise ValueError(f"WEIGHTS names variables the model lacks: {idle}")
        names = [name for entry in self._entries.values() for name in entry.canonical]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"WEIGHTS names arrays twice: {twice}")

    def names(self, variable):
        """The canonical names in one variable."""
        return self._entries[variable.path].canonical

    def shapes(self, variables):
        """{canonical name: shape}."""
        return {name: array.shape for name, array in self.read(variables).items()}

    def read(self, variables, values=None):
        """Fresh canonical arrays of the variables, or of `values` in their layout."""
        arrays = {}
        for variable, value in zip(variables, values or variables, strict=True):
            entry = self._entries[variable.path]
            if entry.canonical:
                parts = entry.from_native(ops.convert_to_numpy(value))
                for name, part in zip(entry.canonical, parts, strict=True):
                    arrays[name] = np.array(part, order="C")
        return arrays

    def native(self, variable, arrays):
        """The array for one variable, from canonical ones; zeros if it has no name."""
        entry = self._entries[variable.path]
        if not entry.canonical:
            return np.zeros(variable.shape, variable.dtype)
        shape = (tuple(variable.shape),) if entry.shaped else ()
        return entry.to_native(*(arrays[name] for name in entry.canonical), *shape)


def _entry(weights, variable):
    entries = [entry for weight in weights if (entry := weight.match(variable.path))]
    if len(entries) != 1:
        raise ValueError(f"{variable.path!r} is in {len(entries)} entries of WEIGHTS")
    if variable.trainable and not entries[0].canonical:
        raise ValueError(f"{variable.path!r} has no canonical name but is trainable")
    return entries[0]


def checked(what, arrays, shapes, dtype, *, finite):
    """Copies of `arrays` in `dtype`; ValueError unless they are what `shapes` says."""
    missing, unknown = shapes.keys() - arrays.keys(), arrays.keys() - shapes.keys()
    if missing or unknown:
        raise ValueError(
            f"{what}: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
    copies = {name: np.array(arrays[name], dtype) for name in shapes}
    for name, array in copies.items():
        if array.shape != shapes[name]:
            raise ValueError(
                f"{what}: {name} has shape {array.shape}, expected {shapes[name]}"
            )
        if finite and not np.isfinite(array).all():
            raise ValueError(f"{what}: {name} holds NaN or infinity")
    return copies
