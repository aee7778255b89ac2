"""Learning rates are worked out before training; here against numbers worked by hand."""

import numpy as np
import pytest

from nn_parity import schedules

STEPS, EPOCHS = 2, 4


def rates(schedule):
    recipe = {"lr": 0.5, "epochs": EPOCHS, "schedule": schedule}
    each = [schedules.rates(recipe, epoch, STEPS) for epoch in range(EPOCHS)]
    return np.concatenate(each)


def test_without_a_schedule_the_rate_is_one_number():
    assert schedules.rates({"lr": 0.5, "epochs": 4}, 3, STEPS) == 0.5


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("step(2, 0.1)", [0.5] * 4 + [0.05] * 4),
        ("exponential(0.25)", [0.5, 0.25, 0.125, 0.0625, 2**-5, 2**-6, 2**-7, 2**-8]),
        ("warmup(2)", [0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5, 0.5]),
    ],
)
def test_rates_are_what_the_name_says(schedule, expected):
    np.testing.assert_allclose(rates(schedule), expected, rtol=1e-15)


def test_cosine_starts_at_the_rate_is_half_way_in_the_middle_and_never_below_its_floor():
    line = rates("cosine(0.2)")
    assert line[0] == 0.5
    assert line[STEPS * EPOCHS // 2] == pytest.approx(0.5 * (0.2 + 0.8 / 2))
    assert (np.diff(line) < 0).all()
    assert line[-1] > 0.5 * 0.2


@pytest.mark.parametrize(
    "text", ["linear(1)", "step(2)", "step", "cosine(-1)", "exponential(a)", "warmup()"]
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - float's own message for "a"
        schedules.parse(text)
