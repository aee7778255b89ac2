"""The adapter carries what later networks need, each shown on a small network.

batch_norm: state; dropout: noise; tokens: ids; players: two losses and two optimizers;
padding: masks.
"""

import numpy as np
import pytest

from parity_tests.conftest import BACKENDS, OTHERS, python
from parity_tests.probes.record import PROBES, data

LONG = [pytest.param(f, marks=pytest.mark.thorough) for f in BACKENDS]
U = {"float64": 2.0**-53, "float32": 2.0**-24}
GATE = {"float64": 1e-12, "float32": 1e-5}  # worst measured: 8.0e-15, 4.3e-6
# optax forms 1 - beta2^t in float32 (docs/divergences.md, N01); worst measured: 2.8e-5
LOOSER = {("jax", "float32", "tokens"): 1e-4, ("jax", "float32", "players"): 1e-4}
STRUCTURAL = "b_1"  # batch norm takes the mean away: its gradient is rounding noise


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("framework", [*OTHERS, *LONG])
@pytest.mark.parametrize("probe", PROBES)
def test_probe_agrees_with_scratch(probes, probe, framework, dtype):
    prefix = f"{probe}:{framework == 'torch'}:"  # torch's running variance is unbiased
    want = {k: v for k, v in probes("scratch", dtype).items() if k.startswith(prefix)}
    got = {k: v for k, v in probes(framework, dtype).items() if k.startswith(probe)}
    assert got.keys() == want.keys()
    for key, reference in want.items():
        value = got[key]
        assert value.shape == reference.shape, key
        assert np.isfinite(value).all(), key
        error = np.abs(value - reference).max(initial=0)
        noise = probe == "batch_norm" and key.endswith(STRUCTURAL)
        scale = 1.0 if noise else np.abs(reference).max(initial=0)
        gate = LOOSER.get((framework, dtype, probe), GATE[dtype])
        assert error <= gate * scale, f"{key}: {error / scale:.2g}"


@pytest.mark.parametrize("framework", ["scratch", *OTHERS, *LONG])
def test_looking_changes_no_state_and_training_does(probes, framework):
    taken = probes(framework, "float64")
    unbiased = framework in ("scratch", "torch")
    at = f"batch_norm:{unbiased}:"
    for name in ("mean", "var"):
        before, still = taken[f"{at}loaded/{name}"], taken[f"{at}still/{name}"]
        np.testing.assert_array_equal(before, still)
        assert np.abs(taken[f"{at}stepped/{name}"] - before).max() > 0.1
    train, evaluated = taken[f"{at}train/prediction"], taken[f"{at}eval/prediction"]
    assert np.abs(train - evaluated).max() > 0.01


@pytest.mark.parametrize("framework", ["scratch", *OTHERS, *LONG])
def test_padding_changes_no_bit(probes, framework):
    taken = probes(framework, "float64")
    at = f"padding:{framework in ('scratch', 'torch')}:"
    others = {k: v for k, v in taken.items() if k.startswith(f"{at}other padding/")}
    assert len(others) == 8  # pooled, prediction, loss, four gradients and d/x
    for key, value in others.items():
        name = key.rpartition("other padding/")[2]
        before = next(
            taken[f"{at}{point}/{name}"]
            for point in ("eval", "losses loss", "grads loss")
            if f"{at}{point}/{name}" in taken
        )
        np.testing.assert_array_equal(value, before, err_msg=name)


@pytest.mark.parametrize("framework", ["scratch", *OTHERS, *LONG])
def test_rows_of_repeated_ids_add_and_unused_ones_stay_zero(probes, framework):
    taken = probes(framework, "float64")
    at = f"tokens:{framework in ('scratch', 'torch')}:"
    assert f"{at}grads loss/d/x" not in taken
    used = set(data("tokens", PROBES["tokens"][0])[0]["x"].ravel().tolist())
    moved = np.flatnonzero(np.abs(taken[f"{at}grads loss/E"]).max(axis=1))
    assert set(moved.tolist()) == used
    assert used < set(range(PROBES["tokens"][0]["V"]))


TWO_OF_ONE = """
from types import SimpleNamespace
import numpy as np
from keras_impl.adapter import Adapter
from parity_tests.probes.keras import players
from parity_tests.probes.record import PROBES, data

roles = {"one": (("C_",), players.critic_loss, "critic_optimizer"),
         "two": (("C_",), players.generator_loss, "generator_optimizer")}
network = SimpleNamespace(**vars(players) | {"PLAYERS": roles})
sizes, recipe = PROBES["players"]
adapter = Adapter(network, sizes, recipe | {"batch_size": 3}, dtype="float64")
shapes = adapter.map.shapes(adapter.parameters)
adapter.load({name: np.full(shape, 0.25) for name, shape in shapes.items()}, {})
examples, noise = data("players", sizes)
for player in roles:
    losses, grads = adapter.losses_and_grads(examples | noise, player=player)
    assert list(losses) == [player], losses
adapter.update(grads, lr=0.1)
state = adapter.optimizer_state()
assert [int(state[f"t/{player}"]) for player in roles] == [1, 1], state
"""


@pytest.mark.skipif("keras" not in OTHERS, reason="keras is not installed")
def test_players_that_share_parameters_are_not_confused_in_keras():
    """Its graphs are compiled once and looked up by what they are of."""
    python(["-c", TWO_OF_ONE])


@pytest.mark.parametrize("framework", ["scratch", *OTHERS, *LONG])
def test_each_player_has_its_own_gradients_and_step_count(probes, framework):
    taken = probes(framework, "float64")
    at = f"players:{framework in ('scratch', 'torch')}:"
    names = {
        player: {
            k.rpartition("/")[2] for k in taken if k.startswith(f"{at}grads {player}/")
        }
        for player in ("critic", "generator")
    }
    assert names == {"critic": {"C_W", "C_b", "x"}, "generator": {"G_W", "G_b", "x"}}
    for player in names:
        assert taken[f"{at}optimizer/t/{player}"] == 5
    assert f"{at}optimizer/v/C_W" in taken  # Adam for the critic
    assert f"{at}optimizer/v/G_W" not in taken  # momentum for the generator
