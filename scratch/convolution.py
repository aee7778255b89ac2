"""Convolution and pooling of pictures (B, H, W, C), forward and backward.

The batch stands last in memory, (C, H, W, B), and the (B, H, W, C) of every argument and
result is a view of that: pixels side by side are then long runs of numbers, which NumPy copies
several times as fast, and nothing is moved between layers. Any other memory is taken, too.

F x G is the size of a kernel or of a pool's window, P x Q that of what comes out. A layer with
padding "valid" keeps inside the picture. With "same" it has as many outputs as pixels / stride,
rounded up, and a frame around the picture; its odd pixel goes to the bottom and to the right,
as in Keras and JAX.

Source
------
LeCun, Bottou, Bengio & Haffner (1998), Proceedings of the IEEE 86(11), 2278-2324. As one
product of matrices: Chellapilla, Puri & Simard (2006), High performance convolutional neural
networks for document processing, IWFHR.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scratch.workspace import NEW


def fitted(pixels, size, stride, padding):
    """Along one axis: how many outputs, and how wide the frame is (before, behind)."""
    if padding == "same":
        count = -(-pixels // stride)
        missing = max((count - 1) * stride + size - pixels, 0)
        return count, (missing // 2, missing - missing // 2)
    if size > pixels:
        raise ValueError(f"{size} pixels do not fit on {pixels}: take fewer, or padding same")
    return (pixels - size) // stride + 1, (0, 0)


def outputs_of(shape, *, size, stride, padding):
    """(P, Q) of a layer on pictures of shape (H, W, C)."""
    axes = zip(shape[:2], size, strict=True)
    return tuple(fitted(pixels, across, stride, padding)[0] for pixels, across in axes)


def frame_of(x, size, stride, padding):
    """((top, bottom), (left, right)) around pictures x (B, H, W, C)."""
    axes = zip(x.shape[1:3], size, strict=True)
    return tuple(fitted(pixels, across, stride, padding)[1] for pixels, across in axes)


def framed(x, frame, value, w=NEW):
    """Pictures x (B, H, W, C), the batch last, in a frame of ``value``."""
    planes = x.transpose(3, 1, 2, 0)             # (C, H, W, B)
    if not np.any(frame):
        return np.ascontiguousarray(planes)      # no copy where the batch is last already
    (C, H, W, B), ((top, bottom), (left, right)) = planes.shape, frame
    shape = C, top + H + bottom, left + W + right, B
    out = filled(value, w.out("planes", *shape), shape, x.dtype)
    within(out, frame)[...] = planes
    return out


def within(planes, frame):
    """What the frame encloses."""
    (top, bottom), (left, right) = frame
    _, H, W, _ = planes.shape
    return planes[:, top:H - bottom, left:W - right]


def windows(planes, size, stride):
    """A view (F, G, C, P, Q, B): at [i, j] the pixels that stand there in their window."""
    every = sliding_window_view(planes, size, axis=(1, 2), writeable=True)
    return every[:, ::stride, ::stride].transpose(4, 5, 0, 1, 2, 3)


def gathered(parts, out=None):
    """A copy with its numbers side by side, which no view of overlapping windows has."""
    if out is None:
        return np.ascontiguousarray(parts)
    np.copyto(out, parts)
    return out


def filled(value, out, shape, dtype):
    """An array of one value; ``out`` is memory for it, or None."""
    if out is None:
        return np.full(shape, value, dtype)
    out.fill(value)
    return out


# -- convolution -----------------------------------------------------------------------------


def conv_forward(x, W, b, w=NEW, *, stride, padding):
    """Kernels W (F, G, C, N) laid on every window of x: products, summed, plus b (N,) or 0.

    No kernel is turned round: to mathematics this is a cross-correlation. With a column for
    each window all the sums are one product of two matrices.
    """
    size, N = W.shape[:2], W.shape[3]            # not differentiated
    frame = frame_of(x, size, stride, padding)   # not differentiated
    planes = framed(x, frame, 0, w)
    seen, around = columns_forward(planes, w, size=size, stride=stride)  # (F, G, C, P, Q, B)
    kernels = W.reshape(-1, N)                   # (F*G*C, N)
    columns = seen.reshape(len(kernels), -1)     # (F*G*C, P*Q*B)
    z = np.matmul(kernels.T, columns, out=w.out("z", N, columns.shape[1]))  # (N, P*Q*B)
    z += np.reshape(b, (-1, 1))                  # (N, P*Q*B)
    maps = z.reshape(N, *seen.shape[3:])         # (N, P, Q, B)
    h = maps.transpose(3, 1, 2, 0)               # (B, P, Q, N)
    return h, (frame, around, columns, kernels, seen.shape)


def conv_backward(dh, cache, w=NEW, *, want_dx=True):
    """dx, dW, db; a first layer that nobody asks for dx saves that product and the sums."""
    frame, around, columns, kernels, seen_shape = cache
    # h = maps.transpose(3, 1, 2, 0)
    dmaps = dh.transpose(3, 1, 2, 0)             # (N, P, Q, B)
    # maps = z.reshape(N, *seen.shape[3:])
    dz = dmaps.reshape(len(dmaps), -1)           # (N, P*Q*B)
    # z += np.reshape(b, (-1, 1))
    db = dz.sum(axis=1, out=w.db)                # (N,)
    # z = np.matmul(kernels.T, columns, out=w.out("z", N, columns.shape[1]))
    dkernels = np.matmul(columns, dz.T, out=w.dkernels)  # (F*G*C, N)
    reused = w.out("columns", *seen_shape)       # the memory of columns, which are done with
    reused = None if reused is None else reused.reshape(columns.shape)
    dcolumns = np.matmul(kernels, dz, out=reused) if want_dx else None
    # columns = seen.reshape(len(kernels), -1)
    dseen = dcolumns.reshape(seen_shape) if want_dx else None
    # kernels = W.reshape(-1, N)
    dW = dkernels.reshape(*seen_shape[:3], -1)   # (F, G, C, N)
    # seen, around = columns_forward(planes, w, size=size, stride=stride)
    dplanes = columns_backward(dseen, around, w) if want_dx else None
    # planes = framed(x, frame, 0, w)
    dx = within(dplanes, frame).transpose(3, 1, 2, 0) if want_dx else None
    return dx, dW, db


def columns_forward(planes, w=NEW, *, size, stride):
    """What every window sees of planes (C, ..., B), as (F, G, C, P, Q, B); "im2col"."""
    seen = windows(planes, size, stride)         # (F, G, C, P, Q, B)
    columns = gathered(seen, w.out("columns", *seen.shape))  # (F, G, C, P, Q, B)
    return columns, (planes, size, stride)


def columns_backward(dcolumns, cache, w=NEW):
    """Many windows see one pixel: what they say about it adds up; "col2im"."""
    planes, size, stride = cache
    # columns = gathered(seen, w.out("columns", *seen.shape))
    dseen = dcolumns                             # (F, G, C, P, Q, B)
    # seen = windows(planes, size, stride)
    dplanes = filled(0, w.out("dplanes", *planes.shape), planes.shape, dseen.dtype)
    into = windows(dplanes, size, stride)        # (F, G, C, P, Q, B)
    for i, j in np.ndindex(*size):
        into[i, j] += dseen[i, j]
    return dplanes


# -- pooling ---------------------------------------------------------------------------------


def max_pool_forward(x, w=NEW, *, size, stride, padding):
    """The largest pixel of every window; a frame of -inf, which is never the largest."""
    frame = frame_of(x, size, stride, padding)   # not differentiated
    planes = framed(x, frame, -np.inf, w)
    seen = windows(planes, size, stride)         # (F, G, C, P, Q, B)  not differentiated
    maps = largest(seen, w.out("maps", *seen.shape[2:]))  # (C, P, Q, B)
    h = maps.transpose(3, 1, 2, 0)               # (B, P, Q, C)
    return h, (planes, seen, maps, size, stride, frame)


def max_pool_backward(dh, cache, w=NEW):
    """The gradient goes to the largest pixel; of equal ones to the first, row by row."""
    planes, seen, maps, size, stride, frame = cache
    # h = maps.transpose(3, 1, 2, 0)
    dmaps = dh.transpose(3, 1, 2, 0)             # (C, P, Q, B)
    # maps = largest(seen, w.out("maps", *seen.shape[2:]))
    dplanes = filled(0, w.out("dplanes", *planes.shape), planes.shape, dmaps.dtype)
    dseen = windows(dplanes, size, stride)       # (F, G, C, P, Q, B)
    left = dmaps                                 # (C, P, Q, B)  what no pixel has taken yet
    for i, j in np.ndindex(*size):
        hit = seen[i, j] == maps                 # (C, P, Q, B)
        taken = np.multiply(left, hit, out=w.out("taken", *hit.shape))  # (C, P, Q, B)
        left = np.subtract(left, taken, out=w.out("left", *hit.shape))  # (C, P, Q, B)
        dseen[i, j] += taken
    # planes = framed(x, frame, -np.inf, w)
    dx = within(dplanes, frame).transpose(3, 1, 2, 0)
    return dx


def largest(seen, out=None):
    """The maximum over windows (F, G, ...), one place in them after the other."""
    found = gathered(seen[0, 0], out=out)
    for i, j in np.ndindex(seen.shape[:2]):
        found = np.maximum(found, seen[i, j], out=out)
    return found


def avg_pool_forward(x, w=NEW, *, size, stride, padding):
    """The mean of the pixels in every window; a frame does not count as pixels."""
    frame = frame_of(x, size, stride, padding)   # not differentiated
    pixels = np.ones((1, *x.shape[1:3], 1), x.real.dtype)  # (1, H, W, 1)  not differentiated
    there = windows(framed(pixels, frame, 0), size, stride)  # not differentiated
    count = there.sum((0, 1))                    # (1, P, Q, 1)  not differentiated
    planes = framed(x, frame, 0, w)
    seen = windows(planes, size, stride)         # (F, G, C, P, Q, B)  not differentiated
    total = seen.sum((0, 1))                     # (C, P, Q, B)
    maps = total / count                         # (C, P, Q, B)
    h = maps.transpose(3, 1, 2, 0)               # (B, P, Q, C)
    return h, (planes, count, size, stride, frame)


def avg_pool_backward(dh, cache, w=NEW):
    planes, count, size, stride, frame = cache
    # h = maps.transpose(3, 1, 2, 0)
    dmaps = dh.transpose(3, 1, 2, 0)             # (C, P, Q, B)
    # maps = total / count
    dtotal = dmaps / count                       # (C, P, Q, B)
    # total = seen.sum((0, 1))
    dplanes = filled(0, w.out("dplanes", *planes.shape), planes.shape, dmaps.dtype)
    dseen = windows(dplanes, size, stride)       # (F, G, C, P, Q, B)
    for i, j in np.ndindex(*size):
        dseen[i, j] += dtotal
    # planes = framed(x, frame, 0, w)
    dx = within(dplanes, frame).transpose(3, 1, 2, 0)
    return dx
