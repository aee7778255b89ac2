"""Regularizers: normalization, dropout, augmentation, and a penalty on the weights.

Nothing random happens here: masks, shifts and flips arrive with the batch.
"""

import jax
import jax.numpy as jnp
from jax import lax

# -- normalization -------------------------------------------------------------------------


def moments(x, axes):
    """Mean and biased variance over some axes."""
    return jnp.mean(x, axis=axes, keepdims=True), jnp.var(x, axis=axes, keepdims=True)


def normalized(x, gamma, beta, mean, var, eps):
    s = jax.nn.standardize(x, mean=mean, variance=var, epsilon=eps)
    return gamma * s + beta


def batch_norm(gamma, beta, x, *, eps):
    """Ioffe & Szegedy (2015): features (last axis) by the batch's own mean and variance.

    Returns these, too, for ``running``.
    """
    mean, var = moments(x, tuple(range(x.ndim - 1)))
    return normalized(x, gamma, beta, mean, var, eps), (mean.ravel(), var.ravel())


def running(old, batch, rows, *, momentum, unbiased):
    """The running (mean, var) after a training step on ``rows`` rows of (mean, var)."""
    if unbiased and rows == 1:
        raise ValueError("batch_norm: one row has no unbiased variance; take more examples")
    mean, var = batch
    var = var * rows / (rows - 1) if unbiased else var
    return tuple(
        (1 - momentum) * before + momentum * now
        for before, now in zip(old, (mean, var), strict=True)
    )


def layer_norm(gamma, beta, x, *, eps):
    """Ba, Kiros & Hinton (2016): each row by the mean and variance of its own features."""
    return normalized(x, gamma, beta, *moments(x, -1), eps)


# -- dropout and augmentation --------------------------------------------------------------


def dropout(x, mask):
    """Srivastava et al. (2014), inverted: mask is 0 or 1/p, so that evaluation is plain."""
    return x * mask


@jax.vmap
def shift(x, by):
    """A picture (H, W) or (H, W, C) moved ``by`` rows down and columns right, 0 coming in.

    It is cut out of itself in a frame of zeros; a slice that began outside of the frame
    would be moved back inside, where there is nothing but zeros either.
    """
    H, W, *C = x.shape
    framed = jnp.pad(x, [(H, H), (W, W), *[(0, 0)] * len(C)])
    zero = jnp.zeros((), by.dtype)
    return lax.dynamic_slice(framed, (H - by[0], W - by[1], *[zero] * len(C)), x.shape)


@jax.vmap
def flip(x, mirrored):
    """A picture (H, W) or (H, W, C), or where ``mirrored`` is 1 its mirror image."""
    return jnp.where(mirrored == 1, jnp.flip(x, axis=1), x)


# -- penalty -------------------------------------------------------------------------------


def penalty(params, *, l1=0.0, l2=0.0):
    """Added to the loss: l1 sum |W| + l2 sum W^2 over weights "W...", never biases.

    jnp.abs has derivative 1 at 0; W sign(W) is the same function with derivative 0 there.
    """
    return sum(
        l1 * (W * jnp.sign(W)).sum() + l2 * (W * W).sum()
        for name, W in params.items()
        if name.startswith("W")
    )
