"""Transformer encoder, from scratch.

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

from functools import lru_cache, partial

import numpy as np

from scratch import losses
from scratch.activations import activation
from scratch.attention import attention_backward, attention_forward, bias
from scratch.layers import (
    dense_backward,
    dense_forward,
    embedding_backward,
    embedding_forward,
)
from scratch.regularizers import layer_norm_backward, layer_norm_forward
from scratch.workspace import NEW, Dense, Norm, Steps

INPUTS = ("x",)  # where it is numbers; nobody differentiates by token ids


def shapes(sizes, recipe):
    E, F, K = sizes["E"], sizes["F"], sizes["K"]
    named = {"W_e": (sizes["D"], E), "b_e": (E,)} if "D" in sizes else {"W_e": (sizes["V"], E)}
    for l in range(1, recipe["blocks"] + 1):
        named |= {f"gamma_a_{l}": (E,), f"beta_a_{l}": (E,)}
        for name in "qkvo":
            named |= {f"W_{name}_{l}": (E, E), f"b_{name}_{l}": (E,)}
        named |= {f"gamma_f_{l}": (E,), f"beta_f_{l}": (E,)}
        named |= {f"W_u_{l}": (E, F), f"b_u_{l}": (F,), f"W_d_{l}": (F, E), f"b_d_{l}": (E,)}
    return named | {"gamma": (E,), "beta": (E,), "W_y": (E, K), "b_y": (K,)}


@lru_cache
def positions(T, E):
    """The table P (T, E) of equation (1); as float32 it is the same in every dtype."""
    t, j = np.arange(T)[:, None], np.arange(E)
    angle = t / 10000 ** ((j - j % 2) / E)                 # (T, E)
    return np.where(j % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)


def entry_forward(params, batch, w=NEW):
    """Equation (1); whatever stands in the padding ends here, since its rows become 0."""
    cache = {}
    x, mask = batch["x"], batch.get("mask")                # not differentiated
    B, T = x.shape[:2]                                     # not differentiated
    if "b_e" in params:
        rows = x.reshape(B * T, -1)                        # (B*T, D)
        z, cache["e"] = dense_forward(rows, params["W_e"], params["b_e"], w["e"])
    else:
        z, cache["e"] = embedding_forward(x.reshape(B * T), params["W_e"])  # a row each
    h = z.reshape(B, T, -1) + positions(T, z.shape[1])     # (B, T, E)
    if mask is not None:
        h = np.where(mask[:, :, None] > 0, h, 0)
    return h, (x, mask, cache)


def entry_backward(dh, cache, w=NEW, *, want_dx):
    x, mask, cache = cache
    grads = {}
    if mask is not None:
        # h = np.where(mask[:, :, None] > 0, h, 0)
        dh = np.where(mask[:, :, None] > 0, dh, 0)
    # h = z.reshape(B, T, -1) + positions(T, z.shape[1])
    dz = dh.reshape(-1, dh.shape[2])                       # (B*T, E)
    if x.ndim == 2:
        # z, cache["e"] = embedding_forward(x.reshape(B * T), params["W_e"])
        grads["W_e"] = embedding_backward(dz, cache["e"])
    else:
        # z, cache["e"] = dense_forward(rows, params["W_e"], params["b_e"], w["e"])
        drows, grads["W_e"], grads["b_e"] = dense_backward(
            dz, cache["e"], w["e"], want_dx=want_dx
        )
        # rows = x.reshape(B * T, -1)
        grads["d/x"] = drows.reshape(x.shape) if want_dx else None
    return grads


def block_forward(h, p, closed, recipe, w=NEW):
    """Equations (2)-(7) with a block's own parameters p."""
    eps, N, cache = recipe["eps"], recipe["heads"], {}     # not differentiated
    activate, _ = activation(recipe["activation"])         # not differentiated
    B, T, E = h.shape                                      # not differentiated
    h = h.reshape(B * T, E)                                # (B*T, E)
    n, cache["a"] = layer_norm_forward(h, p["gamma_a"], p["beta_a"], eps=eps, w=w["a"])  # (2)
    q, cache["q"] = dense_forward(n, p["W_q"], p["b_q"], w["q"])  # (B*T, E)  (3)
    k, cache["k"] = dense_forward(n, p["W_k"], p["b_k"], w["k"])  # (B*T, E)  (3)
    v, cache["v"] = dense_forward(n, p["W_v"], p["b_v"], w["v"])  # (B*T, E)  (3)
    q, k, v = (x.reshape(B, T, E) for x in (q, k, v))      # (B, T, E) each
    c, a, cache["c"] = attention_forward(q, k, v, N, closed, w["c"])  # (B, T, E)  (4)
    c = c.reshape(B * T, E)                                # (B*T, E)
    o, cache["o"] = dense_forward(c, p["W_o"], p["b_o"], w["o"])  # (B*T, E)
    h = np.add(h, o, out=o)                                # (B*T, E)  (5)
    n, cache["f"] = layer_norm_forward(h, p["gamma_f"], p["beta_f"], eps=eps, w=w["f"])  # (6)
    z, cache["u"] = dense_forward(n, p["W_u"], p["b_u"], w["u"])  # (B*T, F)
    g = activate(z, out=w["u"].h)                          # (B*T, F)
    d, cache["d"] = dense_forward(g, p["W_d"], p["b_d"], w["d"])  # (B*T, E)
    h = np.add(h, d, out=d)                                # (B*T, E)  (7)
    h = h.reshape(B, T, E)                                 # (B, T, E)
    cache["z"], cache["g"] = z, g
    return h, a, cache


