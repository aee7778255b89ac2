"""Probe: dropout is multiplication by a mask that comes with the batch."""

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
    z, first = dense_forward(batch["x"], params["W_1"], params["b_1"])   # (B, H)
    a = np.tanh(z)                                                       # (B, H)
    h = a * batch["mask"]                                                # (B, H)
    prediction, second = dense_forward(h, params["W_2"], params["b_2"])  # (B, K)
    return {"h": h, "prediction": prediction}, (first, a, batch["mask"], second)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    first, a, mask, second = cache
    dh, dW_2, db_2 = dense_backward(doutputs["prediction"], second)
    dx, dW_1, db_1 = dense_backward(dh * mask * dtanh(a), first)
    return {"W_1": dW_1, "b_1": db_1, "W_2": dW_2, "b_2": db_2, "d/x": dx}


loss = losses.of_prediction
