"""Sequences of different lengths in one batch: real steps first, then padding."""

from keras import ops


def last_step(hidden, mask):
    """Each sequence's last real step, (B, H); the mask (B, T) is ones, then zeros."""
    last = ops.count_nonzero(mask, axis=1) - 1
    return ops.take_along_axis(hidden, last[:, None, None], axis=1)[:, 0]


def blank(hidden, mask):
    """What there is to look at of all steps (B, T, H): zero in the padding."""
    return hidden * mask[:, :, None]
