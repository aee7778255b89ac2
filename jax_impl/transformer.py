"""Transformer encoder in JAX: pure functions of a dict of arrays, jax.nn.softmax.

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

import jax
import jax.numpy as jnp
import numpy as np

from jax_impl import losses
from jax_impl.activations import activation
from jax_impl.layers import dense
from jax_impl.regularizers import layer_norm

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


def positions(T, E):
    """The table P (T, E) of equation (1); as float32 it is the same in every dtype."""
    t, j = np.arange(T)[:, None], np.arange(E)
    angle = t / 10000 ** ((j - j % 2) / E)                 # (T, E)
    return np.where(j % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)


def entry(params, x, mask):
    """Equation (1); whatever stands in the padding ends here, since its rows become 0."""
    W = params["W_e"]
    h = dense(W, params["b_e"], x) if "b_e" in params else W[x]  # (B, T, E)
    h = h + positions(*h.shape[1:]).astype(h.dtype)        # (B, T, E)
    return h if mask is None else jnp.where(mask[:, :, None] > 0, h, 0)


def attention(q, k, v, N, seen):
    """Equation (4) in each head; returns the heads side by side, and the maps."""
    B, T, E = q.shape
    q, k, v = (x.reshape(B, T, N, E // N) for x in (q, k, v))  # (B, T, N, E/N) each
    z = jnp.einsum("bqnp,bknp->bnqk", q, k) / np.sqrt(E // N).astype(q.dtype)  # (B, N, T, T)
    a = jax.nn.softmax(z, axis=-1, where=seen)             # (B, N, T, T)
    c = jnp.einsum("bnqk,bknp->bqnp", a, v)                # (B, T, N, E/N)
    return c.reshape(B, T, E), a


def block(h, p, seen, recipe):
    """Equations (2)-(7) with a block's own parameters p."""
    eps, N, activate = recipe["eps"], recipe["heads"], activation(recipe["activation"])
    n = layer_norm(p["gamma_a"], p["beta_a"], h, eps=eps)  # (B, T, E)  (2)
    q = dense(p["W_q"], p["b_q"], n)                       # (B, T, E)  (3)
    k = dense(p["W_k"], p["b_k"], n)                       # (B, T, E)  (3)
    v = dense(p["W_v"], p["b_v"], n)                       # (B, T, E)  (3)
    c, a = attention(q, k, v, N, seen)                     # (B, T, E), (B, N, T, T)  (4)
    h = h + dense(p["W_o"], p["b_o"], c)                   # (B, T, E)  (5)
    n = layer_norm(p["gamma_f"], p["beta_f"], h, eps=eps)  # (B, T, E)  (6)
    g = activate(dense(p["W_u"], p["b_u"], n))             # (B, T, F)
    h = h + dense(p["W_d"], p["b_d"], g)                   # (B, T, E)  (7)
    return h, a


def visible(T, mask, causal):
    """Where a query (down) may see a key (across): (B or 1, 1, T, T), or None: everywhere."""
    seen = jnp.tril(jnp.ones((T, T), bool))[None, None] if causal else None
    if mask is None:
        return seen
    real = mask[:, None, None, :] > 0                      # (B, 1, 1, T)
    return real if seen is None else seen & real


def forward(params, batch, recipe, *, train):
    outputs = {}
    x, mask = batch["x"], batch.get("mask")
    seen = visible(x.shape[1], mask, recipe["causal"])
    h = entry(params, x, mask)                             # (B, T, E)  (1)
    for l in range(1, recipe["blocks"] + 1):
        h, a = block(h, own(params, l), seen, recipe)      # (B, T, E), (B, N, T, T)  (2)-(7)
        outputs[f"h_{l}"], outputs[f"attention_{l}"] = h, a
    n = layer_norm(params["gamma"], params["beta"], h, eps=recipe["eps"])  # (B, T, E)  (8)
    if not recipe["each_step"]:
        n = n.mean(axis=1, where=None if mask is None else mask[:, :, None] > 0)  # (B, E)
    outputs["prediction"] = dense(params["W_y"], params["b_y"], n)  # (9)
    return outputs


def own(params, l):
    """The parameters of block l by their names without l."""
    return {n.removesuffix(f"_{l}"): a for n, a in params.items() if n.endswith(f"_{l}")}


def loss(outputs, batch, recipe):
    """Of the one prediction of a sequence, or of one at each step, y (B, T)."""
    of = losses.of_tokens if recipe["each_step"] else losses.of_prediction
    return of(outputs, batch, recipe)
