"""Tokens: what a data set of them may hold, embeddings, and losses at every position."""

from importlib import import_module

import numpy as np
import pytest

from nn_parity import accuracy, agreement, batches, datasets, metrics
from nn_parity.agreement import Cell
from nn_parity.datasets import tokens
from nn_parity.errors import INTEGRITY
from nn_parity.keys import Key
from nn_parity.protocol import Case
from nn_parity.sequences import real_steps
from nn_parity.tolerances import EXACT, REPORTED
from parity_tests.conftest import INSTALLED, python
from parity_tests.test_datasets import refused

U = 2.0**-53
X = np.array([[0, 1, 2], [2, 2, 0]])
GOOD = {
    "x_train": X,
    "y_train": X[:, ::-1],
    "x_test": X,
    "y_test": X[:, ::-1],
    "classes": 4,
    "vocabulary": ("a", "b", "c", "start"),
}


# -- data sets ---------------------------------------------------------------------------


def test_tokens_are_kept_as_whole_numbers():
    d = datasets.from_arrays(
        "set", **GOOD | {"x_train": X.astype(np.uint8)}, description=""
    )
    for array in (d.x_train, d.y_train, d.x_test, d.y_test):
        assert array.dtype == np.int64
        assert array.shape == (2, 3)
    assert d.vocabulary == ("a", "b", "c", "start")


def test_a_string_may_have_one_class():
    change = {"y_train": [0, 1], "y_test": [1, 0], "classes": 2}
    d = datasets.from_arrays("set", **GOOD | change, description="")
    assert d.y_train.shape == (2,)


@pytest.mark.parametrize(
    ("change", "code", "pieces"),
    [
        ({"x_train": X + 2}, "E220", ["token 4 at index (0, 2)", "0 to 3", "3 of 6"]),
        ({"x_test": X - 1}, "E220", ["set, test", "token -1 at index (0, 0)"]),
        ({"y_train": X + 3}, "E220", ["label 4 at index (0, 1)"]),
        ({"x_train": X * 1.0}, "E221", ["tokens are float64"]),
        ({"x_train": X[:, :, None]}, "E232", ["(2, 3, 1)", "(N, T)"]),
        ({"x_train": X[:, :0]}, "E219", ["set, train"]),
        ({"y_train": X[:1]}, "E209", ["2 inputs and 1 labels"]),
        ({"y_train": X[:, :2]}, "E232", ["a target is (2,)", "(3,) in the test"]),
        ({"y_test": X * 0}, "E223", ["all 6 labels are 0"]),
        ({"vocabulary": ()}, "E233", ["int64"]),  # numbers are floats
    ],
)
def test_bad_tokens_are_refused(change, code, pieces):
    with refused(code, *pieces) as info:
        datasets.from_arrays("set", **GOOD | change, description="")
    assert info.value.exit_code == INTEGRITY


def test_several_numbers_may_be_asked_of_an_example():
    x = np.zeros((4, 2), np.float32)
    y = np.arange(12.0).reshape(4, 3)
    d = datasets.from_arrays("set", x, y, x, y, classes=None, description="")
    assert d.y_train.shape == (4, 3)
    assert not accuracy.is_classification(d)
    with refused("E232", "(4, 3, 1)", "(N, K)"):
        datasets.from_arrays(
            "set", x, y[:, :, None], x, y, classes=None, description=""
        )
    with refused("E232", "(3,) in training and (2,) in the test"):
        datasets.from_arrays("set", x, y, x, y[:, :2], classes=None, description="")


def test_of_several_numbers_each_is_decided():
    p = np.array([[0.2, 0.9], [0.6, 0.4]])
    assert metrics.decisions("mse", p).tolist() == [[0, 1], [1, 0]]
    assert metrics.decisions("mse", p[:, :1]).tolist() == [0, 1]
    assert metrics.margins("mse", p) == pytest.approx(np.abs(p - 0.5))
    zero = np.zeros((2, 2))
    assert metrics.probability("binary_cross_entropy", zero).tolist() == [[0.5] * 2] * 2


def test_reverse_is_backwards_and_nothing_is_in_both_parts():
    d = tokens.load("reverse")
    assert np.array_equal(d.y_train, d.x_train[:, ::-1])
    assert np.array_equal(d.y_test, d.x_test[:, ::-1])
    strings = [set(map(tuple, x.tolist())) for x in (d.x_train, d.x_test)]
    assert [len(s) for s in strings] == [4000, 500]
    assert not strings[0] & strings[1]
    assert d.vocabulary[10] == tokens.START
    assert d.x_train.max() == 9  # nobody reads the start token


# -- embedding ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble", "complex128"])
def test_repeated_ids_add_up(shape, dtype):
    layers = import_module("scratch.layers")
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 3, shape)  # more places than ids; the last row is never used
    E, dh = rng.normal(size=(4, 7)), rng.normal(size=(*shape, 7))
    h, cache = layers.embedding_forward(ids, E.astype(dtype))
    assert h.shape == (*shape, 7)
    assert np.array_equal(h, E.astype(dtype)[ids])
    dE = layers.embedding_backward(dh.astype(dtype), cache)
    expected = np.zeros((4, 7), dtype)
    np.add.at(expected, ids, dh.astype(dtype))
    assert dE.dtype == np.dtype(dtype)
    assert np.abs(dE - expected).max() <= 16 * np.finfo(dtype).eps
    assert not dE[3].any()


