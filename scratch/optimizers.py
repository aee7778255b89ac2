"""Optimizers: theta and its gradient g in, a new theta and a new state out.

theta is one flat vector of all parameters, so a step is a handful of calls, however many
layers there are. State holds the step count t and the moments m, v, u of the same shape as
theta, as PyTorch defines them: the learning rate is not part of the momentum, and eps is
added outside the root, after any bias correction.

That common form is the default. A keyword turns it into what a framework does natively::

    here      PyTorch  optax (JAX)            Keras 3, also with floatx = "float64"
    sgd       same     same                   same
    momentum  same     same                   lr_place="inside", hyper_dtype="float32"
    nesterov  same     same                   lr_place="inside", hyper_dtype="float32"
    adagrad   same     eps_place="inside"     eps_place="inside", hyper_dtype="float32"
    adadelta  same     same                   same
    rmsprop   same     eps_place="inside" 1)  eps_place="inside"
    adam      same     same                   eps_place="before", hyper_dtype="float32"
    adamw     same     same                   eps_place="before", hyper_dtype="float32"

    1) the default; optax.rmsprop(eps_in_sqrt=False) is as here

``hyper_dtype`` rounds just what Keras' ``ops.cast`` sends through float32: mu, the betas of
Adam's bias correction, Adagrad's start, AdamW's weight decay. A learning rate inside the
momentum makes no difference until it changes; then Keras lets the old rate coast. The
recipe's coupled ``weight_decay`` (g + weight_decay * theta) is PyTorch's; Keras' own is
AdamW's in every optimizer.

``w`` is where to write (scratch/workspace.py); hyper-parameters are Python floats, so
that they never change the dtype.
"""

from functools import partial

import numpy as np

from scratch.workspace import NEW


