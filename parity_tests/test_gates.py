"""The comparison itself can fail: each way of being wrong turns a row red."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nn_parity import agreement, registry, tolerances, transcripts
from nn_parity.agreement import Cell

CASE = registry.spec("mlp").cases[0]


def reference():
    rng = np.random.default_rng(0)
    return {
        "grad/W_1": rng.normal(size=(7, 5)),
        "loss/loss": np.array(1.5),
        "state/loaded/W_1": rng.normal(size=(7, 5)),
        "trained/W_1@100 steps": rng.normal(size=(7, 5)),
        "prediction/test@end": rng.normal(size=(20, 3)),
        "curve/loss@100 steps": rng.random(100),
        "state/m/W_1@50 updates": rng.normal(size=(50, 7, 5))
        * np.logspace(0, -9, 7)[:, None],
    }


def rows(change, dtype="float64", framework="torch"):
    ours = {key: value.copy() for key, value in reference().items()}
    change(ours)
    return {
        (r["quantity"], r["tensor"]): r
        for r in agreement.compare(Cell(CASE, framework, dtype), ours, reference())
    }


def failed(change, **options):
    found = rows(change, **options).values()
    return [(r["quantity"], r["tensor"]) for r in agreement.failures(list(found))]


def test_equal_transcripts_pass():
    assert failed(lambda t: None) == []


@pytest.mark.parametrize("key", list(reference()))
def test_a_missing_tensor_fails(key):
    quantity, _, tensor = key.partition("/")
    assert failed(lambda t: t.pop(key)) == [(quantity, tensor)]


def test_a_tensor_too_many_fails():
    assert failed(lambda t: t.update({"grad/W_9": np.ones(3)})) == [("grad", "W_9")]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_fail_even_where_both_have_them(value):
    def spoil(t):
        t["grad/W_1"][2, 3] = value

    assert failed(spoil) == [("grad", "W_1")]
    ours, theirs = reference(), reference()
    spoil(ours), spoil(theirs)
    found = agreement.compare(Cell(CASE, "torch", "float64"), ours, theirs)
    assert [r["tensor"] for r in agreement.failures(found)] == ["W_1"]


def test_a_transposed_tensor_fails():
    assert failed(lambda t: t.update({"grad/W_1": t["grad/W_1"].T})) == [
        ("grad", "W_1")
    ]


def test_a_gradient_of_the_other_sign_fails_however_small_it_is():
    """np.allclose(g, -g) passes for |g| ~ 1e-9: its atol does not know the tensor."""
    tiny = reference() | {"grad/W_1": 1e-9 * reference()["grad/W_1"]}
    turned = tiny | {"grad/W_1": -tiny["grad/W_1"]}
    assert np.allclose(tiny["grad/W_1"], turned["grad/W_1"])
    found = agreement.compare(Cell(CASE, "torch", "float64"), turned, tiny)
    assert [r["tensor"] for r in agreement.failures(found)] == ["W_1"]


def test_the_failure_line_names_tensor_index_values_error_and_gate():
    def spoil(t):
        t["grad/W_1"][2, 3] += 1e-6

    row = rows(spoil)["grad", "W_1"]
    want = reference()["grad/W_1"][2, 3]
    for part in ("W_1[2, 3]", f"{want:.17g}", f"{want + 1e-6:.17g}", "error", "gate"):
        assert part in row["reason"]
    assert row["status"] == "failed"


def test_each_gate_stands_beside_the_largest_error_measured():
    source = Path(tolerances.__file__).read_text(encoding="utf-8")
    beside = re.findall(r"# measured: (.+)\n    \((.+)\): {", source)
    assert [ast.literal_eval(f"({key})") for _, key in beside] == list(tolerances.GATES)
    for errors, key in beside:
        in_float64 = float(errors.partition(" u")[0].replace(",", ""))
        gate = tolerances.GATES[ast.literal_eval(f"({key})")]["float64"]
        assert in_float64 * tolerances.U["float64"] <= gate.value


def test_a_gradient_gate_counts_roundoff_units():
    scale = np.abs(reference()["grad/W_1"]).max()
    u = tolerances.U["float64"]
    assert failed(lambda t: t["grad/W_1"].__iadd__(60 * u * scale)) == []
    assert failed(lambda t: t["grad/W_1"].__iadd__(70 * u * scale)) == [("grad", "W_1")]


def test_small_rows_of_a_moment_count_as_much_as_large_ones():
    def spoil(t):
        t["state/m/W_1@50 updates"][30, 6] *= 1 + 1e-9  # a row of size 1e-9

    assert failed(spoil) == [("state", "m/W_1@50 updates")]


def test_a_gradient_that_is_zero_everywhere_compares_nothing():
    zero = reference() | {"grad/W_1": np.zeros((7, 5))}
    (row,) = agreement.failures(
        agreement.compare(Cell(CASE, "torch", "float64"), zero, zero)
    )
    assert "vacuous" in row["reason"]


def test_a_training_that_moved_nothing_compares_nothing():
    still = reference()
    still["trained/W_1@100 steps"] = still["state/loaded/W_1"]
    (row,) = agreement.failures(
        agreement.compare(Cell(CASE, "torch", "float64"), still, still)
    )
    assert "vacuous" in row["reason"]


@pytest.mark.parametrize(("error", "fails"), [(0.5, False), (2.0, True)])
def test_a_bias_that_ends_near_zero_is_measured_with_the_largest_weight(error, fails):
    """learning-neuron: W = 1 and b = 1e-7, which is what is left of terms of size 1."""
    trained = {
        "state/loaded/b_1": np.zeros(5),
        "trained/W_1@100 steps": np.eye(5),
        "trained/b_1@100 steps": np.full(5, 1e-7),
    }
    gate = tolerances.gate("trained", "b_1", "100 steps", CASE, ("torch", "float64"))
    off = np.full(5, 1e-7 + error * gate.value * tolerances.SMALLEST_TRAINED)
    ours = trained | {"trained/b_1@100 steps": off}
    found = agreement.compare(Cell(CASE, "torch", "float64"), ours, trained)
    assert ["b_1@100 steps"] * fails == [
        row["tensor"] for row in agreement.failures(found)
    ]
    (row,) = (row for row in found if row["tensor"] == "b_1@100 steps")
    assert "1e-6 of the largest weight" in row["why"]


def test_another_decision_fails_unless_the_margin_is_below_the_gate():
    def turn(t):
        t["prediction/test@end"][4] = t["prediction/test@end"][4][::-1]

    assert failed(turn) == [("prediction", "test@end")]
    row = rows(turn)["prediction", "test@end"]
    assert "1 of 20 decisions differ: 4 (" in row["reason"]

    tie = reference()
    tie["prediction/test@end"][4] = [2.0, 2.0 + 1e-12, 0.0]
    turned = {k: v.copy() for k, v in tie.items()}
    turned["prediction/test@end"][4] = [2.0 + 1e-12, 2.0, 0.0]
    found = agreement.compare(Cell(CASE, "torch", "float64"), turned, tie)
    assert list(agreement.failures(found)) == []
    listed = [r["reason"] for r in found if r["quantity"] == "prediction"]
    assert "1 of 20 decisions differ: 4 (0 for 1" in listed[0]


def test_float32_predictions_are_reported_with_their_disagreements():
    def turn(t):
        t["prediction/test@end"][4] = t["prediction/test@end"][4][::-1]

    row = rows(turn, dtype="float32")["prediction", "test@end"]
    assert row["status"] == "reported"
    assert row["passed"] == ""
    assert "1 of 20" in row["reason"]


def test_trainings_that_diverge_must_do_so_at_the_same_step():
    ours = reference() | {"meta/diverged": np.array(7)}
    theirs = reference() | {"meta/diverged": np.array(7)}
    later = reference() | {"meta/diverged": np.array(8)}
    cell = Cell(CASE, "torch", "float64")
    assert list(agreement.failures(agreement.compare(cell, ours, theirs))) == []
    (row,) = agreement.failures(agreement.compare(cell, ours, later))
    assert row["status"] == "diverged"
    (row,) = agreement.failures(agreement.compare(cell, ours, reference()))
    assert row["reason"].endswith("in the reference None")


def test_a_vacuous_comparison_hides_no_disagreement():
    """In a user's experiment it is only reported, unless somebody disagrees."""
    cell = Cell(replace(CASE, experiment="mine"), "torch", "float64")
    zero = reference() | {"grad/W_1": np.zeros((7, 5))}
    rows_now = agreement.compare(cell, zero, zero)
    assert list(agreement.failures(rows_now)) == []
    assert "vacuous" in next(r["reason"] for r in rows_now if r["quantity"] == "grad")
    other = zero | {"grad/W_1": np.full((7, 5), 1e3)}
    failed_rows = list(agreement.failures(agreement.compare(cell, other, zero)))
    assert [r["tensor"] for r in failed_rows] == ["W_1"]


