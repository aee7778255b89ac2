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
    da = (dh * below).sum().reshape(1)       # (1,)
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
    da = (z * ds).sum().reshape(1)           # (1,)
    dz = a * ds
    return dz, da


def flatten_forward(x):
    h = x.reshape(len(x), -1)                # (B, N)
    return h, x.shape


def flatten_backward(dh, shape):
    # h = x.reshape(len(x), -1)
    dx = dh.reshape(shape)
    return dx
