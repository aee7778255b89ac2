"""Activations h = f(z), and back from dh = dloss/dh to dz = dh * f'(z).

A derivative is written in terms of the activation's own output h where that is natural
(sigmoid, tanh, ReLU, softplus) and of its input z where it is not. Every function takes
arrays of any shape and dtype and an optional ``out`` to write into. Complex arguments are
continued analytically, so that complex-step derivatives work: what decides between two
formulas looks at the real part.

At a kink there is one rule: relu'(0) = 0, leaky_relu'(0) = elu'(0) = alpha, and a step or
a sign has derivative 0 everywhere.

Source
------
ReLU: Nair & Hinton (2010), ICML. Leaky ReLU: Maas, Hannun & Ng (2013), ICML workshop.
ELU: Clevert, Unterthiner & Hochreiter (2016), ICLR. SELU: Klambauer et al. (2017), NIPS.
Softplus: Dugas et al. (2001), NIPS 13. SiLU: Elfwing, Uchibe & Doya (2018), Neural
Networks 107, 3-11. Mish: Misra (2020), BMVC. GELU: Hendrycks & Gimpel (2016),
arXiv:1606.08415.
"""

from functools import cache

import numpy as np

from scratch.constants import PI, like
from scratch.erf import erfc
from scratch.names import choose

# Klambauer et al., appendix: with these, mean 0 and variance 1 are a fixed point.
SELU_ALPHA = np.longdouble("1.6732632423543772848170429916717")
SELU_SCALE = np.longdouble("1.0507009873554804934193349852946")
CUBIC = np.longdouble("0.044715")  # Hendrycks & Gimpel's fit of tanh to the Gaussian


def identity(z, out=None):
    return z


def step(z, out=None):
    """The threshold unit of McCulloch & Pitts (1943): it fires at z >= 0."""
    return np.greater_equal(z, 0).astype(z.dtype)


def sign(z, out=None):
    """-1, 0 or 1: a threshold unit that says nothing at exactly 0."""
    return np.sign(z.real).astype(z.dtype)


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


def arctan(z, out=None):
    return np.arctan(z, out=out)


def darctan(z, out=None):
    return np.reciprocal(1 + z * z, out=out)


def softplus(z, out=None):
    """log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), which cannot overflow."""
    positive = np.where(z.real > 0, z, 0)
    return np.add(positive, np.log1p(np.exp(z - 2 * positive)), out=out)


def dsoftplus(h, out=None):
    """sigmoid(z) = 1 - e^-h, without the subtraction."""
    return np.negative(np.expm1(-h), out=out)


def silu(z, out=None):
    return np.multiply(z, sigmoid(z), out=out)


def dsilu(z, out=None):
    """That is s (1 + z (1 - s)); 1 - sigmoid(z) is sigmoid(-z), which keeps its digits."""
    return np.multiply(sigmoid(z), 1 + z * sigmoid(-z), out=out)


def mish(z, out=None):
    return np.multiply(z, np.tanh(softplus(z)), out=out)


def dmish(z, out=None):
    """That is t + z (1 - t^2) sigmoid(z) at t = tanh(s), and 1 - t^2 = 4e / (1 + e)^2."""
    s = softplus(z)
    e = np.exp(-2 * s)
    return np.add(np.tanh(s), z * sigmoid(z) * 4 * e / (1 + e) ** 2, out=out)


def gelu(z, out=None):
    """The input times the chance that a normal variable stays below it: z Phi(z)."""
    return np.multiply(z, _normal(z), out=out)


def dgelu(z, out=None):
    density = np.exp(-z * z / 2) * like(z, 1 / np.sqrt(2 * PI))
    return np.add(_normal(z), z * density, out=out)


def _normal(z):
    """Phi(z), the normal distribution; erfc, not 1 + erf, for the digits of its left tail."""
    return erfc(-z * like(z, np.sqrt(np.longdouble(0.5)))) / 2


def gelu_tanh(z, out=None):
    """Known as z (1 + tanh(y)) / 2, which is z sigmoid(2y); y is _cubic(z)."""
    return np.multiply(z, sigmoid(2 * _cubic(z)), out=out)


def dgelu_tanh(z, out=None):
    y = _cubic(z)
    dy = like(z, np.sqrt(2 / PI)) * (1 + 3 * like(z, CUBIC) * z * z)
    s = sigmoid(2 * y)
    return np.add(s, 2 * z * s * sigmoid(-2 * y) * dy, out=out)


