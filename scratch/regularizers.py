"""Regularizers: normalization, dropout, augmentation, and penalties on the weights.

Layers come in pairs as in scratch/layers.py. Nothing random happens here: masks, shifts and
flips arrive with the batch. N features; R rows, everything that is not a feature.
"""

import numpy as np

from scratch.workspace import NEW

# -- normalization ---------------------------------------------------------------------------


def batch_norm_forward(x, gamma, beta, *, eps):
    """Ioffe & Szegedy (2015), algorithm 1: features (last axis) by the batch's own mean, var.

    Returns mean and biased variance of the batch, too, for ``batch_norm_running``.
    """
    z = x.reshape(-1, x.shape[-1])           # (R, N)
    mean = z.mean(axis=0)                    # (N,)
    d = z - mean                             # (R, N)
    var = (d * d).mean(axis=0)               # (N,)
    r = 1 / np.sqrt(var + eps)               # (N,)
    s = d * r                                # (R, N)
    n = gamma * s + beta                     # (R, N)
    h = n.reshape(x.shape)
    return h, (gamma, d, r, s), (mean, var)


def batch_norm_backward(dh, cache):
    gamma, d, r, s = cache
    # h = n.reshape(x.shape)
    dn = dh.reshape(s.shape)                 # (R, N)
    # n = gamma * s + beta
    dgamma = (dn * s).sum(axis=0)            # (N,)
    dbeta = dn.sum(axis=0)                   # (N,)
    ds = dn * gamma                          # (R, N)
    # s = d * r
    dd = ds * r                              # (R, N)
    dr = (ds * d).sum(axis=0)                # (N,)
    # r = 1 / np.sqrt(var + eps)
    dvar = -dr * r * r * r / 2               # (N,)
    # var = (d * d).mean(axis=0)
    dd = dd + 2 * d * dvar / len(d)          # (R, N)
    # d = z - mean
    dz = dd                                  # (R, N)
    dmean = -dd.sum(axis=0)                  # (N,)
    # mean = z.mean(axis=0)
    dz = dz + dmean / len(d)                 # (R, N)
    # z = x.reshape(-1, x.shape[-1])
    dx = dz.reshape(dh.shape)
    return dx, dgamma, dbeta


def batch_norm_running(running, batch, rows, *, momentum, unbiased):
    """The running (mean, var) after a training step on ``rows`` rows of (mean, var).

    Whether the running variance is that of the batch or n/(n-1) times it, the unbiased
    estimate, frameworks do not agree on; the normalization always takes the biased one.
    """
    if unbiased and rows == 1:
        raise ValueError("batch_norm: one row has no unbiased variance; take more examples")
    mean, var = batch
    var = var * rows / (rows - 1) if unbiased else var
    return tuple(
        (1 - momentum) * old + momentum * new
        for old, new in zip(running, (mean, var), strict=True)
    )


def batch_norm_evaluated(x, gamma, beta, mean, var, *, eps):
    """Batch normalization of an example by the running statistics: a fixed linear map."""
    return gamma * ((x - mean) / np.sqrt(var + eps)) + beta


def layer_norm_forward(x, gamma, beta, *, eps, w=NEW):
    """Ba, Kiros & Hinton (2016): each row by the mean and variance of its own features.

    A sum over a row is a product with ones: BLAS adds faster than NumPy.
    """
    N = x.shape[-1]                          # not differentiated
    ones = np.ones(N, x.dtype)               # (N,)  not differentiated
    z = x.reshape(-1, N)                     # (R, N)
    mean = np.dot(z, ones)[:, None] / N      # (R, 1)
    d = np.subtract(z, mean, out=w.d)        # (R, N)
    d2 = np.multiply(d, d, out=w.s)          # (R, N)
    var = np.dot(d2, ones)[:, None] / N      # (R, 1)
    r = 1 / np.sqrt(var + eps)               # (R, 1)
    s = np.multiply(d, r, out=w.s)           # (R, N)
    n = np.multiply(s, gamma, out=w.n)       # (R, N)
    n += beta                                # (R, N)
    h = n.reshape(x.shape)
    return h, (gamma, d, r, s)


