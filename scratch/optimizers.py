"""Optimizers: theta and its gradient g in, a new theta and a new state out.

theta is one flat vector of all parameters, so a step is a handful of calls, however many
layers there are. State holds the step count t and the moments m, v of the same shape as
theta, as PyTorch defines them: the learning rate is not part of the momentum, and Adam's
eps is added after the bias correction.

``w`` is where to write (scratch/workspace.py); hyper-parameters are Python floats, so
that they never change the dtype.
"""

import numpy as np

from scratch.workspace import NEW


def sgd(theta, g, state, *, lr, w=NEW):
    """Steepest descent: one example, a mini-batch or all the data; g decides which."""
    step = np.multiply(g, lr, out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": state["t"] + 1}


def momentum(theta, g, state, *, lr, mu, w=NEW):
    """Polyak (1964), in the form m <- mu m + g of Sutskever et al. (2013) without their lr."""
    m = np.multiply(state["m"], mu, out=w.m)
    m = np.add(m, g, out=w.m)
    step = np.multiply(m, lr, out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": state["t"] + 1, "m": m}


def adam(theta, g, state, *, lr, beta1, beta2, eps, w=NEW):
    """Kingma & Ba (2015), algorithm 1; eps stands outside the root, after the correction."""
    t = state["t"] + 1
    m = np.multiply(state["m"], beta1, out=w.m)
    m = np.add(m, np.multiply(g, 1 - beta1, out=w.step), out=w.m)
    v = np.multiply(state["v"], beta2, out=w.v)
    g2 = np.multiply(g, g, out=w.step)
    v = np.add(v, np.multiply(g2, 1 - beta2, out=w.step), out=w.v)
    # lr m_hat / (sqrt(v_hat) + eps), with both corrections in the two scalars
    root = np.sqrt(v, out=w.step)
    root = np.multiply(root, 1 / (1 - beta2**t) ** 0.5, out=w.step)
    root = np.add(root, eps, out=w.step)
    step = np.divide(m, root, out=w.step)
    step = np.multiply(step, lr / (1 - beta1**t), out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": t, "m": m, "v": v}


# canonical name -> (update, names of its moments)
OPTIMIZERS = {
    "sgd": (sgd, ()),
    "momentum": (momentum, ("m",)),
    "adam": (adam, ("m", "v")),
}
