"""A generator against a critic, one layer each: the probe for several players."""

import keras
from keras import layers, ops

from keras_impl.model import Game
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    generator = layers.Dense(sizes["D"], use_bias=True, **GIVEN, name="generator")
    critic = layers.Dense(1, use_bias=True, **GIVEN, name="critic")

    z = keras.Input(shape=(sizes["Z"],), name="z")   # (B, Z)
    x = keras.Input(shape=(sizes["D"],), name="x")   # (B, D)
    fake = generator(z)                              # (B, D)
    score_real = critic(x)                           # (B, 1)
    score_fake = critic(fake)                        # (B, 1)

    outputs = {"prediction": fake, "score_real": score_real, "score_fake": score_fake}
    return Game({"z": z, "x": x}, outputs, name="players")


def critic_loss(outputs, batch, recipe):
    real = ops.mean(ops.softplus(-outputs["score_real"]))
    fake = ops.mean(ops.softplus(outputs["score_fake"]))
    return real + fake


def generator_loss(outputs, batch, recipe):
    return ops.mean(ops.softplus(-outputs["score_fake"]))


PLAYERS = {
    "critic": (("C_",), critic_loss, "critic_optimizer"),
    "generator": (("G_",), generator_loss, "generator_optimizer"),
}

WEIGHTS = (
    Weight("generator/kernel", ("G_W",)),
    Weight("generator/bias", ("G_b",)),
    Weight("critic/kernel", ("C_W",)),
    Weight("critic/bias", ("C_b",)),
)