def block_backward(dh, cache, recipe, w=NEW):
    """Return dh below the block, and the gradients of its parameters."""
    B, T, E = dh.shape
    grads = {}
    _, back = activation(recipe["activation"])
    # h = h.reshape(B, T, E)
    dh = dh.reshape(B * T, E)                              # (B*T, E)
    # h = np.add(h, d, out=d)
    dd = dh                                                # (B*T, E)
    # d, cache["d"] = dense_forward(g, p["W_d"], p["b_d"], w["d"])
    dg, grads["W_d"], grads["b_d"] = dense_backward(dd, cache["d"], w["d"])  # (B*T, F), (F, E)
    # g = activate(z, out=w["u"].h)
    dz = back(dg, cache["z"], cache["g"], out=w["u"].dz)   # (B*T, F)
    # z, cache["u"] = dense_forward(n, p["W_u"], p["b_u"], w["u"])
    dn, grads["W_u"], grads["b_u"] = dense_backward(dz, cache["u"], w["u"])  # (B*T, E), (E, F)
    # n, cache["f"] = layer_norm_forward(h, p["gamma_f"], p["beta_f"], eps=eps, w=w["f"])
    dx, grads["gamma_f"], grads["beta_f"] = layer_norm_backward(dn, cache["f"], w["f"])
    dh = np.add(dh, dx, out=dx)                            # (B*T, E)  around and through
    # h = np.add(h, o, out=o)
    do = dh                                                # (B*T, E)
    # o, cache["o"] = dense_forward(c, p["W_o"], p["b_o"], w["o"])
    dc, grads["W_o"], grads["b_o"] = dense_backward(do, cache["o"], w["o"])  # (B*T, E), (E, E)
    # c = c.reshape(B * T, E)
    dc = dc.reshape(B, T, E)                               # (B, T, E)
    # c, a, cache["c"] = attention_forward(q, k, v, N, closed, w["c"])
    dq, dk, dv = attention_backward(dc, cache["c"])  # (B, T, E) each
    # q, k, v = (x.reshape(B, T, E) for x in (q, k, v))
    dq, dk, dv = (dx.reshape(B * T, E) for dx in (dq, dk, dv))  # (B*T, E) each
    # v, cache["v"] = dense_forward(n, p["W_v"], p["b_v"], w["v"])
    dn_v, grads["W_v"], grads["b_v"] = dense_backward(dv, cache["v"], w["v"])  # (B*T, E)
    # k, cache["k"] = dense_forward(n, p["W_k"], p["b_k"], w["k"])
    dn_k, grads["W_k"], grads["b_k"] = dense_backward(dk, cache["k"], w["k"])  # (B*T, E)
    # q, cache["q"] = dense_forward(n, p["W_q"], p["b_q"], w["q"])
    dn_q, grads["W_q"], grads["b_q"] = dense_backward(dq, cache["q"], w["q"])  # (B*T, E)
    dn = np.add(dn_q, np.add(dn_k, dn_v, out=dn_v), out=dn_q)  # (B*T, E)  n served three times
    # n, cache["a"] = layer_norm_forward(h, p["gamma_a"], p["beta_a"], eps=eps, w=w["a"])
    dx, grads["gamma_a"], grads["beta_a"] = layer_norm_backward(dn, cache["a"], w["a"])
    dh = np.add(dh, dx, out=dx)                            # (B*T, E)
    # h = h.reshape(B * T, E)
    dh = dh.reshape(B, T, E)                               # (B, T, E)
    return dh, grads


def readout_forward(h, params, mask, recipe, w=NEW):
    """Equations (8) and (9)."""
    cache = {}
    B, T, E = h.shape                                      # not differentiated
    gamma, beta, eps = params["gamma"], params["beta"], recipe["eps"]  # not differentiated
    n, cache["n"] = layer_norm_forward(h, gamma, beta, eps=eps, w=w["n"])  # (B, T, E)  (8)
    if recipe["each_step"]:
        s = n.reshape(B * T, E)                            # a row for each step
    else:
        m = share(B, T, mask, h.dtype)                     # (B, T, 1)  not differentiated
        s = (m * n).sum(axis=1)                            # (B, E)
        cache["m"] = m
    prediction, cache["y"] = dense_forward(s, params["W_y"], params["b_y"], w["y"])  # (9)
    if recipe["each_step"]:
        prediction = prediction.reshape(B, T, -1)
    return prediction, cache


