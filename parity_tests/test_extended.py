"""Truth where NumPy has no long double: the same numbers by mpmath."""

import numpy as np
import pytest

from nn_parity import agreement, extended, inputs, keys, recipes, registry, transcripts
from nn_parity.agreement import Cell
from nn_parity.blocks import blocks


def _architectures():
    """The first cases of each network; another optimizer has the same gradients."""
    seen = {}
    for name in registry.networks():
        for case in registry.spec(name).cases[:2]:
            drawn = {
                k: v for k, v in case.recipe.items() if k not in ("optimizer", "lr")
            }
            seen.setdefault((name, str(drawn)), case)
    return list(seen.values())


CASES = [
    *_architectures(),
    *(c for c in blocks()[::7] if "activation gelu" not in c.name),
]


def worst(found, reference, zeros):
    """The largest error of a tensor on its own scale, in u of float64."""
    errors = []
    for text, exact in reference.items():
        key = keys.Key.parse(text)
        if key.quantity in agreement.QUANTITIES and key.parameter not in zeros:
            errors.append(agreement.relative_error(key, found[text], exact).max())
    assert errors
    return max(errors) * 2**53


@pytest.mark.skipif(not extended.LONG, reason="long double is double on this machine")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.network} {case.name}")
def test_mpmath_and_long_double_find_the_same_truth(case):
    case = case.__class__(**{**case.plain(), "tiers": ("initial",), "seeds": (0,)})
    many = transcripts.initial_weights(extended.ManyDigits(case), case)
    long = transcripts.initial_weights(
        registry.build("scratch", case, dtype="longdouble"), case
    )
    # rounded to float64 once; and where terms cancel, what long double's 64 bits leave
    zeros = registry.spec(case.network).zeros(case.recipe)
    assert worst(many, long, zeros) < 8


def test_training_too_has_its_truth_without_a_long_double(monkeypatch):
    monkeypatch.setattr(extended, "LONG", False)
    case = registry.spec("mlp").cases[0]
    recorded = transcripts.record(case, "scratch", "float64", lambda text: None)
    assert str(recorded["meta/truth"]) == "mpmath"
    own, truth = keys.own(recorded), keys.truth(recorded)
    rows = agreement.compare(Cell(case, "scratch", "float64"), own, truth)
    assert {row["status"] for row in rows} == {"ok"}
    assert any(row["quantity"] == "trained" and row["error_u"] > 0 for row in rows)


def test_a_wrong_digit_of_scratch_is_seen_by_it(monkeypatch):
    monkeypatch.setattr(extended, "LONG", False)
    case = registry.spec("neuron").cases[0]
    recorded = transcripts.record(case, "scratch", "float64", lambda text: None)
    own, truth = keys.own(recorded), keys.truth(recorded)
    own["grad/W"] = own["grad/W"] * (1 + 1e-13)
    rows = agreement.compare(Cell(case, "scratch", "float64"), own, truth)
    assert [row["tensor"] for row in agreement.failures(rows)] == ["W"]


def test_large_data_are_only_reported_there(monkeypatch):
    monkeypatch.setattr(extended, "LONG", False)
    ((case, _),) = recipes.cases("hiring", changes={"epochs": 1}, seed=0)
    assert case.dataset not in inputs.TINY_SETS
    assert extended.digits(case) == "double"
    own = {"grad/W_1": np.ones(3), "meta/truth": np.array("double")}
    rows = agreement.compare(Cell(case, "scratch", "float64"), own, own)
    assert [(row["status"], row["passed"]) for row in rows] == [("reported", "")]
    assert "longdouble is double" in rows[0]["reason"]


def test_erf_has_no_more_digits_than_long_double(monkeypatch):
    monkeypatch.setattr(extended, "LONG", False)
    for case in blocks():
        expected = "double" if case.name.startswith("activation gelu") else "mpmath"
        if "gelu_tanh" not in case.name:
            assert extended.digits(case) == expected, case.name
