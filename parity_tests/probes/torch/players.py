"""Probe: two players. A linear generator against a linear critic."""

import torch
import torch.nn.functional as F
from torch import nn

from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        self.generator = nn.Linear(sizes["Z"], sizes["D"], bias=True)
        self.critic = nn.Linear(sizes["D"], 1, bias=True)

    def forward(self, batch):
        fake = self.generator(batch["z"])       # (B, D)
        score_real = self.critic(batch["x"])    # (B, 1)
        score_fake = self.critic(fake)          # (B, 1)
        return {"prediction": fake, "score_real": score_real, "score_fake": score_fake}


def critic_loss(outputs, batch, recipe):
    real, fake = outputs["score_real"], outputs["score_fake"]
    return _is(real, 1) + _is(fake, 0)


def generator_loss(outputs, batch, recipe):
    return _is(outputs["score_fake"], 1)


def _is(score, label):
    """Binary cross-entropy from logits: mean(softplus(-score)) for label 1."""
    target = torch.full_like(score, label)  # (B, 1)
    return F.binary_cross_entropy_with_logits(score, target, reduction="mean")


PLAYERS = {
    "critic": (("C_",), critic_loss, "critic_optimizer"),
    "generator": (("G_",), generator_loss, "generator_optimizer"),
}

WEIGHTS = (
    Weight("generator.weight", ("G_W",), *TRANSPOSED),
    Weight("generator.bias", ("G_b",), *SAME),
    Weight("critic.weight", ("C_W",), *TRANSPOSED),
    Weight("critic.bias", ("C_b",), *SAME),
)
