"""Optimizers: optax turns a gradient g into a direction d; then p <- p - lr d.

Here optax gets no learning rate, because the rate arrives anew at each step. State is a
plain dict: the step count ``t`` and the moments ``m``, ``v``, each a dict like the
parameters. optax keeps the same arrays in named tuples of its own.
"""

import jax
import jax.numpy as jnp
import optax


def sgd(g, t, moments):
    """Steepest descent: one example, a mini-batch or all the data; g decides which."""
    d, _ = optax.identity().update(g, optax.EmptyState())
    return d, {}


def momentum(g, t, moments, *, mu):
    """Polyak (1964), in the form m <- mu m + g of Sutskever et al. (2013) without their lr."""
    trace = optax.trace(decay=mu, nesterov=False, accumulator_dtype=None)
    d, state = trace.update(g, optax.TraceState(trace=moments["m"]))
    return d, {"m": state.trace}


def adam(g, t, moments, *, beta1, beta2, eps):
    """Kingma & Ba (2015), algorithm 1; eps stands outside the root, after the correction."""
    scale = optax.scale_by_adam(
        b1=beta1, b2=beta2, eps=eps, eps_root=0.0, mu_dtype=None, nesterov=False
    )
    d, state = scale.update(
        g, optax.ScaleByAdamState(count=t, mu=moments["m"], nu=moments["v"])
    )
    return d, {"m": state.mu, "v": state.nu}


# canonical name -> (direction, names of its moments)
OPTIMIZERS = {
    "sgd": (sgd, ()),
    "momentum": (momentum, ("m",)),
    "adam": (adam, ("m", "v")),
}


def init(recipe, params):
    """The state before step 1: t = 0 and every moment zero."""
    _, names = OPTIMIZERS[recipe["name"]]
    zeros = {name: jax.tree.map(jnp.zeros_like, params) for name in names}
    return {"t": jnp.zeros((), jnp.int32)} | zeros


def update(recipe, params, grads, state, lr):
    """New parameters and new state: one step of the optimizer that ``recipe`` names.

    A parameter that has no gradient keeps its value and its moments; t counts on.
    """
    hyper = dict(recipe)
    direction, names = OPTIMIZERS[hyper.pop("name")]
    moments = {name: {p: state[name][p] for p in grads} for name in names}
    d, moments = direction(grads, state["t"], moments, **hyper)
    params = params | {p: params[p] - lr * d[p] for p in grads}
    state = {"t": state["t"] + 1} | {name: state[name] | moments[name] for name in names}
    return params, state
