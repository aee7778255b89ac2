"""The point of it all: four implementations, the same numbers."""

import pytest

from nn_parity import registry, tolerances
from parity_tests.conftest import INSTALLED

NETWORKS = registry.networks()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("framework", INSTALLED)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_gated_row_passes(parity_run, network, framework, dtype):
    rows = parity_run.parity
    rows = rows[
        (rows["network"] == network)
        & (rows["framework"] == framework)
        & (rows["dtype"] == dtype)
    ]
    assert len(rows) > 20
    rows = rows[rows["gate"].notna()]
    assert set(rows["status"]) == {"ok"}, rows[rows["status"] != "ok"][
        "reason"
    ].tolist()
    assert (rows["passed"] == True).all()  # noqa: E712 - a column


@pytest.mark.parametrize("framework", INSTALLED)
def test_gradients_at_the_initial_weights_of_five_seeds_are_under_64_u(
    parity_run, framework
):
    rows = parity_run.parity
    rows = rows[
        (rows["framework"] == framework)
        & (rows["dtype"] == "float64")
        & (rows["quantity"] == "grad")
        & ~rows["tensor"].str.endswith("@B=1")  # one example: terms may cancel
        & ~rows["experiment"].str.endswith(", saturated")  # so may +-800
        & ~rows["why"].str.contains("N18|a mean is taken")  # their gates say why
    ]
    seeds = rows["tensor"].str.extract(r"seed=(\d+)")[0].dropna().unique()
    assert sorted(seeds) == ["1", "2", "3", "4"]  # seed 0 carries no mark
    assert (rows["error_u"] < 64).all()


def test_each_tensor_of_the_reference_is_compared_once(parity_run):
    rows = parity_run.parity
    keys = ["network", "experiment", "framework", "dtype", "quantity", "tensor"]
    assert not rows.duplicated(keys).any()
    reference = rows[rows["framework"] == "scratch"]
    for framework in INSTALLED:
        theirs = rows[rows["framework"] == framework]
        assert len(theirs) == len(reference)


def test_every_quantity_and_tier_is_there(parity_run):
    rows = parity_run.parity
    for network in NETWORKS:
        mine = rows[rows["network"] == network]
        points = set(mine["tensor"].str.partition("@")[2])
        for point in ("", "upstream", "50 updates", "lean epochs", "100 steps"):
            assert point in points, (network, point)
        for quantity in ("activation", "output", "loss", "grad", "state", "trained"):
            assert quantity in set(mine["quantity"])


def test_training_moved_the_weights_it_compares(parity_run):
    rows = parity_run.parity
    still = {  # nothing drives these: their gradient is zero by the equations
        f"{case.name}:{tensor}"
        for case in parity_run.cases
        for tensor in registry.spec(case.network).zeros(case.recipe)
    }
    named = rows["experiment"] + ":" + rows["tensor"].str.partition("@")[0]
    trained = rows[(rows["quantity"] == "trained") & ~named.isin(still)]
    relative = trained["moved"] / trained["max_ref"]
    assert (relative > 100 * trained["gate"]).all()


def test_exact_tier_is_bitwise(parity_run):
    rows = parity_run.parity
    exact = rows[rows["experiment"].str.contains("integers")]
    assert (exact["error_rel"] == 0).all()
    assert (exact["gate"] == 0).all()
    assert exact[exact["quantity"] == "grad"]["max_ref"].max() > 0


def test_rows_say_why_their_gate_is_where_it_is(parity_run):
    assert (parity_run.parity["why"].str.len() > 10).all()
    assert parity_run.exit_code == 0


def test_float64_gates_are_at_1e_10_or_tighter():
    for gates in tolerances.GATES.values():
        assert (
            gates["float64"].value <= 1e-10
            or gates is tolerances.GATES["prediction", ""]
        )
