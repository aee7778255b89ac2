"""Convolution and pooling of pictures (B, H, W, C) in PyTorch, which wants (B, C, H, W).

F x G is the size of a kernel or of a pool's window, P x Q that of what comes out, N its
channels. With stride 1, padding="same" of nn.Conv2d is Keras' "same", too; with a larger one
PyTorch refuses, and padding=1 would put a frame around all four sides where Keras has one at
the bottom and on the right. So the frame is laid on by hand.
"""

import torch
import torch.nn.functional as F
from torch import nn


def channels_first(h):
    return h.permute(0, 3, 1, 2)


def channels_last(h):
    return h.permute(0, 2, 3, 1)


def frame(shape, *, size, stride, padding):
    """As F.pad reads it: left, right, top, bottom, for pictures of shape (H, W, ...)."""
    if padding == "valid":
        if any(across > pixels for across, pixels in zip(size, shape, strict=False)):
            raise ValueError(f"{size} pixels do not fit on {shape} -> take fewer, or same")
        return (0, 0, 0, 0)
    widths = []
    for pixels, across in zip(shape[1::-1], size[::-1], strict=True):  # columns, then rows
        missing = max((-(-pixels // stride) - 1) * stride + across - pixels, 0)
        widths += [missing // 2, missing - missing // 2]
    return tuple(widths)


def outputs_of(shape, *, size, stride, padding):
    """(P, Q) of a layer on pictures of shape (H, W, C)."""
    left, right, top, bottom = frame(shape, size=size, stride=stride, padding=padding)
    H, W = shape[:2]
    return (
        (H + top + bottom - size[0]) // stride + 1,
        (W + left + right - size[1]) // stride + 1,
    )


class Conv(nn.Conv2d):
    def __init__(self, below, *, channels, kernel, stride, padding, bias):
        super().__init__(below[2], channels, tuple(kernel), stride=stride, bias=bias)
        self.frame = frame(below, size=kernel, stride=stride, padding=padding)

    def forward(self, h):
        h = F.pad(channels_first(h), self.frame)
        return channels_last(super().forward(h))


class MaxPool(nn.MaxPool2d):
    """In a frame of -inf; of equal pixels the first one learns."""

    def __init__(self, below, *, size, stride, padding):
        super().__init__(tuple(size), stride=stride)
        self.frame = frame(below, size=size, stride=stride, padding=padding)

    def forward(self, h):
        h = F.pad(channels_first(h), self.frame, value=-torch.inf)
        return channels_last(super().forward(h))


class AvgPool(nn.AvgPool2d):
    """The mean of what is there: nn.AvgPool2d would count a frame, too, as zeros.

    count_include_pad=False is for padding= alone, which is the same on all sides.
    """

    def __init__(self, below, *, size, stride, padding):
        super().__init__(tuple(size), stride=stride, divisor_override=1)
        self.frame = frame(below, size=size, stride=stride, padding=padding)

    def forward(self, h):
        h = channels_first(h)
        total = super().forward(F.pad(h, self.frame))
        count = super().forward(F.pad(torch.ones_like(h[:1, :1]), self.frame))
        return channels_last(total / count)
