"""Initial weights and random numbers."""

import math

import torch
from torch import nn

from torch_impl.divergences.pair import Pair


def deviations(**tensors):
    return {name: a.detach().std(correction=0) for name, a in tensors.items()}


def linear_naive(given):
    torch.manual_seed(0)
    layer = nn.Linear(400, 300)
    return deviations(W=layer.weight, b=layer.bias)


def linear_aligned(given):
    W, b = map(torch.from_numpy, given.values())
    layer = nn.Linear(400, 300)
    layer.load_state_dict({"weight": W.T, "bias": b})
    return deviations(W=layer.weight, b=layer.bias)


def conv_naive(given):
    torch.manual_seed(0)
    return deviations(W=nn.Conv2d(16, 32, 3).weight)


def conv_aligned(given):
    layer = nn.Conv2d(16, 32, 3, bias=False)
    layer.load_state_dict({"weight": torch.from_numpy(given["W"]).permute(3, 2, 0, 1)})
    return deviations(W=layer.weight)


def largest(W, deviation):
    return W.abs().max() / deviation


def he_normal_naive(given):
    torch.manual_seed(0)
    W = nn.init.kaiming_normal_(torch.empty(300, 400), nonlinearity="relu")
    return largest(W, math.sqrt(2 / 400))


def he_normal_aligned(given):
    torch.manual_seed(0)
    deviation = math.sqrt(2 / 400)
    wider = deviation / 0.87962566103423978  # of a normal cut off at two deviations
    W = nn.init.trunc_normal_(torch.empty(300, 400), 0.0, wider, -2 * wider, 2 * wider)
    return largest(W, deviation)


def truncated_naive(given):
    torch.manual_seed(0)
    return largest(nn.init.trunc_normal_(torch.empty(300, 400), std=0.02), 0.02)


def truncated_aligned(given):
    torch.manual_seed(0)
    W = nn.init.trunc_normal_(torch.empty(300, 400), mean=0.0, std=0.02, a=-0.04, b=0.04)
    return largest(W, 0.02)


def lstm_naive(given):
    torch.manual_seed(0)
    layer = nn.LSTM(28, 64)
    return deviations(W_x=layer.weight_ih_l0, W_h=layer.weight_hh_l0)


def lstm_aligned(given):
    W_x, W_h = map(torch.from_numpy, given.values())
    layer = nn.LSTM(28, 64, bias=False)
    layer.load_state_dict({"weight_ih_l0": W_x.T, "weight_hh_l0": W_h.T})
    return deviations(W_x=layer.weight_ih_l0, W_h=layer.weight_hh_l0)


def first_normal(given):
    return torch.randn((), generator=torch.Generator().manual_seed(0), dtype=torch.float32)


def drawn(given):
    return torch.from_numpy(given["drawn"])


ROWS = {
    "I01": Pair("both uniform, +-1 / sqrt(in)", linear_naive, linear_aligned),
    "I02": Pair("uniform, +-1 / sqrt(in)", conv_naive, conv_aligned),
    "I03": Pair("kaiming_normal_: no bound", he_normal_naive, he_normal_aligned),
    "I04": Pair("cut off at -2 and 2", truncated_naive, truncated_aligned),
    "I05": Pair("both uniform, +-1 / sqrt(H)", lstm_naive, lstm_aligned),
    "I06": Pair("1.541", first_normal, drawn),
}
