"""Elman's recurrent network in JAX: pure functions of a dict, lax.scan over time.

Source
------
Elman (1990), Cognitive Science 14, 179-211. Departures: tanh for the logistic
function, as is usual by now (or ReLU, if the recipe says so); the gradient runs through all
steps, not through the last one only: backpropagation through time, Werbos (1990),
Proceedings of the IEEE 78(10), 1550-1560; and the output reads the last step.

Equations
---------
::

    z  = x_t W_x + h W_h + b           what comes in, what was, a bias       (1)
    h' = f(z)                          f: tanh or ReLU                       (2)
    prediction = h_T W_y + b_y         logits, or numbers                    (3)

Shapes
------
B batch, T time steps, D inputs, H hidden units, K classes.
"""

from functools import partial

import jax.numpy as jnp
from jax import lax

from jax_impl import losses
from jax_impl.activations import activation
from jax_impl.padding import blank, last_step

INPUTS = ("x",)


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return {"W_x": (D, H), "W_h": (H, H), "b": (H,), "W_y": (H, K), "b_y": (K,)}


def cell(params, f, h, x):
    """One time step: equations (1) and (2)."""
    z = x @ params["W_x"] + h @ params["W_h"] + params["b"]  # (B, H)   (1)
    h = f(z)                                                 # (B, H)   (2)
    return h, h


def forward(params, batch, recipe, *, train):
    """lax.scan is the for-loop that JAX can compile: a carry goes round, the xs come in."""
    x, mask = batch["x"], batch.get("mask")                  # (B, T, D)  mask (B, T) or None
    f = activation(recipe["nonlinearity"])
    h = jnp.zeros((len(x), len(params["W_h"])), x.dtype)     # (B, H)
    xs = jnp.swapaxes(x, 0, 1)                               # (T, B, D)  scan walks axis 0
    h, hs = lax.scan(partial(cell, params, f), h, xs)        # (B, H), (T, B, H)
    hs = jnp.swapaxes(hs, 0, 1)                              # (B, T, H)
    h = h if mask is None else last_step(hs, mask)           # (B, H)
    prediction = h @ params["W_y"] + params["b_y"]           # (B, K)   (3)
    return {"h": blank(hs, mask), "prediction": prediction}


loss = losses.of_prediction
