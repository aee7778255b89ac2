"""Initial weights: the distributions they claim, a stream for each name, both dtypes equal."""

import numpy as np
import pytest

from nn_parity import weights
from nn_parity.protocol import Param

FAN_IN, FAN_OUT = 400, 300
VARIANCE = {
    "normal": 1.0,
    "uniform": 1 / 3,
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),
    "he_uniform": 2 / FAN_IN,
    "he_normal": 2 / FAN_IN,
    "lecun_normal": 1 / FAN_IN,
}


@pytest.mark.parametrize("init", VARIANCE)
def test_variance_is_that_of_the_paper(init):
    W = weights.draw(Param("W", (FAN_IN, FAN_OUT), init), seed=0)
    assert abs(W.mean()) < 5 * W.std() / np.sqrt(W.size)
    assert W.var() == pytest.approx(VARIANCE[init], rel=0.02)  # 120,000 draws
    widest = np.abs(W).max() / W.std()
    assert widest < np.sqrt(3) * 1.01 if "uniform" in init else widest > 4


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7)])
def test_orthogonal_keeps_lengths_on_its_shorter_side(shape):
    W = weights.draw(Param("W", shape, "orthogonal"), seed=3)
    gram = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-6)  # float32 values


def test_every_parameter_has_a_stream_of_its_own():
    a = Param("W_1", (3, 4), "normal")
    b = Param("W_2", (3, 4), "normal")
    alone = weights.initial((a,), seed=0)
    both = weights.initial((b, a), seed=0)
    np.testing.assert_array_equal(alone["W_1"], both["W_1"])
    assert (both["W_1"] != both["W_2"]).any()
    assert (weights.draw(a, seed=1) != alone["W_1"]).any()


@pytest.mark.parametrize("init", weights.INITIALIZERS)
def test_float32_holds_every_value(init):
    shape = (8,) if init == "unit_forget_bias" else (3, 12)
    W = weights.draw(Param("W", shape, init), seed=0)
    assert W.dtype == np.float64
    np.testing.assert_array_equal(W, W.astype(np.float32))
