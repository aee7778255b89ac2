"""The error function in every dtype: NumPy has none, and the standard library's is float64.

Two formulas, good to a few units of roundoff each and made of +, *, / and exp alone, so
that they hold for float32, float64, longdouble and, near the real axis, complex numbers.
The coefficients are computed in longdouble and rounded to the dtype of the argument.

Source
------
Near 0 the series of Kummer, all of whose terms are positive: Abramowitz & Stegun (1964),
7.1.6. Elsewhere the trapezoidal rule on an integral over the whole line, which converges
like e^-(pi/h)^2 once the pole of the integrand is accounted for: Chiarella & Reichel
(1968), Mathematics of Computation 22, 137-143; Hunter & Regan (1972), Mathematics of
Computation 26, 539-541.
"""

import numpy as np

from scratch.constants import PI, like

NEAR = 0.5       # where the series ends
TERMS = 16       # of the series: 0.5^(2 TERMS) / TERMS! is below 1e-23
H = np.longdouble(2) / 5  # step of the trapezoidal rule: e^-(pi/h)^2 is below 1e-26
NODES = H * np.arange(17, 0, -1)  # e^-t^2 is below 1e-20 at the first; small terms first


def erf(x):
    """2/sqrt(pi) times the integral of e^-t^2 from 0 to x; x an array of any shape."""
    return np.where(_near(x), _series(x), 1 - _far(x))


def erfc(x):
    """1 - erf(x), without that subtraction where it would cost digits."""
    return np.where(_near(x), 1 - _series(x), _far(x))


def _near(x):
    return abs(x.real) < NEAR


def _series(x):
    """erf(x) = 2/sqrt(pi) x e^-x^2 (1 + 2x^2/3 (1 + 2x^2/5 (1 + ...)))."""
    x = np.where(_near(x), x, 0)
    q, s = 2 * x * x, 1
    for n in range(TERMS, 0, -1):
        s = 1 + s * q / (2 * n + 1)
    return like(x, 2 / np.sqrt(PI)) * x * np.exp(-x * x) * s


def _far(x):
    """erfc(x) = e^-x^2 x/pi times the integral of e^-t^2 / (t^2 + x^2), for x > 0.

    erfc(-x) = 2 - erfc(x) gives the other half.
    """
    left = x.real < 0
    x = np.where(_near(x), NEAR, np.where(left, -x, x)).astype(x.dtype)
    q = x * x
    total = 0
    for t in NODES:
        total = total + like(x, 2 * np.exp(-t * t)) / (q + like(x, t * t))
    area = like(x, H / PI) * x * (total + 1 / q)
    beyond = x.real >= PI / H  # there the pole counts less than the rule's own error
    with np.errstate(over="ignore"):  # in float32 e^x may: 2 / inf is 0, as it should be
        pole = 2 / (np.exp(like(x, 2 * PI / H) * np.where(beyond, 1, x)) - 1)
    right = _gauss(x) * area - np.where(beyond, 0, pole)
    return np.where(left, 2 - right, right).astype(x.dtype)


def _gauss(x):
    """e^-x^2: rounding x^2 would cost x^2 units, so x is split into a short part and a rest."""
    short = np.round(16 * x.real) / 16
    return np.exp(-short * short) * np.exp((short - x) * (short + x))
