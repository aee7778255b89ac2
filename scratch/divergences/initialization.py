"""Initial weights and random numbers."""

import numpy as np

from scratch.divergences.pair import Pair


def first_normal(given):
    return np.random.default_rng(0).standard_normal()


def drawn(given):
    return given["drawn"]


ROWS = {
    "I06": Pair("default_rng(0): 0.126", first_normal, drawn),
}
