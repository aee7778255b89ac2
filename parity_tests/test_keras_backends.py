"""Keras on JAX and on PyTorch: columns that are asked for by name, at Keras' gates."""

from dataclasses import replace

import pytest

from nn_parity import agreement, crew, mutants, registry, runs
from nn_parity.benching import entries
from nn_parity.errors import Refusal
from parity_tests.conftest import BACKENDS, python

CHOSEN = {  # of each network one case; together they have every tier
    "lenet": "adam",
    "lstm": "adam",
    "mlp": "sigmoid",
    "sequential": "normalized",
    "transformer": "adam",
}
THOROUGH = pytest.mark.thorough
needs_both = pytest.mark.skipif(
    len(BACKENDS) < len(registry.BACKENDS), reason="keras, jax or torch is missing"
)


def one_case(network, spec=registry.spec):
    """A spec with one case of its cases, from one seed."""
    whole = spec(network)
    cases = [c for c in whole.cases if c.name == CHOSEN.get(network)]
    return replace(whole, cases=tuple(replace(c, seeds=c.seeds[:1]) for c in cases))


@pytest.fixture(scope="module")
def chosen_run(tmp_path_factory):
    """The chosen cases in scratch and on both backends, by `parity` as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "spec", one_case)
        patch.setenv("KERAS_BACKEND", "nonsense")
        return runs.parity(
            list(CHOSEN),
            frameworks=["scratch", *registry.BACKENDS],
            out=tmp_path_factory.mktemp("backends") / "run",
        )


@needs_both
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("framework", registry.BACKENDS)
def test_keras_agrees_on_another_backend(chosen_run, framework, dtype):
    rows = chosen_run.parity
    rows = rows[(rows["framework"] == framework) & (rows["dtype"] == dtype)]
    assert set(rows["network"]) == set(CHOSEN)
    assert {"activation", "grad", "state", "curve", "trained"} <= set(rows["quantity"])
    failed = rows[~rows["status"].isin(["ok", "reported"])]
    assert failed.empty, failed["reason"].head().to_list()


@needs_both
def test_a_run_names_the_versions_that_computed(chosen_run):
    versions = chosen_run.environment["versions"]
    assert set(versions["keras-jax"]) == {"keras", "jax"}
    assert set(versions["keras-torch"]) == {"keras", "torch"}


def test_they_take_part_only_where_they_are_named():
    assert registry.canonical(None) == ("scratch", "torch", "keras", "jax")
    assert registry.canonical("keras-torch,tf,np") == (
        "scratch",
        "keras",
        "keras-torch",
    )
    with pytest.raises(Refusal, match="keras-jax"):
        registry.canonical("keras-jxa")
    for framework in registry.BACKENDS:
        with pytest.raises(Refusal, match="scratch, torch, keras, jax\\)"):
            registry.canonical(framework, registry.FRAMEWORKS)
        assert entries.epoch_variants(framework, {"keras-jit"}) == entries.EPOCHS


def test_the_backend_of_a_worker_is_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    chosen = {
        framework: crew.Worker(framework, "float64", folder=tmp_path).environment
        for framework in ("keras", *registry.BACKENDS)
    }
    assert {f: env["KERAS_BACKEND"] for f, env in chosen.items()} == {
        "keras": "tensorflow",
        "keras-jax": "jax",
        "keras-torch": "torch",
    }


def test_a_backend_that_is_not_installed_is_a_row_with_an_install_line(
    monkeypatch, tmp_path
):
    found = registry._found
    monkeypatch.setattr(registry, "_found", lambda m: m != "jax" and found(m))
    run = runs.parity(
        "mlp", frameworks="keras-jax", dtype="float64", out=tmp_path / "run"
    )
    rows = run.parity[run.parity["framework"] == "keras-jax"]
    assert set(rows["status"]) == {"not installed"}
    assert rows["reason"].str.contains('".[keras,jax]"', regex=False).all()


RATES = """
import numpy as np
from keras_impl import mlp
from keras_impl.adapter import Adapter

sizes = {"D": 4, "H": (3,), "K": 2}
recipe = {"activations": ("tanh", "identity"), "loss": "softmax_cross_entropy",
          "optimizer": {"name": "momentum", "mu": 0.9}, "batch_size": 3}
rng = np.random.default_rng(0)
adapter = Adapter(mlp, sizes, recipe, dtype="float64")
params = {name: rng.normal(size=shape)
          for name, shape in adapter.map.shapes(adapter.parameters).items()}
data = {"x": rng.normal(size=(10, 4)), "y": rng.integers(0, 2, 10)}
order, rates = rng.permutation(10), np.array([0.5, 0.5, 0.05, 0.2])

adapter.load(params, {})
for step, lr in enumerate(rates):
    rows = order[3 * step : 3 * step + 3]
    adapter.step({name: a[rows] for name, a in data.items()}, lr=lr)
want = adapter.export()[0]
for variant in ("lean", "idiomatic"):
    adapter.load(params, {})
    adapter.run_epoch(data, order, {}, rates, variant=variant)
    for name, value in adapter.export()[0].items():
        np.testing.assert_allclose(value, want[name], rtol=0, atol=1e-13)
compiled = adapter.compilations
adapter.run_epoch(data, order, {}, rates, variant="lean")
assert adapter.compilations == compiled
try:
    adapter.run_epoch(data, order, {}, rates, variant="jit")
except ValueError as error:
    assert "none of lean, idiomatic" in str(error)
else:
    raise AssertionError("jit is TensorFlow's")
"""


@pytest.mark.parametrize(
    "framework",
    [pytest.param(f, marks=THOROUGH if f != "keras-jax" else []) for f in BACKENDS],
)
def test_each_step_has_its_learning_rate_in_every_kind_of_epoch(framework):
    """On JAX, fit carries the variables' values apart from the variables."""
    python(["-c", RATES], framework=framework)


@needs_both
@THOROUGH
@pytest.mark.parametrize(
    "mutant",
    mutants.listed(tuple(registry.BACKENDS)),
    ids=lambda m: f"{m.framework} {m.file}: {m.what}"[:90],
)
def test_a_bug_in_an_engine_is_noticed(chosen_run, mutant):
    verdict = mutants.judge(mutant, chosen_run.path)
    assert verdict.killed_by, f"survived: {mutant.what}"


@needs_both
@THOROUGH
@pytest.mark.parametrize("framework", registry.BACKENDS)
def test_healthy_engines_pass_the_check_that_mutants_fail(chosen_run, framework):
    check = ["-m", "nn_parity.noticing", chosen_run.path, framework, "float64"]
    python([*check, *CHOSEN], framework=framework)


@needs_both
@THOROUGH
def test_every_network_agrees_on_both_backends(tmp_path):
    run = runs.parity(frameworks=["scratch", *registry.BACKENDS], out=tmp_path / "run")
    assert set(run.parity["network"]) == set(registry.networks())
    assert list(agreement.failures(run.parity.to_dict("records"))) == []
