"""Probe: a mask that arrives with the batch, already scaled; ones where nothing is dropped."""

import jax.numpy as jnp

from jax_impl import losses

INPUTS = ("x",)


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return {"W_1": (D, H), "b_1": (H,), "W_2": (H, K), "b_2": (K,)}


def forward(params, batch, recipe, *, train):
    z = batch["x"] @ params["W_1"] + params["b_1"]  # (B, H)
    h = jnp.tanh(z) * batch["mask"]                 # (B, H)
    prediction = h @ params["W_2"] + params["b_2"]  # (B, K)
    return {"h": h, "prediction": prediction}


loss = losses.of_prediction
