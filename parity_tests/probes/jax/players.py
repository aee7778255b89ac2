"""Probe: two players with a loss and an optimizer each, on linear maps."""

import jax

INPUTS = ("x",)


def shapes(sizes, recipe):
    Z, D = sizes["Z"], sizes["D"]
    return {"G_W": (Z, D), "G_b": (D,), "C_W": (D, 1), "C_b": (1,)}


def score(params, u):
    return u @ params["C_W"] + params["C_b"]


def forward(params, batch, recipe, *, train):
    fake = batch["z"] @ params["G_W"] + params["G_b"]  # (B, D)
    score_real = score(params, batch["x"])             # (B, 1)
    score_fake = score(params, fake)                   # (B, 1)
    return {"prediction": fake, "score_real": score_real, "score_fake": score_fake}


def critic_loss(outputs, batch, recipe):
    """Binary cross-entropy from logits: the real ones are 1, the fake ones 0."""
    real = jax.nn.softplus(-outputs["score_real"])  # (B, 1)
    fake = jax.nn.softplus(outputs["score_fake"])   # (B, 1)
    return real.mean() + fake.mean()


def generator_loss(outputs, batch, recipe):
    return jax.nn.softplus(-outputs["score_fake"]).mean()


PLAYERS = {
    "critic": (("C_",), critic_loss, "critic_optimizer"),
    "generator": (("G_",), generator_loss, "generator_optimizer"),
}
