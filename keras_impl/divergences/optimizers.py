"""Optimizers."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from keras.optimizers import SGD, Adam, AdamW, RMSprop, schedules

from keras_impl.divergences.activations import derivative, pair, same
from keras_impl.optimizers import Momentum, TorchAdam


def walk(optimizer, *, penalty=None, compiled=False, **settings):
    """A function of p, g and lr: where p is after one step for each row of g."""

    def steps(p, g, lr=None):
        p = keras.Variable(p, dtype=p.dtype)
        stepper = optimizer(**settings)
        stepper.build([p])

        def step(gradient):
            stepper.apply([gradient], [p])

        run = tf.function(step) if compiled else step
        for t in range(len(g)):
            if lr is not None:
                stepper.learning_rate = lr[t]
            run(g[t] if penalty is None else g[t] + derivative(penalty, p.value))
        return p.value

    return steps


def first_step(optimizer, **settings):
    """Adam's first step, as a multiple of what it is to be with eps 1e-8."""

    def ratio(p, g, lr):
        moved = walk(optimizer, **settings)(p, g, lr) - p
        return moved / (-lr * g / (ops.abs(g) + 1e-8))

    return ratio


def only_a_has_gradients(a, b, g, lr):
    a, b = keras.Variable(a), keras.Variable(b)
    optimizer = AdamW(learning_rate=float(lr[0]), weight_decay=0.01)
    for t in range(len(g)):
        optimizer.apply([g[t], None], [a, b])
    return b.value


def clipped(W, b, **settings):
    """Two gradients as an optimizer uses them: at rate 1, what it subtracts."""
    variables = [keras.Variable(ops.zeros_like(g)) for g in (W, b)]
    SGD(learning_rate=1.0, **settings).apply([W, b], variables)
    return {name: -v.value for name, v in zip("Wb", variables, strict=True)}


def rates(schedule, t):
    """The learning rate of each step t."""
    return ops.stack([schedule(t[i]) for i in range(len(t))])


def updates(optimizer, **settings):
    """A function of g: what Adam subtracts at each step, over lr."""

    def seen(g):
        p = keras.Variable(ops.zeros_like(g[0]), dtype=g.dtype)
        stepper = optimizer(learning_rate=1.0, **settings)
        found = []
        for t in range(len(g)):
            p.assign(ops.zeros_like(p))
            stepper.apply([g[t]], [p])
            found.append(-p.value)
        return ops.stack(found)

    return seen


# np.float64: Keras takes a Python float through float32 (P01)
MU = np.float64(0.9)
BETAS = {"beta_1": np.float64(0.9), "beta_2": np.float64(0.999)}
TORCH_ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

eager = walk(Adam, epsilon=1e-8)
compiled = walk(Adam, compiled=True, epsilon=1e-8)

