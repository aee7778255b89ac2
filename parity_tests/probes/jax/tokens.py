"""Probe: an embedding; token ids are integers and have no gradient."""

from jax_impl import losses

INPUTS = ()


def shapes(sizes, recipe):
    V, M, K = sizes["V"], sizes["M"], sizes["K"]
    return {"E": (V, M), "W": (M, K), "b": (K,)}


def forward(params, batch, recipe, *, train):
    e = params["E"][batch["x"]]                              # (B, T, M)
    prediction = e.mean(axis=1) @ params["W"] + params["b"]  # (B, K)
    return {"e": e, "prediction": prediction}


loss = losses.of_prediction
