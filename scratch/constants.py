"""Numbers with more digits than float64, and how they join arrays of any dtype."""

import numpy as np

PI = np.longdouble("3.14159265358979323846264338327950288")


def like(x, number):
    """A number as a scalar of the real dtype that belongs to x: it never changes x's dtype."""
    return x.real.dtype.type(number)