def readout_backward(dprediction, cache, recipe, w=NEW):
    grads = {}
    if recipe["each_step"]:
        B, T, _ = dprediction.shape
        # prediction = prediction.reshape(B, T, -1)
        dprediction = dprediction.reshape(-1, dprediction.shape[2])
    # prediction, cache["y"] = dense_forward(s, params["W_y"], params["b_y"], w["y"])
    ds, grads["W_y"], grads["b_y"] = dense_backward(dprediction, cache["y"], w["y"])
    if not recipe["each_step"]:
        # s = (m * n).sum(axis=1)
        dn = cache["m"] * ds[:, None]                      # (B, T, E)
    if recipe["each_step"]:
        # s = n.reshape(B * T, E)
        dn = ds.reshape(B, T, -1)
    # n, cache["n"] = layer_norm_forward(h, gamma, beta, eps=eps, w=w["n"])
    dh, grads["gamma"], grads["beta"] = layer_norm_backward(dn, cache["n"], w["n"])  # (B, T, E)
    return dh, grads


def share(B, T, mask, dtype):
    """What each step counts in the mean: 1/length of its sequence, and 0 in the padding."""
    real = np.ones((B, T), dtype) if mask is None else mask.astype(dtype)  # (B, T)
    return (real / real.sum(axis=1, keepdims=True))[:, :, None]


def forward(params, batch, recipe, *, train, w=NEW):
    outputs, cache, caches = {}, {}, []
    mask, T = batch.get("mask"), batch["x"].shape[1]       # not differentiated
    w = w[T]                                               # not differentiated
    dtype = params["W_y"].dtype                            # not differentiated
    closed = bias(T, mask, causal=recipe["causal"], dtype=dtype)  # not differentiated
    h, cache["entry"] = entry_forward(params, batch, w[0])  # (B, T, E)  (1)
    for l in range(1, recipe["blocks"] + 1):
        p = own(params, l)                                 # not differentiated
        h, a, block = block_forward(h, p, closed, recipe, w[l])  # (B, T, E)  (2)-(7)
        caches.append(block)
        outputs[f"h_{l}"], outputs[f"attention_{l}"] = h, a
    prediction, cache["readout"] = readout_forward(h, params, mask, recipe, w[0])  # (8), (9)
    outputs["prediction"] = prediction
    cache["blocks"], cache["T"] = caches, T
    return outputs, cache


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    grads = {}
    w = w[cache["T"]]
    # prediction, cache["readout"] = readout_forward(h, params, mask, recipe, w[0])
    dh, above = readout_backward(doutputs["prediction"], cache["readout"], recipe, w[0])
    for l in range(recipe["blocks"], 0, -1):
        # h, a, block = block_forward(h, p, closed, recipe, w[l])
        dh, block = block_backward(dh, cache["blocks"][l - 1], recipe, w[l])
        grads |= {f"{name}_{l}": grad for name, grad in block.items()}
    # h, cache["entry"] = entry_forward(params, batch, w[0])
    below = entry_backward(dh, cache["entry"], w[0], want_dx="x" in inputs)
    return grads | above | below


def own(params, l):
    """The parameters of block l by their names without l."""
    return {n.removesuffix(f"_{l}"): a for n, a in params.items() if n.endswith(f"_{l}")}


def loss(outputs, batch, recipe):
    """Of the one prediction of a sequence, or of one at each step, y (B, T)."""
    of = losses.of_tokens if recipe["each_step"] else losses.of_prediction
    return of(outputs, batch, recipe)


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    return Memory(grads, B)


class Memory(dict):
    """T -> memory for B examples of T time steps, made when they come for the first time.

    That of block l stands under l; that of the entry and the readout, under 0.
    """

    def __init__(self, grads, B):
        super().__init__()
        self.grads, self.B = grads, B

    def __missing__(self, T):
        g, R = self.grads, self.B * T
        norm = partial(Norm, R, len(g["gamma"]), g["gamma"].dtype)
        ends = {"e": NEW, "n": norm(), "y": NEW}
        if "b_e" in g:
            ends["e"] = Dense(R, g["W_e"], g["b_e"])
        self[T] = {0: ends}
        for l in range(1, sum(name.startswith("W_q_") for name in g) + 1):
            dense = {x: Dense(R, g[f"W_{x}_{l}"], g[f"b_{x}_{l}"]) for x in "qkvoud"}
            self[T][l] = dense | {"a": norm(), "f": norm(), "c": Steps()}
        return self[T]
