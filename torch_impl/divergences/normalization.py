"""Normalization, dropout and modes."""

import torch
import torch.nn.functional as F
from torch import nn

from torch_impl.divergences.pair import Pair

# -- L08a-L08c batch norm ----------------------------------------------------------------


def batch_norm_naive(given):
    x = torch.from_numpy(given["x"])
    return nn.BatchNorm1d(4, affine=False)(x)


def batch_norm_aligned(given):
    x = torch.from_numpy(given["x"])
    return nn.BatchNorm1d(4, eps=1e-5, momentum=0.1, affine=False).train()(x)


def running_variance_naive(given):
    x = torch.from_numpy(given["x"])
    norm = nn.BatchNorm1d(4)
    norm(x)
    return norm.running_var.clone()


def running_variance_aligned(given):
    n = len(given["x"])
    old = 0.9 * 1.0
    return old + (running_variance_naive(given) - old) * (n - 1) / n


# -- L09-L09d layer, group and RMS norm --------------------------------------------------


def layer_norm_naive(given):
    x = torch.from_numpy(given["x"])
    return F.layer_norm(x, x.shape[1:])


def layer_norm_aligned(given):
    x = torch.from_numpy(given["x"])
    return F.layer_norm(x, x.shape[1:], eps=1e-5)


def group_norm_naive(given):
    x = torch.from_numpy(given["x"]).permute(0, 3, 1, 2)
    return F.group_norm(x, 2).permute(0, 2, 3, 1)


def group_norm_aligned(given):
    x = torch.from_numpy(given["x"]).permute(0, 3, 1, 2)
    return F.group_norm(x, 2, eps=1e-5).permute(0, 2, 3, 1)


def rms_norm_naive(given):
    x = torch.from_numpy(given["x"])
    return F.rms_norm(x, x.shape[1:])


def rms_norm_aligned(given):
    x = torch.from_numpy(given["x"])
    return F.rms_norm(x, x.shape[1:], eps=1e-6)


# -- L15a-L15c modes ---------------------------------------------------------------------


def dropout_naive(given):
    torch.manual_seed(0)
    return F.dropout(torch.from_numpy(given["x"]), p=0.5)


def dropout_aligned(given):
    x, mask = map(torch.from_numpy, given.values())
    return x * mask


def dropout_in_inference(given):
    return F.dropout(torch.from_numpy(given["x"]), p=0.5, training=False)


def frozen_batch_norm(given):
    norm = nn.BatchNorm1d(4, eps=1e-5, momentum=0.1).requires_grad_(False)
    norm.running_mean.copy_(torch.from_numpy(given["mean"]))
    return norm


def frozen_batch_norm_naive(given):
    return frozen_batch_norm(given)(torch.from_numpy(given["x"]))


def frozen_batch_norm_aligned(given):
    return frozen_batch_norm(given).eval()(torch.from_numpy(given["x"]))


# -- L19 standard deviation --------------------------------------------------------------


def std_naive(given):
    return torch.from_numpy(given["x"]).std()


def std_aligned(given):
    return torch.from_numpy(given["x"]).std(correction=0)


ROWS = {
    "L08a": Pair("eps=1e-5", batch_norm_naive, batch_norm_aligned),
    "L08b": Pair("0.1: weight of the new", running_variance_naive, running_variance_aligned),
    "L08c": Pair("unbiased, / (n - 1)", running_variance_naive, running_variance_aligned),
    "L09": Pair("eps=1e-5", layer_norm_naive, layer_norm_aligned),
    "L09b": Pair("mean of squared deviations", layer_norm_naive, layer_norm_aligned),
    "L09c": Pair("eps=1e-5", group_norm_naive, group_norm_aligned),
    "L09d": Pair("eps=None: finfo.eps", rms_norm_naive, rms_norm_aligned),
    "L15a": Pair("its own generator", dropout_naive, dropout_aligned),
    "L15b": Pair("F.dropout: training=True", dropout_naive, dropout_in_inference),
    "L15c": Pair("batch statistics", frozen_batch_norm_naive, frozen_batch_norm_aligned),
    "L19": Pair("ddof=1", std_naive, std_aligned),
}
