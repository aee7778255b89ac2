"""Sequences of different lengths in one batch: real steps first, then padding."""

import torch


def last_step(h, mask=None):
    """Of h (B, T, H) each sequence's last real step; the mask (B, T) is ones, then zeros."""
    if mask is None:
        return h[:, -1]
    at = mask.sum(dim=1).long() - 1  # (B,)
    return h[torch.arange(len(h)), at]


def blank(h, mask=None):
    """What there is to look at of h (B, T, H): zero in the padding, where the mask is."""
    return h if mask is None else h * mask[:, :, None]
