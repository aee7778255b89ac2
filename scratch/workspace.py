"""Where a training step writes: fresh arrays, or arrays that it uses again.

A line such as ``z = np.dot(x, W, out=w.z)`` reads the same either way. With ``w = NEW``
every ``out`` is None and NumPy allocates: the code is pure, in any dtype. With a workspace
made for one batch size the same line writes into memory it already owns, which saves
about a third of the time of a small network's step.
"""

from types import SimpleNamespace

import numpy as np


class _New:
    """A workspace that owns nothing: every array it is asked for is None."""

    def __getattr__(self, name):
        return None

    def __getitem__(self, key):
        return self

    def steps(self, shapes, dtype):
        return _empty(shapes, dtype)

    def out(self, name, *shape):
        return None


def _empty(shapes, dtype):
    return SimpleNamespace(**{name: np.empty(s, dtype) for name, s in shapes.items()})


NEW = _New()


class Dense:
    """Memory of one dense layer and its activation, for B examples.

    ``dW`` and ``db`` are the caller's (views of one flat gradient vector).
    """

    def __init__(self, B, dW, db):
        M, N = dW.shape
        self.z, self.h, self.dz = (np.empty((B, N), dW.dtype) for _ in range(3))
        self.dx = np.empty((B, M), dW.dtype)
        self.ones = np.ones(B, dW.dtype)
        self.dW, self.db = dW, db


class Steps:
    """Memory of a recurrent layer: how many steps it has, the batch says.

    The gradients are the caller's (views of one flat vector).
    """

    def __init__(self, **grads):
        vars(self).update(grads)
        self._shapes = self._made = None

    def steps(self, shapes, dtype):
        """Arrays of these shapes by their names, the same ones as long as nothing changes."""
        if self._shapes != shapes:
            self._shapes, self._made = shapes, _empty(shapes, dtype)
        return self._made


class Pictures:
    """Memory of a layer on pictures: how large they are, the batch says.

    ``dW`` and ``db`` of a convolution are the caller's (views of one flat gradient vector).
    """

    def __init__(self, dtype, dW=None, db=None):
        self.dkernels = None if dW is None else dW.reshape(-1, dW.shape[-1])
        self.db = db
        self._dtype, self._made = dtype, {}

    def out(self, name, *shape):
        """An array to write into, the same one as long as its shape does not change."""
        if name not in self._made or self._made[name].shape != shape:
            self._made[name] = np.empty(shape, self._dtype)
        return self._made[name]


class Norm:
    """Memory of a layer norm, for R rows of N features."""

    def __init__(self, R, N, dtype):
        self.d, self.s, self.n, self.t, self.ds = (np.empty((R, N), dtype) for _ in range(5))