ROWS = {
    "O01a": pair(
        "v = mu v - lr g; mu goes through float32",
        naive=walk(SGD, momentum=0.9),
        aligned=walk(SGD, momentum=MU),
    ),
    "O01b": pair(
        "the buffer keeps the old rate",
        naive=walk(SGD, momentum=0.9),
        aligned=walk(Momentum, learning_rate=0.1, mu=0.9),
    ),
    "O02": pair(
        "the same mathematics",
        naive=walk(SGD, momentum=0.9, nesterov=True),
        aligned=walk(SGD, momentum=MU, nesterov=True),
    ),
    "O02b": pair(
        "none",
        naive=walk(SGD, momentum=0.9),
        aligned=walk(SGD, momentum=MU),
    ),
    "O03a": pair(
        "rho 0.9, eps 1e-7 inside the root",
        naive=walk(RMSprop),
        aligned=walk(RMSprop, rho=0.9, epsilon=1e-30),
    ),
    "O03c": same("inside the root", walk(RMSprop, rho=0.9, epsilon=1e-7)),
    "O03d": pair(
        "the rate inside the buffer",
        naive=walk(RMSprop, rho=0.9, momentum=0.9),
        aligned=walk(RMSprop, rho=0.9, momentum=0.9, epsilon=1e-30),
    ),
    "O04": pair(
        "eps before the bias correction",
        naive=first_step(Adam, epsilon=1e-8),
        aligned=first_step(TorchAdam, learning_rate=0.001, **TORCH_ADAM),
    ),
    "O05a": pair(
        "decoupled",
        naive=walk(SGD, momentum=0.9, weight_decay=0.1),
        aligned=walk(SGD, momentum=MU, penalty=keras.regularizers.L2(0.125 / 2)),
    ),
    "O05b": pair(
        "decoupled: is AdamW",
        naive=walk(Adam, weight_decay=0.1),
        aligned=walk(AdamW, weight_decay=np.float64(0.1), epsilon=1e-30, **BETAS),
    ),
    "O05c": pair(
        "0.004",
        naive=walk(AdamW),
        aligned=walk(AdamW, weight_decay=np.float64(0.01), epsilon=1e-30, **BETAS),
    ),
    "O17": same("left out, with a warning", only_a_has_gradients),
    "O17b": pair(
        "a zero gradient coasts",
        naive=walk(SGD, momentum=0.9),
        aligned=walk(SGD, momentum=MU),
    ),
    "O06a": pair(
        "starts at 0.1, eps 1e-7 inside the root",
        naive=walk(keras.optimizers.Adagrad),
        aligned=walk(
            keras.optimizers.Adagrad, initial_accumulator_value=0.125, epsilon=1e-30
        ),
    ),
    "O06c": pair(
        "NaN",
        naive=walk(keras.optimizers.Adagrad, initial_accumulator_value=0.0, epsilon=0.0),
        aligned=walk(keras.optimizers.Adagrad, initial_accumulator_value=0.0, epsilon=1e-7),
    ),
    "O07": pair(
        "rate 0.001, rho 0.95, eps 1e-7",
        naive=walk(keras.optimizers.Adadelta),
        aligned=walk(keras.optimizers.Adadelta, learning_rate=1.0, rho=0.9, epsilon=1e-6),
    ),
    "O08": pair(
        "max(beta2 u, |g|) + eps",
        naive=walk(keras.optimizers.Adamax, epsilon=1e-8),
        aligned=walk(keras.optimizers.Adamax, epsilon=1e-30, **BETAS),
    ),
    "O09": pair(
        "momentum schedule 0.96^t",
        naive=walk(keras.optimizers.Nadam),
        aligned=None,
    ),
    "O10": pair(
        "largest v, then its correction",
        naive=walk(Adam, amsgrad=True),
        aligned=walk(Adam, amsgrad=True, epsilon=1e-30, **BETAS),
    ),
    "O11": pair(
        "0",
        naive=walk(keras.optimizers.Lion),
        aligned=walk(keras.optimizers.Lion, weight_decay=None),
    ),
    "O12": pair(
        "clipnorm: each variable by itself",
        naive=lambda W, b: clipped(W, b, clipnorm=1.0),
        aligned=lambda W, b: clipped(W, b, global_clipnorm=1.0),
    ),
    "O13a": pair(
        "at step 4: step <= boundary",
        naive=lambda t: rates(schedules.PiecewiseConstantDecay([3, 6], [0.5, 0.25, 0.125]), t),
        aligned=lambda t: rates(
            schedules.PiecewiseConstantDecay([2, 5], [0.5, 0.25, 0.125]), t
        ),
    ),
    "O13b": pair(
        "alpha is a fraction; stays",
        naive=lambda t: rates(schedules.CosineDecay(0.5, 8, alpha=0.125), t),
        aligned=lambda t: rates(schedules.CosineDecay(np.float64(0.5), 8, alpha=0.125), t[:9]),
    ),
    "O13c": pair(
        "rate^(t / steps), continuous",
        naive=lambda t: rates(schedules.ExponentialDecay(0.5, 2, 0.5), t),
        aligned=lambda t: rates(schedules.ExponentialDecay(0.5, 2, 0.5, staircase=True), t),
    ),
    "N01": pair(
        "the correction in float32",
        naive=updates(Adam),
        aligned=lambda g: updates(TorchAdam, **TORCH_ADAM)(ops.cast(g, "float64")),
    ),
    "N07": pair(
        "rounds in another order",
        naive=lambda p, g, lr: eager(p, g, lr) - compiled(p, g, lr),
        aligned=lambda p, g, lr: compiled(p, g, lr) - compiled(p, g, lr),
    ),
}
