"""Sequences of different lengths in one batch: real steps first, then padding."""

import jax.numpy as jnp


def last_step(h, mask):
    """Of h (B, T, H) each sequence's last real step; the mask (B, T) is ones, then zeros."""
    at = jnp.count_nonzero(mask, axis=1) - 1                 # (B,)
    return jnp.take_along_axis(h, at[:, None, None], axis=1)[:, 0]


def blank(h, mask=None):
    """What there is to look at of h (B, T, H): zero in the padding, where the mask is."""
    return h if mask is None else h * mask[:, :, None]