def _cubic(z):
    """The y = sqrt(2/pi) (z + 0.044715 z^3) whose tanh is nearly erf(z / sqrt(2))."""
    return like(z, np.sqrt(2 / PI)) * z * (1 + like(z, CUBIC) * z * z)


def softmax(z, out=None):
    """e^z / sum(e^z) along the last axis; a shift by the maximum changes nothing."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.divide(e, e.sum(axis=-1, keepdims=True), out=out)


def softmax_back(dh, z, h, out=None):
    """Every output depends on every input: the way back is no elementwise product."""
    mean = (dh * h).sum(axis=-1, keepdims=True)
    return np.multiply(h, dh - mean, out=out)


# -- ways back -----------------------------------------------------------------------------


def _from_output(derivative):
    """The way back of an elementwise f whose derivative is a function of h = f(z)."""

    def back(dh, z, h, out=None):
        return np.multiply(dh, derivative(h, out=out), out=out)

    return back


def _from_input(derivative):
    """The way back of an elementwise f whose derivative is a function of z."""

    def back(dh, z, h, out=None):
        return np.multiply(dh, derivative(z, out=out), out=out)

    return back


def _straight(dh, z, h, out=None):
    return dh


def _blocked(dh, z, h, out=None):
    """What is constant between its jumps has derivative 0; at a jump 0 is the agreement."""
    return np.zeros_like(dh)


# -- families: a setting makes a pair (f, its way back) ------------------------------------


def leaky_relu(alpha):
    def f(z, out=None):
        return np.multiply(z, slope(z), out=out)

    def slope(z, out=None):
        """1 or alpha; alpha at 0."""
        return np.where(z.real > 0, 1, z.dtype.type(alpha))

    return f, _from_input(slope)


def elu(alpha):
    return _elu(alpha, 1)


def _elu(alpha, scale):
    """On the right scale z, on the left scale alpha (e^z - 1)."""

    def f(z, out=None):
        left = z - np.where(z.real > 0, z, 0)  # e^z of the right half would overflow
        linear = np.where(z.real > 0, z, like(z, alpha) * np.expm1(left))
        return np.multiply(linear, like(z, scale), out=out)

    def slope(z, out=None):
        left = z - np.where(z.real > 0, z, 0)
        linear = np.where(z.real > 0, 1, like(z, alpha) * np.exp(left))
        return np.multiply(linear, like(z, scale), out=out)

    return f, _from_input(slope)


def _sloped(f, back):
    """The courses' f(h z): a sigmoid, tanh or ReLU with a slope h of its own."""

    def family(slope):
        def sloped(z, out=None):
            return f(slope * z, out=out)

        def sloped_back(dh, z, h, out=None):
            return np.multiply(back(dh, slope * z, h, out=out), slope, out=out)

        return sloped, sloped_back

    return family


# canonical name -> (f, its way back), or what makes such a pair of a setting
ACTIVATIONS = {
    "identity": (identity, _straight),
    "step": (step, _blocked),
    "sign": (sign, _blocked),
    "sigmoid": (sigmoid, _from_output(dsigmoid)),
    "tanh": (tanh, _from_output(dtanh)),
    "relu": (relu, _from_output(drelu)),
    "sigmoid(h)": _sloped(sigmoid, _from_output(dsigmoid)),
    "tanh(h)": _sloped(tanh, _from_output(dtanh)),
    "relu(h)": _sloped(relu, _from_output(drelu)),
    "arctan": (arctan, _from_input(darctan)),
    "leaky_relu(alpha)": leaky_relu,
    "elu(alpha)": elu,
    "selu": _elu(SELU_ALPHA, SELU_SCALE),
    "softplus": (softplus, _from_output(dsoftplus)),
    "silu": (silu, _from_input(dsilu)),
    "mish": (mish, _from_input(dmish)),
    "gelu": (gelu, _from_input(dgelu)),
    "gelu_tanh": (gelu_tanh, _from_input(dgelu_tanh)),
    "softmax": (softmax, softmax_back),
}


@cache
def activation(name):
    """(f, its way back) of a name such as "tanh" or "leaky_relu(0.1)"; else ValueError."""
    return choose(ACTIVATIONS, "activation", name)
