"""Probe: two players with a loss and an optimizer each, on linear maps."""

import numpy as np

from scratch.activations import sigmoid
from scratch.layers import dense_backward, dense_forward
from scratch.workspace import NEW

INPUTS = ("x",)


def shapes(sizes, recipe):
    Z, D = sizes["Z"], sizes["D"]
    return {"G_W": (Z, D), "G_b": (D,), "C_W": (D, 1), "C_b": (1,)}


def forward(params, batch, recipe, *, train, w=NEW):
    fake, made = dense_forward(batch["z"], params["G_W"], params["G_b"])          # (B, D)
    score_real, real = dense_forward(batch["x"], params["C_W"], params["C_b"])    # (B, 1)
    score_fake, faked = dense_forward(fake, params["C_W"], params["C_b"])         # (B, 1)
    outputs = {"prediction": fake, "score_real": score_real, "score_fake": score_fake}
    return outputs, (made, real, faked)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    made, real, faked = cache
    zero = np.zeros((len(made[0]), 1), params["C_W"].dtype)
    dfake, dC_W, dC_b = dense_backward(doutputs.get("score_fake", zero), faked)
    dx, dC_W_real, dC_b_real = dense_backward(doutputs.get("score_real", zero), real)
    dfake = dfake + doutputs.get("prediction", 0)
    _, dG_W, dG_b = dense_backward(dfake, made)
    return {"G_W": dG_W, "G_b": dG_b, "C_W": dC_W + dC_W_real, "C_b": dC_b + dC_b_real,
            "d/x": dx}


def critic_loss(outputs, batch, recipe):
    """Binary cross-entropy from logits: the real ones are 1, the fake ones 0."""
    real, fake = outputs["score_real"], outputs["score_fake"]
    loss = np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()
    return loss, {"score_real": -sigmoid(-real) / len(real),
                  "score_fake": sigmoid(fake) / len(fake)}


def generator_loss(outputs, batch, recipe):
    fake = outputs["score_fake"]
    return np.logaddexp(0, -fake).mean(), {"score_fake": -sigmoid(-fake) / len(fake)}


PLAYERS = {
    "critic": (("C_",), critic_loss, "critic_optimizer"),
    "generator": (("G_",), generator_loss, "generator_optimizer"),
}
