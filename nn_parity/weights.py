"""Initial weights: drawn once, in NumPy, and handed to every implementation.

Every parameter has a stream of its own (seed and name), so adding one never changes
another. All values are float32-representable, so both dtypes start at the same point.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nn_parity.protocol import Param, Params


def initial(params: tuple[Param, ...], *, seed: int) -> Params:
    """Draw every parameter; float64 arrays that float32 can hold exactly."""
    return {p.name: draw(p, seed=seed) for p in params}


def draw(param: Param, *, seed: int) -> np.ndarray:
    """Draw one parameter from the stream of (seed, name)."""
    rng = np.random.default_rng([seed, *param.name.encode()])
    values = INITIALIZERS[param.init](rng, param.shape)
    return representable(values)


def representable(values: np.ndarray) -> np.ndarray:
    """Round to float32 and back: the same number in both dtypes."""
    return np.asarray(values).astype(np.float32).astype(np.float64)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Nothing: right for biases, and wrong for weights (every unit stays alike)."""
    return np.zeros(shape)


def ones(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw nothing either: scales of normalizing layers."""
    return np.ones(shape)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from N(0, 1)."""
    return rng.normal(size=shape)


def uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from U(-1, 1)."""
    return rng.uniform(-1, 1, shape)


def small(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from U(-0.5, 0.5): biases of test networks, so that none starts at zero."""
    return rng.uniform(-0.5, 0.5, shape)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from U(0.5, 1.5): slopes, scales and variances of test networks."""
    return rng.uniform(0.5, 1.5, shape)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many numbers a unit sums up, and how many sums an input goes into.

    Of a convolution's kernel (height, width, in, out) every pixel counts.
    """
    pixels = math.prod(shape[:-2])
    return pixels * shape[-2 if len(shape) > 1 else 0], pixels * shape[-1]


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Glorot & Bengio (2010), eq. 16: variance 2 / (fan_in + fan_out)."""
    limit = np.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-limit, limit, shape)


def glorot_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw the same variance from a normal distribution that is not cut off."""
    return rng.normal(size=shape) * np.sqrt(2 / sum(fans(shape)))


def he_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """He et al. (2015), eq. 10, from a uniform distribution: limit sqrt(6 / fan_in)."""
    limit = np.sqrt(6 / fans(shape)[0])
    return rng.uniform(-limit, limit, shape)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """He et al. (2015), eq. 10: variance 2 / fan_in."""
    return rng.normal(size=shape) * np.sqrt(2 / fans(shape)[0])


def lecun_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """LeCun et al. (1998), Efficient BackProp, section 4.6: variance 1 / fan_in."""
    return rng.normal(size=shape) * np.sqrt(1 / fans(shape)[0])


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Saxe et al. (2014): orthonormal rows or columns, whichever are fewer."""
    rows, columns = math.prod(shape[:-1]), shape[-1]  # a kernel's pixels are rows
    square = rng.normal(size=(max(rows, columns), min(rows, columns)))
    Q, R = np.linalg.qr(square)
    Q = Q * np.sign(np.diag(R))  # else Q would not be uniform: Mezzadri (2007)
    return (Q if rows >= columns else Q.T).reshape(shape)


def orthogonal_gates(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Saxe et al. (2014): one orthogonal (H, H) block for each gate of (H, 4H)."""
    rows, columns = shape
    square = (rows, rows)
    blocks = [np.linalg.qr(rng.normal(size=square))[0] for _ in range(columns // rows)]
    return np.hstack(blocks)


def unit_forget_bias(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Jozefowicz et al. (2015): the forget gate starts open; gate order i f g o."""
    b = np.zeros(shape)
    b[shape[0] // 4 : shape[0] // 2] = 1
    return b


INITIALIZERS: dict[
    str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
] = {
    "zeros": zeros,
    "ones": ones,
    "normal": normal,
    "uniform": uniform,
    "small": small,
    "positive": positive,
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "lecun_normal": lecun_normal,
    "orthogonal": orthogonal,
    "orthogonal_gates": orthogonal_gates,
    "unit_forget_bias": unit_forget_bias,
}
