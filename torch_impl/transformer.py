"""Transformer encoder in PyTorch: nn.Module around the built-in nn.MultiheadAttention.

Source
------
Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762. Departures: pre-norm,
that is layer norm inside the residual branches and once more at the end (Xiong et al.
2020, On layer normalization in the transformer architecture, arXiv:2002.04745); only an
encoder; embeddings are not multiplied by sqrt(E); no dropout. GELU where a recipe asks.

Equations
---------
::

    h = x W_e + b_e + P    of token ids: the rows of W_e they name, no b_e    (1)
        P_tj = sin(t / 10000^(j/E)) for even j, cos(t / 10000^((j-1)/E)) for odd j
    in each block:
    n = LN(h)              the mean 0, the variance 1, times gamma_a + beta_a (2)
    q = n W_q + b_q        and k, v alike; each of N heads has E/N columns    (3)
    a = softmax(q k^T / sqrt(E/N))     where a step may look: a row sums to 1 (4)
    h = h + a v W_o + b_o  the heads side by side                             (5)
    n = LN(h)              gamma_f, beta_f                                    (6)
    h = h + f(n W_u + b_u) W_d + b_d   each step alone; f: ReLU or GELU       (7)
    after the last block:
    n = LN(h)              gamma, beta                                        (8)
    prediction = mean_t(n) W_y + b_y   over the real steps; or, for a         (9)
                 prediction at each step, n W_y + b_y

Shapes
------
B batch, T time steps, D inputs or a vocabulary of V tokens, E model width, N heads,
F hidden units of a block, K classes.
"""

import numpy as np
import torch
from torch import nn

from torch_impl import losses
from torch_impl.activations import activation
from torch_impl.regularizers import layer_norm
from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ("x",)  # where it is numbers; nobody differentiates by token ids


def positions(T, E):
    """The table P (T, E) of equation (1); as float32 it is the same in every dtype."""
    t, j = np.arange(T)[:, None], np.arange(E)
    angle = t / 10000 ** ((j - j % 2) / E)                 # (T, E)
    return np.where(j % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)


class Block(nn.Module):
    """Equations (2)-(7)."""

    def __init__(self, E, F, recipe):
        super().__init__()
        self.norm_a = layer_norm(E, eps=recipe["eps"])
        self.attention = nn.MultiheadAttention(
            E,
            recipe["heads"],
            dropout=0.0,
            bias=True,
            add_bias_kv=False,
            add_zero_attn=False,
            batch_first=True,
        )
        self.norm_f = layer_norm(E, eps=recipe["eps"])
        self.up = nn.Linear(E, F, bias=True)
        self.down = nn.Linear(F, E, bias=True)
        self.activate = activation(recipe["activation"])

    def forward(self, h, later, padding):
        n = self.norm_a(h)                                 # (B, T, E)  (2)
        # A map is made on request only, and then the fused kernel is not used.
        c, a = self.attention(                             # (B, T, E)  (3)-(4)
            n, n, n,
            key_padding_mask=padding,  # True: blocked
            attn_mask=later,           # True: blocked
            is_causal=later is not None and padding is None,
            need_weights=not self.training,
            average_attn_weights=False,
        )
        h = h + c                                          # (B, T, E)  (5)
        n = self.norm_f(h)                                 # (B, T, E)  (6)
        g = self.activate(self.up(n))                      # (B, T, F)
        h = h + self.down(g)                               # (B, T, E)  (7)
        return h, a


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        T, E = sizes["T"], sizes["E"]
        if "D" in sizes:
            self.entry = nn.Linear(sizes["D"], E, bias=True)
        else:
            self.embedding = nn.Embedding(sizes["V"], E)
        self.tokens = "V" in sizes
        self.position = torch.from_numpy(positions(T, E))  # (T, E)
        later = torch.from_numpy(np.triu(np.ones((T, T), bool), k=1))  # (T, T)
        self.later = later if recipe["causal"] else None
        self.each_step = recipe["each_step"]
        blocks = [Block(E, sizes["F"], recipe) for _ in range(recipe["blocks"])]
        self.blocks = nn.ModuleList(blocks)
        self.norm = layer_norm(E, eps=recipe["eps"])
        self.out = nn.Linear(E, sizes["K"], bias=True)

    def forward(self, batch):
        outputs = {}
        x, mask = batch["x"], batch.get("mask")
        padding = None if mask is None else mask == 0      # mask, or None
        h = self.embedding(x) if self.tokens else self.entry(x)  # (B, T, E)
        h = h + self.position                              # (B, T, E)  (1)
        if padding is not None:
            h = h.masked_fill(padding[:, :, None], 0)  # (B, T, E)  no result sees it
        for l, block in enumerate(self.blocks, start=1):
            h, a = block(h, self.later, padding)           # (B, T, E)  (2)-(7)
            outputs[f"h_{l}"] = h
            if a is not None:
                outputs[f"attention_{l}"] = a              # (B, N, T, T)
        n = self.norm(h)                                   # (B, T, E)  (8)
        if not self.each_step:
            n = mean_over_time(n, mask)                    # (B, E)
        outputs["prediction"] = self.out(n)                # (9)
        return outputs