# -- the loss at every position ----------------------------------------------------------


def sample(masked):
    rng = np.random.default_rng(1)
    B, T, V = 3, 5, 4
    batch = {"y": rng.integers(0, V, (B, T))}
    if masked:
        batch["y_mask"] = real_steps(rng, B, T)
    return batches.values(rng, B, T, V), batch


@pytest.mark.parametrize("masked", [False, True])
def test_scratch_loss_is_the_mean_over_real_tokens(masked):
    losses = import_module("scratch.losses")
    recipe = {"loss": "softmax_cross_entropy"}
    z, batch = sample(masked)
    loss, d = losses.of_tokens({"prediction": z}, batch, recipe)
    real = batch.get("y_mask", np.ones(z.shape[:2])) > 0
    assert loss == pytest.approx(
        metrics.loss("softmax_cross_entropy", z[real], batch["y"][real]), abs=8 * U
    )
    assert not d["prediction"][~real].any()
    direction = np.random.default_rng(2).normal(size=z.shape)
    moved = {"prediction": z + 1e-30j * direction}
    numeric = losses.of_tokens(moved, batch, recipe)[0].imag / 1e-30
    exact = (d["prediction"] * direction).sum()
    scale = np.abs(d["prediction"] * direction).sum()
    assert abs(exact - numeric) <= 64 * U * scale


def test_what_stands_in_the_padding_of_y_is_not_read():
    losses = import_module("scratch.losses")
    z, batch = sample(masked=True)
    padding = batch["y_mask"] == 0
    assert padding.any()
    other = batch | {"y": np.where(padding, 3 - batch["y"], batch["y"])}
    recipe = {"loss": "softmax_cross_entropy"}
    one, two = (losses.of_tokens({"prediction": z}, b, recipe) for b in (batch, other))
    assert one[0] == two[0]
    assert np.array_equal(one[1]["prediction"], two[1]["prediction"])


FRAMEWORK_LOSS = """
import json, sys
import numpy as np
from importlib import import_module
from parity_tests.test_tokens import sample
from nn_parity.registry import PACKAGES

def native(name, array):
    if name == "torch":
        import torch
        return torch.tensor(array)
    if name == "jax":
        import jax, jax.numpy as jnp
        jax.config.update("jax_enable_x64", True)
        return jnp.array(array)
    from keras import ops
    return ops.convert_to_tensor(array)

name = sys.argv[1]
losses = import_module(f"{PACKAGES[name]}.losses")
said = []
for masked in (False, True):
    z, batch = sample(masked)
    batch = {n: native(name, a) for n, a in batch.items()}
    recipe = {"loss": "softmax_cross_entropy"}
    said.append(float(losses.of_tokens({"prediction": native(name, z)}, batch, recipe)))
print(json.dumps(said))
"""


@pytest.mark.parametrize("framework", [f for f in INSTALLED if f != "scratch"])
def test_frameworks_have_the_same_loss(framework):
    import json

    done = python(["-c", FRAMEWORK_LOSS, framework])
    said = json.loads(done.stdout.splitlines()[-1])
    losses = import_module("scratch.losses")
    for masked, value in zip((False, True), said, strict=True):
        z, batch = sample(masked)
        loss, _ = losses.of_tokens(
            {"prediction": z}, batch, {"loss": "softmax_cross_entropy"}
        )
        assert abs(loss - value) <= 8 * U * max(1, loss)


# -- strings in the tables ---------------------------------------------------------------


def cell():
    recipe = {"loss": "softmax_cross_entropy", "epochs": 1}
    case = Case("reverse", "seq2seq", {}, recipe, dataset="reverse")
    return Cell(case, "torch", "float64")


def test_strings_differ_as_a_whole():
    want = np.array([[1, 2], [3, 4], [5, 6]])
    got = np.array([[1, 2], [3, 5], [5, 6]])
    key = Key("prediction", "tokens", "end")
    row = agreement._strings(cell(), key, got, want, EXACT)
    assert row["passed"] is False
    assert row["reason"] == "1 of 3 strings differ: 1 (3 5 for 3 4)"
    assert agreement._strings(cell(), key, want, want, EXACT)["passed"] is True
    assert agreement._strings(cell(), key, got, want, REPORTED)["status"] == "reported"


def test_accuracy_of_strings_is_the_share_of_exact_matches():
    y = np.array([[1, 2], [3, 4], [5, 6], [7, 8]])
    said = y.copy()
    said[2, 1] = 0
    right = {"record": "targets", "dataset": "reverse", "right": y.tolist()}
    right["loss"] = "softmax_cross_entropy"
    ours = {
        "prediction/test@end": np.zeros((4, 2, 9)),
        "prediction/tokens@end": said,
        "meta/test_loss": np.array(0.5),
    }
    record = accuracy.record(cell(), ours, decides=True)
    (row,) = accuracy.rows([right, record])
    assert (row["test_accuracy"], row["n_test"]) == (0.75, 4)