def layer_norm_backward(dh, cache, w=NEW):
    gamma, d, r, s = cache
    R, N = d.shape
    row, column = np.ones(R, d.dtype), np.ones(N, d.dtype)  # (R,), (N,)
    # h = n.reshape(x.shape)
    dn = dh.reshape(R, N)                    # (R, N)
    # n += beta
    dbeta = np.dot(row, dn)                  # (N,)
    # n = np.multiply(s, gamma, out=w.n)
    dgamma = np.dot(row, np.multiply(dn, s, out=w.t))  # (N,)
    ds = np.multiply(dn, gamma, out=w.ds)    # (R, N)
    # s = np.multiply(d, r, out=w.s)
    dr = np.dot(np.multiply(ds, d, out=w.t), column)[:, None]  # (R, 1)
    dd = np.multiply(ds, r, out=w.ds)        # (R, N)
    # r = 1 / np.sqrt(var + eps)
    dvar = -dr * r * r * r / 2               # (R, 1)
    # var = np.dot(d2, ones)[:, None] / N
    dd2 = dvar / N                           # (R, 1)  the same for every feature
    # d2 = np.multiply(d, d, out=w.s)
    dd += np.multiply(d, 2 * dd2, out=w.t)   # (R, N)
    # d = np.subtract(z, mean, out=w.d)
    dz = dd                                  # (R, N)
    dmean = -np.dot(dd, column)[:, None]     # (R, 1)
    # mean = np.dot(z, ones)[:, None] / N
    dz += dmean / N                          # (R, N)
    # z = x.reshape(-1, N)
    dx = dz.reshape(dh.shape)
    return dx, dgamma, dbeta


# -- dropout and augmentation ----------------------------------------------------------------


def dropout_forward(x, mask):
    """Srivastava et al. (2014), inverted: mask is 0 or 1/p, so that evaluation is plain."""
    h = x * mask
    return h, mask


def dropout_backward(dh, mask):
    # h = x * mask
    dx = dh * mask
    return dx


def shift_forward(x, by):
    """Pictures (B, H, W) or (B, H, W, C) moved by (B, 2) rows down and columns right."""
    h = shifted(x, by)
    return h, by


def shift_backward(dh, by):
    """What a pixel said where it went comes back; what left the picture says nothing."""
    # h = shifted(x, by)
    dx = shifted(dh, -by)
    return dx


def shifted(x, by):
    """Each picture of x moved by its own two whole numbers; what enters is 0."""
    B, H, W = x.shape[:3]
    row = np.arange(H) - by[:, :1]           # (B, H)  where a row comes from
    column = np.arange(W) - by[:, 1:]        # (B, W)
    row_there = (row >= 0) & (row < H)       # (B, H)
    column_there = (column >= 0) & (column < W)  # (B, W)
    row, column = row.clip(0, H - 1)[:, :, None], column.clip(0, W - 1)[:, None]
    moved = x[np.arange(B)[:, None, None], row, column]
    there = row_there[:, :, None] & column_there[:, None]  # (B, H, W)
    return np.where(there.reshape(B, H, W, *[1] * (x.ndim - 3)), moved, x.dtype.type(0))


def flip_forward(x, flip):
    """Pictures (B, H, W) or (B, H, W, C) mirrored left-right where flip (B,) is 1."""
    h = flipped(x, flip)
    return h, flip


def flip_backward(dh, flip):
    # h = flipped(x, flip)
    dx = flipped(dh, flip)
    return dx


def flipped(x, flip):
    """Each picture of x or its mirror image; a mirror is its own inverse."""
    return np.where(flip.reshape(-1, *[1] * (x.ndim - 1)) == 1, x[:, :, ::-1], x)


# -- penalties -------------------------------------------------------------------------------


def penalty_forward(W, *, l1=0.0, l2=0.0):
    """Added to the loss: l1 sum |W| + l2 sum W^2 of one array of weights; no 1/2 anywhere."""
    size = np.where(W.real < 0, -W, W)       # |W|
    loss = l1 * size.sum() + l2 * (W * W).sum()
    return loss, W


def penalty_backward(W, *, l1=0.0, l2=0.0):
    # loss = l1 * size.sum() + l2 * (W * W).sum()
    dsize = l1
    dW = 2 * l2 * W
    # size = np.where(W.real < 0, -W, W)
    dW = dW + dsize * np.sign(W.real)
    return dW


def penalized(name):
    """Whether a parameter is one that penalties look at: weights, never biases."""
    return name.startswith("W")
