"""GRU sequence classifier in JAX: pure functions of a dict of arrays, lax.scan over time.

Source
------
Cho et al. (2014), EMNLP, 1724-1734. Departures: the reset gate r comes after the product
with W_h, not before it (Cho: x W_x + (r * h) W_h), so that one product serves all three; there
are biases, two of them; and the output reads the last step.

Equations
---------
::

    a  = x_t W_x + b_x                 what comes in: three parts, r z n     (1)
    q  = h W_h + b_h                   what was, in the same three parts     (2)
    r, z = sigmoid(a_rz + q_rz)        how much to reset, how much to keep   (3)
    n  = tanh(a_n + r * q_n)           the new state                         (4)
    h' = z * h + (1 - z) * n                                                 (5)
    prediction = h_T W_y + b_y         logits, or numbers                    (6)

Shapes
------
B batch, T time steps, D inputs, H hidden units, K classes.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from jax_impl import losses
from jax_impl.padding import blank, last_step

INPUTS = ("x",)


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    named = {"W_x": (D, 3 * H), "W_h": (H, 3 * H), "b_x": (3 * H,), "b_h": (3 * H,)}
    return named | {"W_y": (H, K), "b_y": (K,)}


def cell(params, h, x):
    """One time step: equations (1)-(5)."""
    a = x @ params["W_x"] + params["b_x"]                    # (B, 3H)  (1)
    q = h @ params["W_h"] + params["b_h"]                    # (B, 3H)  (2)
    a_r, a_z, a_n = jnp.split(a, 3, axis=1)                  # (B, H) each
    q_r, q_z, q_n = jnp.split(q, 3, axis=1)                  # (B, H) each
    r = jax.nn.sigmoid(a_r + q_r)                            # (B, H)   (3)
    z = jax.nn.sigmoid(a_z + q_z)                            # (B, H)   (3)
    n = jnp.tanh(a_n + r * q_n)                              # (B, H)   (4)
    h = z * h + (1 - z) * n                                  # (B, H)   (5)
    return h, h


def forward(params, batch, recipe, *, train):
    """lax.scan is the for-loop that JAX can compile: a carry goes round, the xs come in."""
    x, mask = batch["x"], batch.get("mask")                  # (B, T, D)  mask (B, T) or None
    h = jnp.zeros((len(x), len(params["W_h"])), x.dtype)     # (B, H)
    xs = jnp.swapaxes(x, 0, 1)                               # (T, B, D)  scan walks axis 0
    h, hs = lax.scan(partial(cell, params), h, xs)           # (B, H), (T, B, H)
    hs = jnp.swapaxes(hs, 0, 1)                              # (B, T, H)
    h = h if mask is None else last_step(hs, mask)           # (B, H)
    prediction = h @ params["W_y"] + params["b_y"]           # (B, K)   (6)
    return {"h": blank(hs, mask), "prediction": prediction}


loss = losses.of_prediction
