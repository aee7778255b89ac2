"""Activations h = f(z), and back from dh = dloss/dh to dz = dh * f'(z).

The derivatives of sigmoid, tanh and ReLU are written in terms of their own output h. Every
function takes arrays of any shape and dtype and an optional ``out`` to write into.
Complex arguments are continued analytically, so that complex-step derivatives work.
"""

import numpy as np


def identity(z, out=None):
    return z


def step(z, out=None):
    """The threshold unit of McCulloch & Pitts (1943): it fires at z >= 0."""
    return np.greater_equal(z, 0).astype(z.dtype)


def dstep(h, out=None):
    return np.zeros_like(h)


def sigmoid(z, out=None):
    """1 / (1 + e^-z): where e^-z overflows to infinity, 0 is the right answer.

    (1 + tanh(z/2)) / 2 is the same function and never overflows, but it subtracts: a unit
    that is nearly off would keep no correct digit.
    """
    with np.errstate(over="ignore"):
        h = np.exp(np.negative(z, out=out), out=out)
    return np.reciprocal(np.add(h, 1, out=out), out=out)


def dsigmoid(h, out=None):
    return np.multiply(h, np.subtract(1, h, out=out), out=out)


def tanh(z, out=None):
    return np.tanh(z, out=out)


def dtanh(h, out=None):
    return np.subtract(1, np.multiply(h, h, out=out), out=out)


def relu(z, out=None):
    return np.maximum(z, 0, out=out)


def drelu(h, out=None):
    """1 where the unit is on; h is never negative, so that is its sign (0 at the kink)."""
    return np.sign(h, out=out)


def _from_output(derivative):
    """The way back of an elementwise f whose derivative is a function of h = f(z)."""

    def back(dh, z, h, out=None):
        return np.multiply(dh, derivative(h, out=out), out=out)

    return back


def _straight(dh, z, h, out=None):
    return dh


# canonical name -> (f, its way back)
ACTIVATIONS = {
    "identity": (identity, _straight),
    "step": (step, _from_output(dstep)),
    "sigmoid": (sigmoid, _from_output(dsigmoid)),
    "tanh": (tanh, _from_output(dtanh)),
    "relu": (relu, _from_output(drelu)),
}