def mean_over_time(n, mask):
    """Of the real steps."""
    if mask is None:
        return n.mean(dim=1)
    return (n * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def loss(outputs, batch, recipe):
    """Of the one prediction of a sequence, or of one at each step, y (B, T)."""
    if recipe["each_step"]:
        return losses.of_tokens(outputs, batch, recipe)
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return losses.loss_function(recipe["loss"])(prediction, y, weight)


STACKED = (
    lambda W_q, W_k, W_v: np.concatenate([W_q.T, W_k.T, W_v.T]),
    lambda W: tuple(part.T for part in np.split(W, 3)),
)
JOINED = (lambda b_q, b_k, b_v: np.concatenate([b_q, b_k, b_v]), lambda b: np.split(b, 3))

WEIGHTS = (
    Weight("entry.weight", ("W_e",), *TRANSPOSED, optional=True),  # numbers come in
    Weight("entry.bias", ("b_e",), *SAME, optional=True),
    Weight("embedding.weight", ("W_e",), *SAME, optional=True),    # or token ids
    Weight("blocks.{l-1}.norm_a.weight", ("gamma_a_{l}",), *SAME),
    Weight("blocks.{l-1}.norm_a.bias", ("beta_a_{l}",), *SAME),
    Weight(
        "blocks.{l-1}.attention.in_proj_weight", ("W_q_{l}", "W_k_{l}", "W_v_{l}"), *STACKED
    ),
    Weight("blocks.{l-1}.attention.in_proj_bias", ("b_q_{l}", "b_k_{l}", "b_v_{l}"), *JOINED),
    Weight("blocks.{l-1}.attention.out_proj.weight", ("W_o_{l}",), *TRANSPOSED),
    Weight("blocks.{l-1}.attention.out_proj.bias", ("b_o_{l}",), *SAME),
    Weight("blocks.{l-1}.norm_f.weight", ("gamma_f_{l}",), *SAME),
    Weight("blocks.{l-1}.norm_f.bias", ("beta_f_{l}",), *SAME),
    Weight("blocks.{l-1}.up.weight", ("W_u_{l}",), *TRANSPOSED),
    Weight("blocks.{l-1}.up.bias", ("b_u_{l}",), *SAME),
    Weight("blocks.{l-1}.down.weight", ("W_d_{l}",), *TRANSPOSED),
    Weight("blocks.{l-1}.down.bias", ("b_d_{l}",), *SAME),
    Weight("norm.weight", ("gamma",), *SAME),
    Weight("norm.bias", ("beta",), *SAME),
    Weight("out.weight", ("W_y",), *TRANSPOSED),
    Weight("out.bias", ("b_y",), *SAME),
)
