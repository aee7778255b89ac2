"""Optimizers: optax turns a gradient g into a direction d; then p <- p - lr d.

Here optax gets no learning rate, because the rate arrives anew at each step. State is a
plain dict: the step count ``t`` and the moments ``m``, ``v``, ``u``, each a dict like the
parameters. optax keeps the same arrays in named tuples of its own.
"""

import jax
import jax.numpy as jnp
import optax


def sgd(g, params, t, moments):
    """Steepest descent: one example, a mini-batch or all the data; g decides which."""
    d, _ = optax.identity().update(g, optax.EmptyState())
    return d, {}


def momentum(g, params, t, moments, *, mu):
    """Polyak (1964), in the form m <- mu m + g of Sutskever et al. (2013) without their lr."""
    trace = optax.trace(decay=mu, nesterov=False, accumulator_dtype=None)
    d, state = trace.update(g, optax.TraceState(trace=moments["m"]))
    return d, {"m": state.trace}


def nesterov(g, params, t, moments, *, mu):
    """Nesterov (1983) after Sutskever et al. (2013): d = g + mu m with the new m."""
    trace = optax.trace(decay=mu, nesterov=True, accumulator_dtype=None)
    d, state = trace.update(g, optax.TraceState(trace=moments["m"]))
    return d, {"m": state.trace}


def adagrad(g, params, t, moments, *, eps):
    """Duchi, Hazan & Singer (2011); optax.scale_by_rss has eps inside the root only."""
    v = jax.tree.map(lambda v, g: v + g * g, moments["v"], g)
    d = jax.tree.map(lambda v, g: g / (jnp.sqrt(v) + eps), v, g)
    return d, {"v": v}


def adadelta(g, params, t, moments, *, rho, eps):
    """Zeiler (2012), algorithm 1; u is the mean square of the steps."""
    scale = optax.scale_by_adadelta(rho=rho, eps=eps)
    d, state = scale.update(g, optax.ScaleByAdaDeltaState(e_g=moments["v"], e_x=moments["u"]))
    return d, {"v": state.e_g, "u": state.e_x}


def rmsprop(g, params, t, moments, *, rho, eps):
    """Tieleman & Hinton (2012); eps stands outside the root, which is not optax's default."""
    scale = optax.scale_by_rms(
        decay=rho, eps=eps, initial_scale=0.0, eps_in_sqrt=False, bias_correction=False
    )
    d, state = scale.update(g, optax.ScaleByRmsState(nu=moments["v"]))
    return d, {"v": state.nu}


def adam(g, params, t, moments, *, beta1, beta2, eps):
    """Kingma & Ba (2015), algorithm 1; eps stands outside the root, after the correction."""
    scale = optax.scale_by_adam(
        b1=beta1, b2=beta2, eps=eps, eps_root=0.0, mu_dtype=None, nesterov=False
    )
    d, state = scale.update(
        g, optax.ScaleByAdamState(count=t, mu=moments["m"], nu=moments["v"])
    )
    return d, {"m": state.mu, "v": state.nu}


def adamw(g, params, t, moments, *, beta1, beta2, eps, weight_decay):
    """Loshchilov & Hutter (2019): the decay joins the direction, not the moments."""
    d, moments = adam(g, params, t, moments, beta1=beta1, beta2=beta2, eps=eps)
    return _decayed(d, params, weight_decay), moments


def _decayed(d, params, weight_decay):
    """The direction, or the gradient, plus weight_decay times the parameters."""
    decay = optax.add_decayed_weights(weight_decay=weight_decay, mask=None)
    d, _ = decay.update(d, optax.EmptyState(), params)
    return d


# canonical name -> (direction, names of its moments)
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


def init(recipe, params):
    """The state before step 1: t = 0 and every moment zero; Adagrad's is ``start``."""
    _, names = OPTIMIZERS[recipe["name"]]
    start = recipe["start"] if recipe["name"] == "adagrad" else 0.0
    moments = {
        name: {p: jnp.full_like(value, start) for p, value in params.items()} for name in names
    }
    return {"t": jnp.zeros((), jnp.int32)} | moments


def update(recipe, params, grads, state, lr):
    """New parameters and new state: one step of the optimizer that ``recipe`` names.

    A parameter that has no gradient keeps its value and its moments; t counts on. Coupled
    weight decay adds to the gradient before anything else; AdamW's is its own affair.
    """
    settings = {key: value for key, value in recipe.items() if key not in ("name", "start")}
    direction, names = OPTIMIZERS[recipe["name"]]
    own = {p: params[p] for p in grads}
    if "weight_decay" in settings and recipe["name"] != "adamw":
        grads = _decayed(grads, own, settings.pop("weight_decay"))
    moments = {name: {p: state[name][p] for p in grads} for name in names}
    d, moments = direction(grads, own, state["t"], moments, **settings)
    params = params | {p: own[p] - lr * d[p] for p in grads}
    state = {"t": state["t"] + 1} | {name: state[name] | moments[name] for name in names}
    return params, state


def clipped(grads, *, value=None, norm=None):
    """All gradients of a player, element by element or by their norm together.

    optax's norm clipping has no epsilon, unlike PyTorch's.
    """
    if value is not None:
        grads, _ = optax.clip(value).update(grads, optax.EmptyState())
    if norm is not None:
        grads, _ = optax.clip_by_global_norm(norm).update(grads, optax.EmptyState())
    return grads
