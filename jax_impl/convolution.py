"""Convolution and pooling of pictures (B, H, W, C), by the primitives of lax.

F x G is the size of a kernel or of a pool's window, P x Q that of what comes out, N its
channels.
"""

from itertools import product

import jax.numpy as jnp
from jax import lax


def outputs_of(shape, *, size, stride, padding):
    """(P, Q) of a layer on pictures of shape (H, W, C)."""
    counts = []
    for pixels, across in zip(shape[:2], size, strict=True):
        if padding == "valid" and across > pixels:
            raise ValueError(f"{across} pixels do not fit on {pixels}: take fewer, or same")
        covered = pixels if padding == "same" else pixels - across + 1
        counts.append(-(-covered // stride))
    return tuple(counts)


def conv(W, b, x, *, stride, padding):
    """Kernels W (F, G, C, N) laid on every window of x, plus b; none is turned round."""
    h = lax.conv_general_dilated(
        x, W,
        window_strides=(stride, stride),
        padding=padding.upper(),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return h + b


def max_pool(x, *, size, stride, padding):
    """Padded with -inf; of equal pixels the first one learns.

    lax.reduce_window(x, -jnp.inf, lax.max, ...) is the same, but its gradient, XLA's
    select-and-scatter, takes three to ten times as long on a CPU.
    """
    window, moves, padding = _moved(size, stride, padding)
    frame = lax.padtype_to_pads(x.shape, window, moves, padding)
    x = jnp.pad(x, frame, constant_values=-jnp.inf)
    _, H, W, _ = x.shape
    (F, G), largest = size, None
    for i, j in product(range(F), range(G)):
        seen = x[:, i:H - F + i + 1:stride, j:W - G + j + 1:stride]  # (B, P, Q, C)
        largest = seen if largest is None else jnp.where(seen > largest, seen, largest)
    return largest


def avg_pool(x, *, size, stride, padding):
    """The mean of what is there: padding does not count."""
    window = _moved(size, stride, padding)
    total = lax.reduce_window(x, 0.0, lax.add, *window)
    count = lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, *window)
    return total / count


def _moved(size, stride, padding):
    """A window over height and width alone."""
    return (1, *size, 1), (1, stride, stride, 1), padding.upper()
