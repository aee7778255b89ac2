"""LSTM sequence classifier in JAX: pure functions of a dict of arrays, lax.scan over time.

Source
------
Hochreiter & Schmidhuber (1997), Neural Computation 9(8), 1735-1780; the forget
gate is from Gers, Schmidhuber & Cummins (2000), Neural Computation 12(10),
2451-2471. No peepholes; one bias.

Equations
---------
::

    z  = x_t W_x + h W_h + b           four gates in one product, i f g o    (1)
    i, f, o = sigmoid(z_i, z_f, z_o)   how much to write, keep, show         (2)
    g  = tanh(z_g)                     what to write                         (3)
    c' = f * c + i * g                 the cell: the only path without W     (4)
    h' = o * tanh(c')                                                        (5)
    prediction = h_T W_y + b_y         logits                                (6)

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
    return {"W_x": (D, 4 * H), "W_h": (H, 4 * H), "b": (4 * H,), "W_y": (H, K), "b_y": (K,)}


def cell(params, carry, x):
    """One time step: equations (1)-(5)."""
    h, c = carry
    z = x @ params["W_x"] + h @ params["W_h"] + params["b"]  # (B, 4H)  (1)
    z_i, z_f, z_g, z_o = jnp.split(z, 4, axis=1)             # (B, H) each
    i = jax.nn.sigmoid(z_i)                                  # (B, H)   (2)
    f = jax.nn.sigmoid(z_f)                                  # (B, H)   (2)
    o = jax.nn.sigmoid(z_o)                                  # (B, H)   (2)
    g = jnp.tanh(z_g)                                        # (B, H)   (3)
    c = f * c + i * g                                        # (B, H)   (4)
    h = o * jnp.tanh(c)                                      # (B, H)   (5)
    return (h, c), h


def forward(params, batch, recipe, *, train):
    """lax.scan is the for-loop that JAX can compile: a carry goes round, the xs come in."""
    x, mask = batch["x"], batch.get("mask")                  # (B, T, D)  mask (B, T) or None
    h = jnp.zeros((len(x), len(params["W_h"])), x.dtype)     # (B, H)
    c = jnp.zeros_like(h)                                    # (B, H)
    xs = jnp.swapaxes(x, 0, 1)                               # (T, B, D)  scan walks axis 0
    (h, c), hs = lax.scan(partial(cell, params), (h, c), xs)  # (B, H), (B, H), (T, B, H)
    hs = jnp.swapaxes(hs, 0, 1)                              # (B, T, H)
    h = h if mask is None else last_step(hs, mask)           # (B, H)
    prediction = h @ params["W_y"] + params["b_y"]           # (B, K)   (6)
    outputs = {"h": blank(hs, mask), "prediction": prediction}
    return outputs | ({"c": c} if mask is None else {})


loss = losses.of_prediction