def sgd(theta, g, state, *, lr, w=NEW):
    """Steepest descent: one example, a mini-batch or all the data; g decides which."""
    step = np.multiply(g, lr, out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": state["t"] + 1}


def momentum(theta, g, state, *, lr, mu, lr_place="outside", hyper_dtype="float64", w=NEW):
    """Polyak (1964), in the form m <- mu m + g of Sutskever et al. (2013) without their lr."""
    m = _velocity(g, state, lr, _rounded(mu, hyper_dtype), lr_place, w)
    step = np.multiply(m, lr if lr_place == "outside" else -1, out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": state["t"] + 1, "m": m}


def nesterov(theta, g, state, *, lr, mu, lr_place="outside", hyper_dtype="float64", w=NEW):
    """Nesterov (1983) after Sutskever et al. (2013): the step of the next m, seen from here."""
    mu = _rounded(mu, hyper_dtype)
    m = _velocity(g, state, lr, mu, lr_place, w)
    ahead = np.multiply(m, mu, out=w.step)
    if lr_place == "outside":
        step = np.multiply(np.add(ahead, g, out=w.step), lr, out=w.step)
    else:
        step = np.subtract(lr * g, ahead, out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": state["t"] + 1, "m": m}


def _velocity(g, state, lr, mu, lr_place, w):
    """The new m: mu m + g, or Keras' mu m - lr g."""
    _one_of("lr_place", lr_place, ("outside", "inside"))
    m = np.multiply(state["m"], mu, out=w.m)
    return np.add(m, g if lr_place == "outside" else -lr * g, out=w.m)


def adagrad(theta, g, state, *, lr, eps, eps_place="outside", w=NEW):
    """Duchi, Hazan & Singer (2011), JMLR 12, 2121-2159; v begins at ``start``."""
    v = np.add(state["v"], np.multiply(g, g, out=w.step), out=w.v)
    step = np.multiply(np.divide(g, _root(v, eps, eps_place, w), out=w.step), lr, out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": state["t"] + 1, "v": v}


def adadelta(theta, g, state, *, lr, rho, eps, w=NEW):
    """Zeiler (2012), arXiv:1212.5701, algorithm 1; u is the mean square of the steps d."""
    v = _mean_square(state["v"], g, rho, w.v, w)
    ratio = np.divide(np.sqrt(state["u"] + eps), np.sqrt(v + eps))
    d = np.multiply(ratio, g)
    u = _mean_square(state["u"], d, rho, w.u, w)
    step = np.multiply(d, lr, out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": state["t"] + 1, "v": v, "u": u}


def rmsprop(theta, g, state, *, lr, rho, eps, eps_place="outside", w=NEW):
    """Tieleman & Hinton (2012), Coursera lecture 6.5."""
    v = _mean_square(state["v"], g, rho, w.v, w)
    step = np.multiply(np.divide(g, _root(v, eps, eps_place, w), out=w.step), lr, out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": state["t"] + 1, "v": v}


def _mean_square(old, g, rho, out, w):
    """The running mean rho * old + (1 - rho) g^2."""
    new = np.multiply(old, rho, out=out)
    g2 = np.multiply(g, g, out=w.step)
    return np.add(new, np.multiply(g2, 1 - rho, out=w.step), out=out)


def _root(v, eps, eps_place, w):
    """The denominator sqrt(v) + eps, or with eps inside sqrt(v + eps)."""
    _one_of("eps_place", eps_place, ("outside", "inside"))
    if eps_place == "inside":
        return np.sqrt(np.add(v, eps, out=w.step), out=w.step)
    return np.add(np.sqrt(v, out=w.step), eps, out=w.step)


def adam(theta, g, state, *, lr, beta1, beta2, eps, eps_place="after", hyper_dtype="float64",
         w=NEW):
    """Kingma & Ba (2015), algorithm 1; eps stands outside the root, after the correction.

    eps_place="before" is the second form in their section 2, whose eps means eps-hat.
    """
    _one_of("eps_place", eps_place, ("after", "before"))
    t = state["t"] + 1
    m = np.multiply(state["m"], beta1, out=w.m)
    m = np.add(m, np.multiply(g, 1 - beta1, out=w.step), out=w.m)
    v = np.multiply(state["v"], beta2, out=w.v)
    g2 = np.multiply(g, g, out=w.step)
    v = np.add(v, np.multiply(g2, 1 - beta2, out=w.step), out=w.v)
    # lr m_hat / (sqrt(v_hat) + eps), with both corrections in the two scalars
    correction = (1 - _rounded(beta2, hyper_dtype) ** t) ** 0.5
    eps = eps if eps_place == "after" else eps / correction
    root = np.sqrt(v, out=w.step)
    root = np.multiply(root, 1 / correction, out=w.step)
    root = np.add(root, eps, out=w.step)
    step = np.divide(m, root, out=w.step)
    step = np.multiply(step, lr / (1 - _rounded(beta1, hyper_dtype) ** t), out=w.step)
    theta = np.subtract(theta, step, out=w.theta)
    return theta, {"t": t, "m": m, "v": v}


def adamw(theta, g, state, *, lr, beta1, beta2, eps, weight_decay, eps_place="after",
          hyper_dtype="float64", w=NEW):
    """Loshchilov & Hutter (2019), ICLR: the decay acts on theta, not through the moments."""
    kept = 1 - lr * _rounded(weight_decay, hyper_dtype)
    theta = np.multiply(theta, kept, out=w.theta)
    return adam(theta, g, state, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
                eps_place=eps_place, hyper_dtype=hyper_dtype, w=w)


def _decayed(update, weight_decay):
    """An update along the gradient of loss + weight_decay/2 sum theta^2: coupled decay."""

    def decayed(theta, g, state, **rest):
        return update(theta, g + weight_decay * theta, state, **rest)

    return decayed


def _rounded(number, dtype):
    """A hyper-parameter after a detour through a dtype."""
    return number if dtype == "float64" else float(np.dtype(dtype).type(number))


def _one_of(what, word, words):
    if word not in words:
        raise ValueError(f"{what} '{word}': expected one of {', '.join(words)}")


# -- clipping --------------------------------------------------------------------------------


def clipped(g, *, value=None, norm=None):
    """The gradient with its elements within [-value, value], or its norm at most ``norm``.

    The norm is Euclidean, over all the parameters in g together, and without an epsilon;
    Pascanu, Mikolov & Bengio (2013), ICML.
    """
    if value is not None:
        g = np.clip(g, -value, value)
    if norm is not None:
        size = np.sqrt(np.dot(g, g))
        g = g if size <= norm else g * (norm / size)
    return g


# canonical name -> (update, names of its moments)
OPTIMIZERS = {
    "sgd": (sgd, ()),
    "momentum": (momentum, ("m",)),
    "nesterov": (nesterov, ("m",)),
    "adagrad": (adagrad, ("v",)),
    "adadelta": (adadelta, ("v", "u")),
    "rmsprop": (rmsprop, ("v",)),
    "adam": (adam, ("m", "v")),
    "adamw": (adamw, ("m", "v")),
}


def optimizer(recipe):
    """What {"name": ..., settings} asks for.

    Returns
    -------
    update : callable
        (theta, g, state, *, lr, w) -> theta, state.
    moments : dict
        Name of each moment -> the value of its elements before step 1.
    """
    settings = dict(recipe)
    update, names = OPTIMIZERS[settings.pop("name")]
    moments, decay = dict.fromkeys(names, 0.0), 0.0
    if update is adagrad:
        moments["v"] = _rounded(settings.pop("start"), settings.pop("hyper_dtype", "float64"))
    if update is not adamw:
        decay = settings.pop("weight_decay", 0.0)
    update = partial(update, **settings) if settings else update
    return _decayed(update, decay) if decay else update, moments