def test_a_failure_line_says_what_extended_precision_finds():
    exact = {"truth/grad/W_1": reference()["grad/W_1"].astype(np.longdouble)}
    ours = reference()
    ours["grad/W_1"][2, 3] += 1e-6
    found = agreement.compare(Cell(CASE, "torch", "float64"), ours, reference() | exact)
    (row,) = agreement.failures(found)
    assert f"extended precision {exact['truth/grad/W_1'][2, 3]:.17g}" in row["reason"]


def padded(**changed):
    """A transcript with a second pass, whose padding holds other values."""
    plain = {"grad/W_1": reference()["grad/W_1"], "loss/loss": np.array(1.5)}
    other = {f"{key}@{tolerances.PADDING}": value for key, value in plain.items()}
    return plain | other | changed


def failed_padding(ours):
    found = agreement.compare(Cell(CASE, "torch", "float64"), ours, padded())
    return [r["tensor"] for r in agreement.failures(found)]


def test_padding_that_reaches_a_result_fails_though_only_the_last_bit_differs():
    assert failed_padding(padded()) == []
    read = np.nextafter(reference()["grad/W_1"], 9)
    assert failed_padding(padded(**{"grad/W_1@other padding": read})) == [
        "W_1@other padding"
    ]
    # a framework is asked to agree with itself there, within rounding with the reference
    both = padded(**{"grad/W_1": read, "grad/W_1@other padding": read})
    assert failed_padding(both) == []


def test_only_the_padding_of_the_second_pass_is_other():
    mask = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    numbers = np.arange(12.0).reshape(2, 3, 2)
    for x in (numbers, np.array([[3, 1, 0], [5, 2, 2]])):
        other = transcripts.with_other_padding({"x": x, "mask": mask})["x"]
        real = (mask > 0) if x.ndim == 2 else np.repeat(mask[:, :, None] > 0, 2, axis=2)
        assert (other[real] == x[real]).all()
        assert (other[~real] != x[~real]).all()
        assert other.dtype == x.dtype
        assert x.dtype.kind == "f" or set(other.ravel()) <= set(range(6))
