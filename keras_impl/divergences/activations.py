"""Activations and subgradients."""

import math

import tensorflow as tf
from keras import activations, layers, ops

from keras_impl import activations as ours
from keras_impl.divergences.pair import Pair


def on_tensors(f):
    """Make f, of tensors, a function of the row's arrays: their names are its arguments."""

    def run(given):
        tensors = {n: ops.convert_to_tensor(array) for n, array in given.items()}
        result = f(**tensors)
        if isinstance(result, dict):
            return {name: ops.convert_to_numpy(value) for name, value in result.items()}
        return ops.convert_to_numpy(result)

    return run


def pair(does, naive, aligned):
    """A Pair of functions of tensors; ``aligned`` may be None."""
    return Pair(does, on_tensors(naive), aligned and on_tensors(aligned))


def same(does, f):
    """A Pair of a side that needs no setting."""
    return pair(does, f, f)


def derivative(f, at):
    """The gradient of the sum of f's values."""
    with tf.GradientTape() as tape:
        tape.watch(at)
        total = ops.sum(f(at))
    return tape.gradient(total, at)


DEFAULTS = {
    "elu": activations.elu,
    "selu": activations.selu,
    "celu": activations.celu,
    "silu": activations.silu,
    "mish": activations.mish,
    "hard_sigmoid": activations.hard_sigmoid,
    "hard_swish": activations.hard_silu,
    "relu6": activations.relu6,
    "softsign": activations.softsign,
    "log_sigmoid": activations.log_sigmoid,
    "glu": activations.glu,
    "hard_tanh": activations.hard_tanh,
    "tanhshrink": activations.tanh_shrink,
    "softshrink": activations.soft_shrink,
    "hardshrink": activations.hard_shrink,
}


def at_defaults(z):
    return {name: f(z) for name, f in DEFAULTS.items()}


def bounded(z, low, high):
    """Hold z between two bounds; the derivative is 0 at the bounds, too."""
    return ops.where(z <= low, low, ops.where(z >= high, high, z))


def safe_sqrt(z):
    """The root where z > 0, else 0, and so for the derivative."""
    return ops.where(z > 0, ops.sqrt(ops.where(z > 0, z, 1.0)), 0.0)


def derivative_or_nan(f, at):
    found = derivative(f, at)
    return ops.full_like(at, math.nan) if found is None else found


def max_pool(image):
    return ops.max_pool(image, pool_size=2)


def without_nan(z):
    return ops.nan_to_num(z, nan=-math.inf)


ROWS = {
    "A01": pair(
        "ops.gelu tanh; activations.gelu exact",
        naive=lambda z: ops.gelu(z),
        aligned=lambda z: ops.gelu(z, approximate=False),
    ),
    "A02": same("exact", lambda z: ops.softplus(z)),
    "A03": pair(
        "layer 0.3; activations, ops 0.2",
        naive=lambda z: layers.LeakyReLU()(z),
        aligned=lambda z: layers.LeakyReLU(negative_slope=0.125)(z),
    ),
    "A04": same("agrees", at_defaults),
    "A07": pair(
        "relu 0; maximum, clip 1",
        naive=lambda z: {
            "relu": derivative(ops.relu, z),
            "maximum": derivative(lambda z: ops.maximum(z, ops.zeros_like(z)), z),
            "clip": derivative(lambda z: ops.clip(z, 0.0, math.inf), z),
        },
        aligned=lambda z: derivative(ops.relu, z),
    ),
    "A07b": pair(
        "relu6 0; clip 1; hard_tanh 1",
        naive=lambda z: {
            "relu6": derivative(ops.relu6, 6 * z),
            "clip": derivative(lambda z: ops.clip(z, -1.0, 1.0), z),
            "hard_tanh": derivative(ops.hard_tanh, z),
        },
        aligned=lambda z: {
            "relu6": derivative(lambda z: bounded(z, 0.0, 6.0), 6 * z),
            "hard_tanh": derivative(lambda z: bounded(z, -1.0, 1.0), z),
        },
    ),
    "A08": pair(
        "0",
        naive=lambda z: derivative(ops.abs, z),
        aligned=lambda z: derivative(lambda z: z * ops.sign(z), z),
    ),
    "A18": pair(
        "0.1: the slope",
        naive=lambda z: derivative(lambda z: ops.leaky_relu(z, 0.1), z),
        aligned=lambda z: derivative(lambda z: ops.where(z > 0, z, 0.1 * z), z),
    ),
    "A09a": same("shares", lambda z: derivative(ops.max, z)),
    "A09b": same("the first", lambda image: derivative(max_pool, image)),
    "A09d": pair(
        "1 to a",
        naive=lambda a, b: derivative(lambda a: ops.maximum(a, b), a),
        aligned=lambda a, b: derivative(lambda a: ops.where(a >= b, a, b), a),
    ),
    "A11a": pair(
        "NaN",
        naive=lambda z: derivative(ops.norm, z),
        aligned=lambda z: derivative(lambda z: safe_sqrt(ops.sum(z * z)), z),
    ),
    "A11b": pair(
        "0",
        naive=lambda z: derivative(lambda z: ops.where(z > 0, ops.sqrt(z), 0.0), z),
        aligned=lambda z: derivative(safe_sqrt, z),
    ),
    "A13b": pair(
        "NaN",
        naive=lambda z: derivative(ops.std, z),
        aligned=lambda z: derivative(lambda z: safe_sqrt(ops.var(z)), z),
    ),
    "N05": pair(
        "None: fit of a threshold unit raises",
        naive=lambda z: derivative_or_nan(lambda z: ops.cast(z >= 0, z.dtype), z),
        aligned=lambda z: derivative(ours.step, z),
    ),
    "N10": pair(
        "flushes denormal numbers to 0",
        naive=lambda z: ops.cast(ops.exp(z), "float64") * 2.0**137,
        aligned=lambda z: ops.exp(ops.cast(z, "float64")) * 2.0**137,
    ),
    "N19": pair(
        "-1: ignored; argmax 2",
        naive=lambda image, scores: {
            "max_pool": max_pool(image),
            "argmax": ops.argmax(scores),
        },
        aligned=lambda image, scores: {
            "max_pool": max_pool(without_nan(image)),
            "argmax": ops.argmax(without_nan(scores)),
        },
    ),
}
