"""Layers: forward returns (output, cache), backward returns the gradients of its arguments.

Each backward quotes the forward lines bottom to top, and its adjoint stands under each.
"""

import numpy as np

from scratch.workspace import NEW


def dense_forward(x, W, b, w=NEW):
    z = np.dot(x, W, out=w.z)                # (B, N)
    z += b                                   # (B, N)
    return z, (x, W)


def dense_backward(dz, cache, w=NEW, *, want_dx=True):
    """dx, dW, db; a first layer that nobody asks for dx saves that product."""
    x, W = cache
    # z += b
    ones = np.ones(len(dz), dz.dtype) if w.ones is None else w.ones  # (B,)
    db = np.dot(ones, dz, out=w.db)          # (N,)  the sum over the batch, as BLAS likes it
    # z = np.dot(x, W, out=w.z)
    dW = np.dot(x.T, dz, out=w.dW)           # (M, N)
    dx = np.dot(dz, W.T, out=w.dx) if want_dx else None
    return dx, dW, db
