"""Recurrent layers, embedding and attention."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from torch_impl.divergences.pair import Pair

RATE = 0.125  # exact in float32, where Keras keeps it

# -- LSTM --------------------------------------------------------------------------------


def loaded_lstm(W_x, W_h, b, b_h=None):
    layer = nn.LSTM(W_x.shape[0], W_h.shape[0], batch_first=True)
    layer.load_state_dict({
        "weight_ih_l0": W_x.T,
        "weight_hh_l0": W_h.T,
        "bias_ih_l0": b,
        "bias_hh_l0": torch.zeros_like(b) if b_h is None else b_h,
    })
    return layer


def last_hidden(x, layer):
    with torch.no_grad():
        return layer(x)[0][:, -1]


def lstm_blocks_as_they_come(given):
    x, *weights = map(torch.from_numpy, given.values())
    return last_hidden(x, loaded_lstm(*weights))


def lstm_blocks_by_name(given):
    x, *weights = map(torch.from_numpy, given.values())
    return last_hidden(x, loaded_lstm(*map(from_onnx, weights)))


def from_onnx(blocks):
    i, o, f, g = blocks.chunk(4, dim=-1)
    return torch.cat([i, f, g, o], dim=-1)


def lstm_of_two_biases(given):
    x, W_x, W_h, b, b_h = map(torch.from_numpy, given.values())
    return last_hidden(x, loaded_lstm(W_x, W_h, b, b_h))


def bias_after_a_step(x, layer):
    before = layer.bias_ih_l0.detach() + layer.bias_hh_l0.detach()
    h, _ = layer(x)
    (h[:, -1] ** 2).sum().backward()
    torch.optim.SGD([p for p in layer.parameters() if p.requires_grad], lr=RATE).step()
    return (layer.bias_ih_l0 + layer.bias_hh_l0).detach() - before


def bias_moves_naive(given):
    x, *weights = map(torch.from_numpy, given.values())
    return bias_after_a_step(x, loaded_lstm(*weights))


def bias_moves_aligned(given):
    x, *weights = map(torch.from_numpy, given.values())
    layer = loaded_lstm(*weights)
    layer.bias_hh_l0.requires_grad_(False)
    return bias_after_a_step(x, layer)


def forget_bias_naive(given):
    torch.manual_seed(0)
    layer = nn.LSTM(3, 5, batch_first=True)
    return forget_bias(layer)


def forget_bias_aligned(given):
    _, *weights = map(torch.from_numpy, given.values())
    return forget_bias(loaded_lstm(*weights))


def forget_bias(layer):
    return (layer.bias_ih_l0 + layer.bias_hh_l0).detach()[5:10]


def bidirectional(given):
    """Both directions with the same weights; (B, T, 2H)."""
    x, W_x, W_h, b = map(torch.from_numpy, given.values())
    layer = nn.LSTM(3, 5, batch_first=True, bidirectional=True)
    weights = {"weight_ih": W_x.T, "weight_hh": W_h.T, "bias_ih": b, "bias_hh": 0 * b}
    layer.load_state_dict({
        f"{name}_l0{direction}": weight
        for direction in ("", "_reverse")
        for name, weight in weights.items()
    })
    with torch.no_grad():
        return layer(x)[0]


def lstm_backwards(given):
    return bidirectional(given)[..., 5:]


def lstm_both_ways_naive(given):
    return bidirectional(given)[:, -1]


def lstm_both_ways_aligned(given):
    out = bidirectional(given)
    return torch.cat([out[:, -1, :5], out[:, 0, 5:]], dim=1)


def draws_from_python(given):
    before = random.getstate()
    nn.LSTM(3, 5, batch_first=True)
    return float(random.getstate() != before)


# -- GRU ---------------------------------------------------------------------------------


def gru(given):
    x, W_x, W_h, b_x, b_h = map(torch.from_numpy, given.values())
    layer = nn.GRU(3, 5, batch_first=True)
    weights = {"weight_ih": W_x.T, "weight_hh": W_h.T, "bias_ih": b_x, "bias_hh": b_h}
    layer.load_state_dict({f"{name}_l0": weight for name, weight in weights.items()})
    return last_hidden(x, layer)


# -- embedding ---------------------------------------------------------------------------


def initial_deviation(given):
    torch.manual_seed(0)
    return nn.Embedding(1000, 16).weight.detach().std(correction=0)


def loaded_deviation(given):
    table = torch.from_numpy(given["table"])
    return nn.Embedding.from_pretrained(table).weight.std(correction=0)


def rows_naive(given):
    table, ids = map(torch.from_numpy, given.values())
    try:
        return F.embedding(ids, table)
    except IndexError:
        return np.nan


def rows_aligned(given):
    """Return NaN for a refusal."""
    table, ids = map(torch.from_numpy, given.values())
    if not ((ids >= 0) & (ids < len(table))).all():
        return np.nan
    return F.embedding(ids, table)


def table_gradient(given):
    table, ids = map(torch.from_numpy, given.values())
    layer = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0)
    layer(ids).sum().backward()
    return layer.weight.grad


# -- attention ---------------------------------------------------------------------------


def multi_head(x, in_proj, out_proj, mask=None):
    layer = nn.MultiheadAttention(8, num_heads=2, bias=False, batch_first=True)
    layer.load_state_dict({"in_proj_weight": in_proj, "out_proj.weight": out_proj})
    with torch.no_grad():
        return layer(x, x, x, attn_mask=mask)[0]


def multi_head_naive(given):
    x, W_q, W_k, W_v, W_o = map(torch.from_numpy, given.values())
    return multi_head(x, torch.cat([W_q, W_k, W_v]), W_o)


def multi_head_aligned(given):
    x, W_q, W_k, W_v, W_o = map(torch.from_numpy, given.values())
    return multi_head(x, torch.cat([W_q.T, W_k.T, W_v.T]), W_o.T)


def mask_naive(given):
    x, W_q, W_k, W_v, W_o, mask = map(torch.from_numpy, given.values())
    return multi_head(x, torch.cat([W_q.T, W_k.T, W_v.T]), W_o.T, mask)


def mask_aligned(given):
    x, W_q, W_k, W_v, W_o, mask = map(torch.from_numpy, given.values())
    return multi_head(x, torch.cat([W_q.T, W_k.T, W_v.T]), W_o.T, ~mask)


def mask_checked(given):
    """Return NaN for a refusal."""
    return mask_aligned(given) if given["mask"].any(-1).all() else np.nan


def attention_naive(given):
    q, k, v = map(torch.from_numpy, given.values())
    return F.scaled_dot_product_attention(q, k, v)


def attention_aligned(given):
    q, k, v = map(torch.from_numpy, given.values())
    return F.scaled_dot_product_attention(q, k, v, scale=1.0)


def axes_aligned(given):
    q, k, v = (torch.from_numpy(a).transpose(1, 2) for a in given.values())
    return F.scaled_dot_product_attention(q, k, v, scale=0.5).transpose(1, 2)


# -- PReLU -------------------------------------------------------------------------------


def prelu_naive(given):
    x = torch.from_numpy(given["x"]).permute(0, 3, 1, 2)
    return nn.PReLU()(x).permute(0, 2, 3, 1).detach()


def prelu_aligned(given):
    x, alpha = map(torch.from_numpy, given.values())
    return F.prelu(x.permute(0, 3, 1, 2), alpha).permute(0, 2, 3, 1)


ROWS = {
    "L10a": Pair("i f g o", lstm_blocks_as_they_come, lstm_blocks_by_name),
    "L10c": Pair("two biases, added", lstm_of_two_biases, lstm_of_two_biases),
    "L10d": Pair("two biases: twice as far", bias_moves_naive, bias_moves_aligned),
    "L10e": Pair("two uniform ones, added", forget_bias_naive, forget_bias_aligned),
    "L11": Pair("r z n", gru, gru),
    "L11b": Pair("after", gru, gru),
    "L21": Pair("where the inputs were", lstm_backwards, lstm_backwards),
    "L21b": Pair(
        "out[:, -1]: one step of the way back", lstm_both_ways_naive, lstm_both_ways_aligned
    ),
    "N06": Pair("no", draws_from_python, draws_from_python),
    "L13a": Pair("1", initial_deviation, loaded_deviation),
    "L13b": Pair("IndexError", rows_naive, rows_aligned),
    "L13b2": Pair("IndexError", rows_naive, rows_aligned),
    "L13c": Pair("padding_idx: zero", table_gradient, table_gradient),
    "L14a": Pair("in_proj (3E, E), transposed", multi_head_naive, multi_head_aligned),
    "L14b": Pair("true: blocked", mask_naive, mask_aligned),
    "L14c": Pair("NaN", mask_aligned, mask_checked),
    "L14d": Pair("1 / sqrt(d)", attention_naive, attention_aligned),
    "L14e": Pair("heads, positions", attention_naive, axes_aligned),
    "L17": Pair("one, 0.25", prelu_naive, prelu_aligned),
}
