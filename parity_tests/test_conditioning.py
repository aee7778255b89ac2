"""A training that rounding leads astray is reported as such, and no bug is excused by it."""

from dataclasses import replace

import numpy as np
import pytest

from nn_parity import (
    agreement,
    inputs,
    keys,
    recipes,
    registry,
    tolerances,
    transcripts,
)
from nn_parity.agreement import Cell

END = "trained/W_1@end"


@pytest.fixture(scope="module")
def hiring():
    case = recipes.cases("hiring", changes={"epochs": 40}, seed=0)[0][0]
    scratch = transcripts.record(case, "scratch", "float64", lambda text: None)
    return case, scratch


def row(case, scratch, key, error, moved, framework="torch"):
    """The row of a tensor that is off by ``error``, where the nudge moves it by ``moved``."""
    largest = np.abs(scratch[key]).max()
    at = np.unravel_index(np.abs(scratch[key]).argmax(), scratch[key].shape)
    ours, nudged = keys.own(scratch), scratch[key].copy()
    ours[key] = scratch[key].copy()
    ours[key][at] += error * largest
    nudged[at] += moved * largest
    known = scratch | {f"nudged/{key}": nudged}
    found = agreement.of_cell(Cell(case, framework, "float64"), ours, known, ("", ""))
    (line,) = (r for r in found if f"{r['quantity']}/{r['tensor']}" == key)
    return line


@pytest.mark.parametrize("key", [END, "curve/loss@end", "trained/W_1@100 steps"])
def test_what_the_nudge_explains_is_reported_with_both_figures(hiring, key):
    line = row(*hiring, key, 1e-6, 1e-7)
    assert (line["status"], line["passed"]) == ("reported", "")
    assert "ill-conditioned" in line["reason"]
    assert "1.0e-07" in line["reason"]
    assert "error 1e-06 > gate 1e-10" in line["reason"]


@pytest.mark.parametrize(("error", "moved"), [(1e-6, 1e-9), (1e-9, 0.0), (1e-2, 1e-14)])
def test_what_it_does_not_explain_fails(hiring, error, moved):
    line = row(*hiring, END, error, moved)
    assert (line["status"], line["passed"]) == ("failed", False)


def test_what_agrees_passes_however_bad_the_condition(hiring):
    assert row(*hiring, END, 1e-12, 1.0)["passed"] is True


def test_what_comes_before_the_training_has_no_excuse(hiring):
    _, scratch = hiring
    nudged = set(map(keys.Key.parse, keys.nudged(scratch)))
    trained = {"curve", "trained", "state", "prediction"}
    assert {key.quantity for key in nudged} <= trained
    assert {key.point for key in nudged} == {"100 steps", "end"}


def test_a_benchmark_knows_the_condition_of_the_first_steps_too(hiring):
    """What `compare` reports, `bench` does not withhold: digits-lenet, float32."""
    case, _ = hiring
    recipe = {key: value for key, value in case.recipe.items() if key != "epochs"}
    timed = replace(case, recipe=recipe, tiers=("initial", "steps"))
    scratch = transcripts.record(timed, "scratch", "float64", lambda text: None)
    points = {keys.Key.parse(text).point for text in keys.nudged(scratch)}
    assert points == {"100 steps"}


def test_a_network_of_the_parity_suite_has_no_excuse():
    case = registry.spec("neuron").cases[0]
    assert case.trains
    scratch = transcripts.record(case, "scratch", "float64", lambda text: None)
    assert not list(keys.nudged(scratch))


def test_the_condition_of_a_tame_training_is_small(hiring):
    _, scratch = hiring
    for text, array in keys.nudged(scratch).items():
        key = keys.Key.parse(text)
        moved = agreement.relative_error(key, array, scratch[text]).max()
        assert moved < 1e-13, text


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_weight_is_nudged_by_one_unit_up_or_down(dtype, hiring):
    case, _ = hiring
    params = inputs.of(case).params
    nudges = [transcripts._moved(params, dtype, nudge) for nudge in range(20)]
    for name, array in params.items():
        start = array.astype(dtype)
        moved = np.stack([nudge[name] - start for nudge in nudges])
        assert (moved != 0).all()
        assert (np.abs(moved) <= 2 * tolerances.U[dtype] * np.abs(start) + 1e-40).all()
        assert (moved > 0).any(axis=0).all()
        assert (moved < 0).any(axis=0).all()


def test_of_several_nudges_the_farthest_counts(monkeypatch, hiring):
    case, own = hiring
    own = {text: a for text, a in keys.own(own).items() if not text.startswith("meta")}
    made = iter([1e-9, 5e-9, 2e-9])

    def steps(adapter, case, given, n):
        size = next(made)
        return {"trained/W_1@30 steps": own["trained/W_1@100 steps"] + size}

    monkeypatch.setattr(transcripts, "first_steps", steps)
    monkeypatch.setitem(transcripts.NUDGES, "float32", 3)
    own["trained/W_1@30 steps"] = own["trained/W_1@100 steps"]
    found = transcripts.nudged(None, case, "float32", own, lambda text: None)
    (moved,) = (array - own["trained/W_1@30 steps"] for array in found.values())
    np.testing.assert_allclose(moved, 5e-9, rtol=1e-6)


@pytest.mark.thorough
def test_a_recurrent_network_that_a_rounding_error_leads_astray_is_no_failure():
    """`adding` over 50 steps: torch's rounding stands in for another way to add."""
    cases = recipes.cases("adding", changes={}, seed=4)
    case = replace(next(c for c, _ in cases if c.label == "50-steps"), tiers=())
    scratch = transcripts.record(case, "scratch", "float64", lambda text: None)
    adapter = registry.build("scratch", case, dtype="float64")
    given = inputs.of(case)
    other = {n: a * (1 + 2.0**-52) for n, a in given.params.items()}
    ours = transcripts.whole_training(
        adapter, case, replace(given, params=other), lambda text: None
    )
    loaded = {k: a for k, a in scratch.items() if k.startswith("state/loaded")}
    found = agreement.of_cell(
        Cell(case, "torch", "float64"), loaded | ours, scratch, ("", "")
    )
    astray = [r for r in found if str(r["reason"]).startswith("ill-conditioned")]
    assert astray
    assert list(agreement.failures(found)) == []


def test_optax_has_the_wider_gate_for_moments_of_adam_in_experiments_alone():
    case = next(c for c, _ in recipes.cases("adding", changes={}, seed=0))

    def gate(quantity, point="30 steps", where=("jax", "float32"), case=case):
        return tolerances.gate(quantity, "m/W_h", point, case, where)

    assert gate("state") is tolerances.OPTAX_MOMENTS
    assert gate("trained") is tolerances.OPTAX_FLOAT32
    for other in (
        gate("state", where=("jax", "float64")),
        gate("state", where=("keras", "float32")),
        gate("state", case=replace(case, experiment="")),
        gate(
            "state",
            case=replace(case, recipe=case.recipe | {"optimizer": {"name": "sgd"}}),
        ),
    ):
        assert other is not tolerances.OPTAX_MOMENTS
