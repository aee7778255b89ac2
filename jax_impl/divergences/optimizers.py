"""Optimizers."""

import jax
import jax.numpy as jnp
import optax

from jax_impl.divergences.activations import pair, same
from jax_impl.divergences.precision import without_x64


def walk(optimizer, *, compiled=False, **settings):
    """A function of p, g and lr: where p is after one step for each row of g."""

    def steps(p, g, lr=None):
        rate = {} if lr is None else {"learning_rate": lambda t: lr[t]}
        transformation = optimizer(**settings, **rate)
        state = transformation.init(p)
        update = jax.jit(transformation.update) if compiled else transformation.update
        for gradient in g:
            step, state = update(gradient, state, p)
            p = optax.apply_updates(p, step)
        return p

    return steps


def first_step(**settings):
    """Adam's first step, as a multiple of what it is to be."""

    def ratio(p, g, lr):
        moved = walk(optax.adam, **settings)(p, g, lr) - p
        return moved / (-lr * g / (jnp.abs(g) + settings["eps"]))

    return ratio


def only_a_has_gradients(a, b, g, lr, *, wrap):
    params = {"a": a, "b": b}
    optimizer = wrap(optax.adamw(lr[0], weight_decay=0.01))
    state = optimizer.init(params)
    for gradient in g:
        grads = {"a": gradient, "b": jnp.zeros_like(b)}
        step, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, step)
    return params["b"]


def a_alone(optimizer):
    return optax.masked(optimizer, {"a": True, "b": False})


def clipped(W, b):
    clip = optax.clip_by_global_norm(1.0)
    grads = {"W": W, "b": b}
    step, _ = clip.update(grads, clip.init(grads))
    return step


def rates(schedule, t):
    """The learning rate of each step t."""
    return jnp.stack([schedule(step) for step in t])


def updates(g):
    """What Adam subtracts at each step, over lr."""
    adam = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)
    state = adam.init(g[0])
    found = []
    for gradient in g:
        step, state = adam.update(gradient, state)
        found.append(step)
    return jnp.stack(found)


def amsgrad_corrected_last(learning_rate, *, b1, b2, eps):
    """AMSGrad that corrects the largest v, as torch does, and not each v before."""
    return optax.amsgrad(
        lambda t: learning_rate(t) * jnp.sqrt(1 - b2 ** (t + 1.0)),
        b1=b1,
        b2=b2,
        eps=eps,
        bias_correction_nu=False,
    )


BETAS = {"b1": 0.9, "b2": 0.999}
FLOOR = {"init_value": 0.5, "decay_steps": 8, "alpha": 0.125}
HALVING = {"init_value": 0.5, "transition_steps": 2, "decay_rate": 0.5}

op_by_op = walk(optax.adam, eps=1e-8)
compiled = walk(optax.adam, compiled=True, eps=1e-8)

ROWS = {
    "O01a": same("m = mu m + g", walk(optax.sgd, momentum=0.9)),
    "O01b": same("the new rate acts on the whole buffer", walk(optax.sgd, momentum=0.9)),
    "O02": same("the same mathematics", walk(optax.sgd, momentum=0.9, nesterov=True)),
    "O02b": same("none", walk(optax.sgd, momentum=0.9)),
    "O03a": pair(
        "rho 0.9, eps 1e-8 inside the root",
        naive=walk(optax.rmsprop),
        aligned=walk(optax.rmsprop, decay=0.9, eps=1e-30),
    ),
    "O03b": pair(
        "inside the root; a switch",
        naive=walk(optax.rmsprop, decay=0.9, eps=1e-7),
        aligned=walk(optax.rmsprop, decay=0.9, eps=1e-7, eps_in_sqrt=False),
    ),
    "O03c": pair(
        "inside the root; a switch",
        naive=walk(optax.rmsprop, decay=0.9, eps=1e-7, eps_in_sqrt=False),
        aligned=walk(optax.rmsprop, decay=0.9, eps=1e-7, eps_in_sqrt=True),
    ),
    "O03d": pair(
        "the rate inside the buffer",
        naive=walk(optax.rmsprop, decay=0.9, momentum=0.9),
        aligned=walk(optax.rmsprop, decay=0.9, momentum=0.9, eps=1e-30),
    ),
    "O04": pair(
        "eps after the bias correction",
        naive=first_step(eps=1e-8),
        aligned=first_step(eps=1e-8, eps_root=0.0),
    ),
    "O05c": pair(
        "1e-4",
        naive=walk(optax.adamw),
        aligned=walk(optax.adamw, weight_decay=0.01, eps=1e-30, **BETAS),
    ),
    "O17": pair(
        "a zero gradient: decays",
        naive=lambda a, b, g, lr: only_a_has_gradients(a, b, g, lr, wrap=lambda tx: tx),
        aligned=lambda a, b, g, lr: only_a_has_gradients(a, b, g, lr, wrap=a_alone),
    ),
    "O17b": same("a zero gradient coasts", walk(optax.sgd, momentum=0.9)),
    "O06a": pair(
        "starts at 0.1, eps 1e-7 inside the root",
        naive=walk(optax.adagrad),
        aligned=walk(optax.adagrad, initial_accumulator_value=0.125, eps=1e-30),
    ),
    "O06c": pair(
        "unmoved",
        naive=walk(optax.adagrad, initial_accumulator_value=0.0, eps=0.0),
        aligned=walk(optax.adagrad, initial_accumulator_value=0.0, eps=1e-7),
    ),
    "O07": pair(
        "rate required, rho 0.9, eps 1e-6",
        naive=walk(optax.adadelta, learning_rate=1.0),
        aligned=walk(optax.adadelta, learning_rate=1.0, rho=0.9, eps=1e-6),
    ),
    "O08": pair(
        "max(beta2 u, |g| + eps)",
        naive=walk(optax.adamax, eps=1e-8),
        aligned=walk(optax.adamax, eps=1e-30, **BETAS),
    ),
    "O09": pair(
        "no schedule",
        naive=walk(optax.nadam),
        aligned=None,
    ),
    "O10": pair(
        "largest corrected v",
        naive=walk(optax.amsgrad),
        aligned=walk(amsgrad_corrected_last, eps=1e-30, **BETAS),
    ),
    "O11": pair(
        "1e-3",
        naive=walk(optax.lion),
        aligned=walk(optax.lion, weight_decay=0.0),
    ),
    "O12": same("all together", clipped),
    "O13a": same(
        "at step 3",
        lambda t: rates(optax.piecewise_constant_schedule(0.5, {3: 0.5, 6: 0.5}), t),
    ),
    "O13b": pair(
        "alpha is a fraction; stays",
        naive=lambda t: rates(optax.cosine_decay_schedule(**FLOOR), t),
        aligned=lambda t: rates(optax.cosine_decay_schedule(**FLOOR), t[:9]),
    ),
    "O13c": pair(
        "rate^(t / steps); staircase is an option",
        naive=lambda t: rates(optax.exponential_decay(**HALVING), t),
        aligned=lambda t: rates(optax.exponential_decay(**HALVING, staircase=True), t),
    ),
    "N01": pair(
        "the correction in float32",
        naive=without_x64(updates),
        aligned=lambda g: updates(g.astype("float64")),
    ),
    "N07": pair(
        "rounds in another order",
        naive=lambda p, g, lr: op_by_op(p, g, lr) - compiled(p, g, lr),
        aligned=lambda p, g, lr: compiled(p, g, lr) - compiled(p, g, lr),
    ),
}
