"""What keeps a network from overfitting: noise, normalization, a penalty on weights.

Nothing here draws a random number: masks, shifts and flips arrive with the batch.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Dropout(nn.Module):
    """Times a mask that is already scaled; nn.Dropout would draw one."""

    def forward(self, h, mask):
        return h if mask is None else h * mask


class Shift(nn.Module):
    """Pictures moved by shift (B, 2): rows down, columns right; what enters is 0."""

    def forward(self, h, shift):
        if shift is None:
            return h
        B, H, W = h.shape[:3]
        picture = torch.arange(B)[:, None, None]                       # (B, 1, 1)
        row = (torch.arange(H) - shift[:, :1])[:, :, None]             # (B, H, 1)
        column = (torch.arange(W) - shift[:, 1:])[:, None, :]          # (B, 1, W)
        inside = (row >= 0) & (row < H) & (column >= 0) & (column < W)  # (B, H, W)
        moved = h[picture, row.clamp(0, H - 1), column.clamp(0, W - 1)]
        return torch.where(_over_channels(inside, h), moved, 0.0)


class Flip(nn.Module):
    """Pictures mirrored left-right where flip (B,) is 1."""

    def forward(self, h, flip):
        if flip is None:
            return h
        return torch.where(_over_channels(flip == 1, h), h.flip(2), h)


def _over_channels(which, h):
    """With trailing axes of length 1, so that it fits pictures with and without colors."""
    return which.reshape(*which.shape, *(1,) * (h.ndim - which.ndim))


class BatchNorm(nn.BatchNorm1d):
    """nn.BatchNorm1d over the last axis, whatever axes come before.

    A batch is always normalized by its biased variance. Into PyTorch's running variance
    goes the unbiased one, larger by n / (n - 1); unless ``unbiased``, it does not here.
    """

    def __init__(self, features, *, eps, momentum, unbiased):
        super().__init__(
            features, eps=eps, momentum=momentum, affine=True, track_running_stats=True
        )
        self.unbiased = unbiased

    def forward(self, h):
        rows = h.reshape(-1, self.num_features)
        if self.unbiased or not self.training:
            return super().forward(rows).reshape(h.shape)
        with torch.no_grad():
            var, mean = torch.var_mean(rows, dim=0, correction=0)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var, self.momentum)
        normal = F.batch_norm(
            rows, None, None, self.weight, self.bias, training=True, eps=self.eps
        )
        return normal.reshape(h.shape)


def layer_norm(features, *, eps):
    """Each example by its own mean and biased variance, over the last axis."""
    return nn.LayerNorm(features, eps=eps, elementwise_affine=True, bias=True)


def penalized(loss, matrices, *, l1=0.0, l2=0.0):
    """Return the loss plus l1 sum |W| + l2 sum W^2 over the matrices.

    The gradient of the second is 2 l2 W; that of a ``weight_decay`` l2 would be l2 W.
    """

    def total(outputs, batch):
        value = loss(outputs, batch)
        for W in matrices:
            if l1:
                value = value + l1 * W.abs().sum()  # derivative 0 at 0
            if l2:
                value = value + l2 * W.square().sum()
        return value

    return total
