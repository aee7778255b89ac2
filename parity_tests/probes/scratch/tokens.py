"""Probe: token ids, some of them twice; an id has no derivative, its row has."""

import numpy as np

from scratch import losses
from scratch.layers import dense_backward, dense_forward
from scratch.workspace import NEW

INPUTS = ()


def shapes(sizes, recipe):
    V, M, K = sizes["V"], sizes["M"], sizes["K"]
    return {"E": (V, M), "W": (M, K), "b": (K,)}


def forward(params, batch, recipe, *, train, w=NEW):
    e = params["E"][batch["x"]]                                          # (B, T, M)
    prediction, cache = dense_forward(e.mean(axis=1), params["W"], params["b"])  # (B, K)
    return {"e": e, "prediction": prediction}, (batch["x"], cache)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    ids, cache = cache
    dmean, dW, db = dense_backward(doutputs["prediction"], cache)
    dE = np.zeros_like(params["E"])
    np.add.at(dE, ids, dmean[:, None, :] / ids.shape[1])  # the same id twice: they add
    return {"E": dE, "W": dW, "b": db}


loss = losses.of_prediction
