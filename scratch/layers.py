"""Layers: forward returns (output, cache), backward returns the gradients of its arguments.

Each backward quotes the forward lines bottom to top, and its adjoint stands under each.
"""

import numpy as np

from scratch.activations import dsigmoid, sigmoid
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


def embedding_forward(ids, E):
    """One row of E (V, M) for each token id; ids of any shape, each from 0 to V - 1."""
    h = E[ids]                               # the row is one axis more than ids has
    return h, (ids, E)


def embedding_backward(dh, cache):
    """dE: an id that stands in several places adds up its gradients.

    E[ids] is a product of one-hot rows with E, and so is its adjoint: at vocabularies of
    this project's size BLAS does that ten times as fast as np.add.at.
    """
    ids, E = cache
    # h = E[ids]
    one_hot = (np.arange(len(E))[:, None] == ids.ravel()).astype(dh.dtype)  # (V, N)
    dE = one_hot @ dh.reshape(ids.size, -1)  # (V, M)
    return dE


def prelu_forward(z, a):
    """He et al. (2015): a leaky ReLU whose slope a (1,) is trained, one for all units."""
    below = np.where(z.real > 0, 0, z)
    h = np.where(z.real > 0, z, 0) + a * below
    return h, (z, a, below)


def prelu_backward(dh, cache):
    """dz, da; at z = 0 the derivative is a, and the slope learns nothing there."""
    z, a, below = cache
    # h = np.where(z.real > 0, z, 0) + a * below
    dz = np.where(z.real > 0, dh, 0)
    da = np.reshape((dh * below).sum(), 1)     # (1,)
    dbelow = a * dh
    # below = np.where(z.real > 0, 0, z)
    dz = dz + np.where(z.real > 0, 0, dbelow)
    return dz, da


def logistic_forward(z, a):
    """The courses' sigmoid with a slope a (1,) that is trained: h = 1 / (1 + e^(-a z))."""
    s = a * z
    h = sigmoid(s)
    return h, (z, a, h)


def logistic_backward(dh, cache):
    z, a, h = cache
    # h = sigmoid(s)
    ds = dh * dsigmoid(h)
    # s = a * z
    da = np.reshape((z * ds).sum(), 1)         # (1,)
    dz = a * ds
    return dz, da


def flatten_forward(x):
    h = x.reshape(len(x), -1)                # (B, N)
    return h, x.shape


def flatten_backward(dh, shape):
    # h = x.reshape(len(x), -1)
    dx = dh.reshape(shape)
    return dx


def last_step_forward(hs, mask=None):
    """Of hs (B, T, H) each sequence's last real step; the mask (B, T) is ones, then zeros."""
    rows = np.arange(len(hs))                # (B,)  not differentiated
    t = -1 if mask is None else np.count_nonzero(mask, axis=1) - 1  # not differentiated
    h = hs[rows, t]                          # (B, H)
    return h, (hs.shape, rows, t)


def last_step_backward(dh, cache):
    shape, rows, t = cache
    dhs = np.zeros(shape, dh.dtype)          # (B, T, H)
    # h = hs[rows, t]
    dhs[rows, t] = dh                        # (B, H)
    return dhs


def blank(hs, mask=None):
    """What there is to look at of hs (B, T, H): zero in the padding, where the mask is."""
    return hs if mask is None else hs * mask[:, :, None]
