"""Probe: batch normalization between two linear layers; its state moves in training."""

import jax
import jax.numpy as jnp

from jax_impl import losses

INPUTS = ("x",)


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return {"W_1": (D, H), "b_1": (H,), "gamma": (H,), "beta": (H,), "W_2": (H, K), "b_2": (K,)}


def state_shapes(sizes, recipe):
    return {"mean": (sizes["H"],), "var": (sizes["H"],)}


def forward(params, batch, recipe, *, train):
    z = batch["x"] @ params["W_1"] + params["b_1"]           # (B, H)
    mean, var = params["mean"], params["var"]                # (H,) each
    state = {}
    if train:
        mean, var = jnp.mean(z, axis=0), jnp.var(z, axis=0)  # (H,) each  var is the biased one
        state = {
            "state/mean": 0.9 * params["mean"] + 0.1 * mean,
            "state/var": 0.9 * params["var"] + 0.1 * var,
        }
    s = jax.nn.standardize(z, mean=mean, variance=var, epsilon=1e-5)  # (B, H)
    n = params["gamma"] * s + params["beta"]                 # (B, H)
    prediction = n @ params["W_2"] + params["b_2"]           # (B, K)
    return {"z": z, "n": n, "prediction": prediction} | state


loss = losses.of_prediction
