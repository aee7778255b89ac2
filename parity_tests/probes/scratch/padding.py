"""Probe: sequences of different lengths, padded; no padding content reaches a result."""

import numpy as np

from scratch import losses
from scratch.activations import dtanh
from scratch.layers import dense_backward, dense_forward
from scratch.workspace import NEW

INPUTS = ("x",)


def shapes(sizes, recipe):
    D, H, K = sizes["D"], sizes["H"], sizes["K"]
    return {"W_1": (D, H), "b_1": (H,), "W_2": (H, K), "b_2": (K,)}


def forward(params, batch, recipe, *, train, w=NEW):
    x, mask = batch["x"], batch["mask"][:, :, None]
    h = np.tanh(x @ params["W_1"] + params["b_1"])                       # (B, T, H)
    kept = np.where(mask != 0, h, 0)                                     # (B, T, H)
    length = mask.sum(axis=1).astype(h.dtype)                            # (B, 1)
    pooled = kept.sum(axis=1) / length                                   # (B, H)
    prediction, cache = dense_forward(pooled, params["W_2"], params["b_2"])  # (B, K)
    return {"pooled": pooled, "prediction": prediction}, (x, mask, h, length, cache)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    x, mask, h, length, cache = cache
    dpooled, dW_2, db_2 = dense_backward(doutputs["prediction"], cache)
    dkept = (dpooled / length)[:, None, :]                               # (B, 1, H)
    dz = np.where(mask != 0, dkept * dtanh(h), 0)                        # (B, T, H)
    kept_x = np.where(mask != 0, x, 0)                                   # (B, T, D)
    dW_1 = np.einsum("btd,bth->dh", kept_x, dz)                          # (D, H)
    return {"W_1": dW_1, "b_1": dz.sum(axis=(0, 1)), "W_2": dW_2, "b_2": db_2,
            "d/x": dz @ params["W_1"].T}


loss = losses.of_prediction
