"""Activations and erf: scratch against textbook formulas, the complex step and longdouble."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.stacks import (
    NAMES,
    NONSENSE,
    SATURATED,
    SEEDS,
    WIDE,
    U,
    drawn,
    in_u,
    quick,
)
from scratch import (
    activations,
)
from scratch.erf import erf, erfc


def exactly(number):
    """A float of any width as a Decimal."""
    m, e = np.frexp(WIDE(number))
    return Decimal(int(np.ldexp(m, 64))) * Decimal(2) ** (int(e) - 64)


def erf_of(x):
    """The Maclaurin series with more digits than its terms cancel."""
    pi = Decimal(
        "3.14159265358979323846264338327950288419716939937510582097494459230781640628"
    )
    total = term = x
    n = 0
    while abs(term) > Decimal(10) ** -110:
        n += 1
        term *= -x * x / n
        total += term / (2 * n + 1)
    return 2 * total / pi.sqrt()


@pytest.mark.parametrize("dtype", U)
@quick
@given(
    xs=st.lists(
        st.floats(-6, 6, width=32, allow_subnormal=False), min_size=1, max_size=8
    )
)
def test_erf_and_erfc_are_good_to_a_few_units_in_every_dtype(dtype, xs):
    x = np.array([*xs, 0.5, 0.49999, -0.5, 2.5], dtype)
    with localcontext(prec=160):
        for f, true in ((erf, erf_of), (erfc, lambda x: 1 - erf_of(x))):
            values = f(x)
            assert values.dtype == np.dtype(dtype)
            for at, value in zip(x, values, strict=True):
                truth = true(exactly(at))
                error = abs(exactly(value) - truth) / Decimal(float(U[dtype]))
                assert error <= 8 * abs(truth)  # 4.3 measured


def test_erfc_has_digits_far_out_and_then_ends_in_zero():
    assert erfc(np.array([26.0]))[0] == pytest.approx(math.erfc(26.0), rel=1e-14)
    assert erfc(np.array([800.0, -800.0])).tolist() == [0.0, 2.0]


PI = WIDE("3.14159265358979323846264338327950288")

HERE = {  # as a textbook has them, for numbers of moderate size
    "identity": lambda z: z,
    "step": lambda z: (z >= 0) * 1,
    "sign": lambda z: (z > 0) * 1 - (z < 0) * 1,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    "relu": lambda z: z * (z > 0),
    "arctan": lambda z: np.arctan2(z, 1),
    "selu": lambda z: (
        WIDE("1.0507009873554804934193349852946")
        * np.where(
            z > 0, z, WIDE("1.6732632423543772848170429916717") * (np.exp(z) - 1)
        )
    ),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "mish": lambda z: z * np.tanh(np.log(1 + np.exp(z))),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(WIDE(2)))) / 2,
    "gelu_tanh": lambda z: (
        z * (1 + np.tanh(np.sqrt(2 / PI) * (z + WIDE("0.044715") * z**3))) / 2
    ),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
    "sigmoid(2.5)": lambda z: 1 / (1 + np.exp(-2.5 * z)),
    "tanh(-0.3)": lambda z: np.tanh(-0.3 * z),
    "relu(1.7)": lambda z: 1.7 * z * (z > 0),
    "leaky_relu(0.1)": lambda z: np.where(z > 0, z, 0.1 * z),
    "elu(0.7)": lambda z: np.where(z > 0, z, 0.7 * (np.exp(z) - 1)),
}


@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=SEEDS, rows=st.integers(1, 5), columns=st.integers(1, 6))
def test_activation_is_the_textbook_function(name, seed, rows, columns):
    z = drawn(seed, rows, columns)
    f, _ = activations.activation(name)
    assert in_u(f(z), HERE[name](z.astype(WIDE)), "float64", floor=0.1) <= 8


@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=SEEDS, rows=st.integers(1, 5), columns=st.integers(1, 6))
def test_way_back_is_the_complex_step_derivative(name, seed, rows, columns):
    z = drawn(seed, rows, columns)
    dh, direction = drawn(seed + 1, rows, columns), drawn(seed + 2, rows, columns)
    f, back = activations.activation(name)
    exact = back(dh, z, f(z)) * direction
    stepped = z + 1e-30j * direction
    numeric = f(stepped).imag / 1e-30 * dh
    scale = np.abs(dh * direction).sum()  # a derivative near 0 may be 1 - h^2
    assert abs((exact - numeric).sum()) <= 16 * U["float64"] * scale
    assert back(dh.astype(complex), stepped, f(stepped)).dtype == complex


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=SEEDS)
def test_activation_and_way_back_round_by_a_few_units(name, dtype, seed):
    z, dh = drawn(seed, 6, 5), drawn(seed + 1, 6, 5)
    f, back = activations.activation(name)
    results = {}
    for width in (dtype, "longdouble"):
        a, d = z.astype(width), dh.astype(width)
        h = f(a)
        results[width] = h, back(d, a, h)
        written = f(a, out=np.empty_like(a))
        np.testing.assert_array_equal(written, h)
        again = back(d, a, h, out=np.empty_like(a))
        np.testing.assert_array_equal(again, results[width][1])
    for value, truth in zip(*results.values(), strict=True):
        assert value.dtype == np.dtype(dtype)
        assert truth.dtype == WIDE
        assert in_u(value, truth, dtype, floor=0.01) <= 64


@pytest.mark.parametrize(
    ("name", "at_zero"),
    [
        ("step", 0),
        ("sign", 0),
        ("relu", 0),
        ("relu(1.7)", 0),
        ("leaky_relu(0.1)", 0.1),
        ("elu(0.7)", 0.7),
        ("identity", 1),
        ("selu", 1.0507009873554805 * 1.6732632423543772),
    ],
)
def test_derivative_at_a_kink(name, at_zero):
    z = np.zeros((1, 1))
    f, back = activations.activation(name)
    assert back(np.ones((1, 1)), z, f(z))[0, 0] == pytest.approx(at_zero, rel=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_activation_stays_finite_where_e_to_the_z_does_not(name, dtype):
    z = SATURATED[:, None].astype(dtype)
    f, back = activations.activation(name)
    h = f(z)
    dz = back(np.ones_like(z), z, h)
    assert np.isfinite(h).all()
    assert np.isfinite(dz).all()
    truth = f(z.astype(WIDE))
    assert in_u(h, truth, dtype) <= 2


@pytest.mark.parametrize("name", NONSENSE)
def test_a_name_that_means_nothing_is_refused_in_one_line(name):
    with pytest.raises(ValueError, match="expected") as refusal:
        activations.activation(name)
    assert "\n" not in str(refusal.value)
