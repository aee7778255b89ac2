"""Probe: batch normalization between two linear layers; its state moves in training."""

import numpy as np

from scratch import losses
from scratch.layers import dense_backward, dense_forward
from scratch.workspace import NEW

INPUTS = ("x",)
EPS = 1e-5


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return {"W_1": (D, H), "b_1": (H,), "gamma": (H,), "beta": (H,), "W_2": (H, K), "b_2": (K,)}


def state_shapes(sizes, recipe):
    return {"mean": (sizes["H"],), "var": (sizes["H"],)}


def forward(params, batch, recipe, *, train, w=NEW):
    z, first = dense_forward(batch["x"], params["W_1"], params["b_1"])   # (B, H)
    mean, var, state = params["mean"], params["var"], {}
    if train:
        mean, var = z.mean(axis=0), z.var(axis=0)                        # (H,) each
        known = len(z) / (len(z) - 1) if recipe["unbiased"] else 1       # the n/(n-1) of torch
        state = {
            "state/mean": 0.9 * params["mean"] + 0.1 * mean,
            "state/var": 0.9 * params["var"] + 0.1 * known * var,
        }
    s = (z - mean) / np.sqrt(var + EPS)                                  # (B, H)
    n = params["gamma"] * s + params["beta"]                             # (B, H)
    prediction, second = dense_forward(n, params["W_2"], params["b_2"])  # (B, K)
    outputs = {"z": z, "n": n, "prediction": prediction} | state
    return outputs, (first, s, var, second)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    first, s, var, second = cache
    dn, dW_2, db_2 = dense_backward(doutputs["prediction"], second)
    dgamma, dbeta = (dn * s).sum(axis=0), dn.sum(axis=0)                 # (H,) each
    ds = dn * params["gamma"]                                            # (B, H)
    dz = (ds - ds.mean(axis=0) - s * (ds * s).mean(axis=0)) / np.sqrt(var + EPS)
    dx, dW_1, db_1 = dense_backward(dz, first)
    return {"W_1": dW_1, "b_1": db_1, "gamma": dgamma, "beta": dbeta, "W_2": dW_2,
            "b_2": db_2, "d/x": dx}


loss = losses.of_prediction
