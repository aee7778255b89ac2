"""Learning-rate schedules: what the rate is at each step, worked out before training.

A schedule is written as ``name(settings)`` in a recipe; without one the rate is constant.
The frameworks' own schedule objects differ from each other
by one step, by a fraction or in float32 (atlas rows O13a, b, c): here the rate is data.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from nn_parity.protocol import Recipe

# each returns the factor on the initial rate at steps k, with S steps in each of E epochs
Schedule = Callable[..., np.ndarray]


def step(k: np.ndarray, S: int, E: int, every: float, factor: float) -> np.ndarray:
    """Multiply by ``factor`` after every so many epochs: 1, 1, f, f, f^2, ... for every = 2."""
    return np.power(factor, np.floor(k / (S * every)))


def exponential(k: np.ndarray, S: int, E: int, factor: float) -> np.ndarray:
    """Multiply by ``factor`` an epoch, a little at every step."""
    return np.power(factor, k / S)


def cosine(k: np.ndarray, S: int, E: int, floor: float) -> np.ndarray:
    """Half a cosine from 1 down to ``floor``: Loshchilov & Hutter (2017), no restart."""
    return floor + (1 - floor) * (1 + np.cos(np.pi * k / (S * E))) / 2


def warmup(k: np.ndarray, S: int, E: int, epochs: float) -> np.ndarray:
    """Rise in a line to 1 over so many epochs: Goyal et al. (2017), section 2.2."""
    return np.minimum(1, (k + 1) / (S * epochs))


SCHEDULES: dict[str, tuple[Schedule, int]] = {  # name -> function, number of settings
    "step": (step, 2),
    "exponential": (exponential, 1),
    "cosine": (cosine, 1),
    "warmup": (warmup, 1),
}


def parse(text: str) -> tuple[Schedule, list[float]]:
    """Split ``"step(10, 0.5)"``; ValueError where there is no such schedule."""
    found = re.fullmatch(r"(\w+)\((.*)\)", text.replace(" ", ""))
    if found is None or found[1] not in SCHEDULES:
        raise ValueError(f"no schedule '{text}': {', '.join(SCHEDULES)}, with settings")
    schedule, count = SCHEDULES[found[1]]
    values = [float(value) for value in found[2].split(",") if value]
    if len(values) != count or min(values) <= 0:
        raise ValueError(f"schedule {found[1]} takes {count} numbers above 0")
    return schedule, values


def rates(recipe: Recipe, epoch: int, steps: int) -> float | np.ndarray:
    """Return the rate of one epoch: one number, or one for each of its steps."""
    if "schedule" not in recipe:
        return float(recipe["lr"])
    schedule, values = parse(recipe["schedule"])
    k = epoch * steps + np.arange(steps)
    return np.asarray(recipe["lr"] * schedule(k, steps, recipe["epochs"], *values))
