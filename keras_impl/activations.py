"""Activations: canonical name -> Keras' own function, every setting explicit.

Where its own is not exact in float64, or has another derivative at 0, elementary
operations of Keras stand instead. The figures are largest errors, relative to the
largest value.
"""

import math
from functools import cache, partial

from keras import activations, ops

from keras_impl.names import choose

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def step(z):
    """1 where z >= 0, else 0; the derivative is 0 everywhere.

    Written with sign, whose gradient Keras knows to be 0; a comparison has none at
    all, and an optimizer that is handed no gradient refuses to move.
    """
    return ops.relu(ops.sign(ops.sign(z) + 0.5))


def leaky_relu(z, alpha):
    """Keras' own takes alpha through float32: the derivative is off by 1.5e-9 at 0.1."""
    return ops.where(z > 0, z, alpha * z)


def selu(z):
    """The derivative at 0 is scale * alpha, as PyTorch and JAX have it; Keras': scale."""
    return SELU_SCALE * activations.elu(z, alpha=SELU_ALPHA)


def softplus(z):
    """log(1 + e^z). Keras' own on PyTorch is z itself above 20: off by up to 2e-9."""
    return -ops.log_sigmoid(-z)


def gelu(z):
    """Keras' own takes sqrt(2) through float32: off by 1.1e-9, its derivative by 5e-9."""
    return 0.5 * z * (1.0 + ops.erf(math.sqrt(0.5) * z))


def gelu_tanh(z):
    """Keras' own takes its constants through float32: the derivative is off by 9e-10.

    (1 + tanh(a)) / 2 is sigmoid(2 a), and no digit is lost where it is that of -2 |a|.
    """
    a = math.sqrt(2.0 / math.pi) * (z + 0.044715 * z * z * z)
    q = ops.sigmoid(-2.0 * ops.abs(a))
    return z * ops.where(z > 0, 1.0 - q, q)


def mish(z):
    """Keras' own derivative is noise where tanh is nearly 1: off by 227 u.

    With q = sigmoid(-z), tanh(softplus(z)) is (1 - q) (1 + q) / (1 + q^2).
    """
    q = ops.sigmoid(-z)
    return z * ops.sigmoid(z) * (1.0 + q) / (1.0 + q * q)


ACTIVATIONS = {
    "identity": activations.linear,
    "step": step,
    "sign": ops.sign,  # 0 at 0; derivative 0
    # Not activations.sigmoid: its result remembers z, and Keras' losses look for it.
    "sigmoid": ops.sigmoid,
    "sigmoid(h)": lambda z, h: ops.sigmoid(h * z),
    "tanh": activations.tanh,
    "tanh(h)": lambda z, h: activations.tanh(h * z),
    "relu": partial(
        activations.relu, negative_slope=0.0, max_value=None, threshold=0.0
    ),
    "relu(h)": lambda z, h: ops.relu(h * z),
    "arctan": ops.arctan,
    "leaky_relu(alpha)": leaky_relu,
    "elu(alpha)": activations.elu,
    "selu": selu,
    "softplus": softplus,
    "silu": activations.silu,
    "mish": mish,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "softmax": partial(ops.softmax, axis=-1),  # not activations.softmax: see sigmoid
}


@cache
def activation(name):
    """Return the function of a name such as "tanh" or "leaky_relu(0.1)".

    Raises ValueError for an unknown name, a missing or a superfluous setting.
    """
    return choose(ACTIVATIONS, "activation", name)
