"""Probe: sequences of different lengths, padded; no padding content reaches a result."""

import jax.numpy as jnp

from jax_impl import losses

INPUTS = ("x",)


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return {"W_1": (D, H), "b_1": (H,), "W_2": (H, K), "b_2": (K,)}


def forward(params, batch, recipe, *, train):
    mask = batch["mask"][:, :, None]                               # (B, T, 1)
    h = jnp.tanh(batch["x"] @ params["W_1"] + params["b_1"])       # (B, T, H)
    kept = jnp.where(mask != 0, h, 0)                              # (B, T, H)
    pooled = kept.sum(axis=1) / mask.sum(axis=1).astype(h.dtype)   # (B, H)
    prediction = pooled @ params["W_2"] + params["b_2"]            # (B, K)
    return {"pooled": pooled, "prediction": prediction}


loss = losses.of_prediction
