"""What only a network that reads strings and writes others has: decoding, two paddings."""

import json

import numpy as np
import pytest

from nn_parity import compare, datasets, extended, inputs, predict, recipes, registry
from nn_parity.errors import Refusal
from nn_parity.specs.seq2seq import SPEC, taught
from parity_tests.conftest import INSTALLED, OTHERS, python


def built(framework, name):
    (case,) = (c for c in SPEC.cases if c.name == name)
    given = inputs.of(case)
    adapter = registry.build(framework, case, dtype="float64")
    adapter.load(given.params, given.state)
    return adapter, given.train, case.sizes


def looked_at(framework):
    """What each test below asks of one framework, as JSON-ready data."""
    adapter, batch, sizes = built(framework, "padded")
    read = {name: a for name, a in batch.items() if not name.startswith("y")}
    tokens = adapter.generate(read)
    again = taught(sizes["V"], read["x"], tokens) | {"mask": batch["mask"]}
    told = adapter.forward(again, train=False)["prediction"].argmax(axis=2)

    padding = batch["y_mask"] == 0
    other = {n: sizes["V"] - 2 - batch[n] for n in ("y", "y_in")}
    other["y_in"] = np.abs(other["y_in"])
    other = batch | {n: np.where(padding, a, batch[n]) for n, a in other.items()}
    losses, grads = zip(*map(adapter.losses_and_grads, (batch, other)), strict=True)
    moved = [n for n in grads[0] if not np.array_equal(grads[0][n], grads[1][n])]
    return {
        "tokens": np.asarray(tokens).tolist(),
        "told": told.tolist(),
        "padding differs": bool((other["y"] != batch["y"]).any()),
        "losses": [loss["loss"] for loss in losses],
        "moved": moved,
        "inputs": [name for name in grads[0] if name.startswith("d/")],
    }


@pytest.fixture(scope="module", params=INSTALLED)
def seen(request):
    code = (
        "import json, sys; from parity_tests.test_seq2seq import looked_at;"
        "print(json.dumps(looked_at(sys.argv[1])))"
    )
    done = python(["-c", code, request.param])
    return json.loads(done.stdout.splitlines()[-1])


def test_each_token_is_the_likeliest_after_those_before_it(seen):
    """One step at a time, or the whole answer at once by teacher forcing: the same."""
    assert seen["tokens"] == seen["told"]
    assert np.shape(seen["tokens"]) == (16, 5)
    assert len({tuple(row) for row in seen["tokens"]}) > 1  # they depend on x


def test_what_stands_in_the_padding_of_y_changes_no_bit(seen):
    assert seen["padding differs"]
    assert seen["losses"][0] == seen["losses"][1]
    assert seen["moved"] == []


def test_token_ids_have_no_gradient(seen):
    assert seen["inputs"] == []


def test_the_decoder_sees_the_start_token_and_then_what_was_right():
    x = np.array([[0, 1, 2]])
    assert taught(9, x, x[:, ::-1])["y_in"].tolist() == [[8, 2, 1]]


def test_a_truth_too_slow_to_train_is_its_first_pass():
    ((reverse, _),) = recipes.cases("reverse", changes={}, seed=0)
    assert "steps" not in extended.affordable(reverse).tiers
    ((small, _),) = recipes.cases("reverse", changes={"hidden": "8"}, seed=0)
    assert extended.affordable(small).tiers == small.tiers


def test_pictures_are_no_strings():
    with pytest.raises(Refusal, match="no strings of tokens") as info:
        SPEC.resolve({"hidden": (8,), "embedding": 3}, datasets.load("digits-8x8"))
    assert info.value.code == "E008"


QUICK = {"hidden": "8", "epochs": "1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("3,1,4", "3 tokens"),
        ("3,1,4,1,5,9,2,6,5", "9 tokens"),
        ("3,1,4,1,5,9,2,10", "'10'"),
        ("3,1,4,1,5,9,2,start", "'start'"),
        ("3,1,4,1,5,9,2,-1", "'-1'"),
        ("3,1,4,1,5,9,2,6.5", "'6.5'"),
        ("31415926", "'31415926'"),
        ("", "''"),
        ("test:500", "test:0 to test:499"),
    ],
)
def test_a_string_that_cannot_be_read_is_refused_in_one_line(given, said):
    with pytest.raises(Refusal) as info:
        predict("reverse", [given], frameworks="scratch", settings=QUICK)
    line = str(info.value)
    assert info.value.code == "E016"
    assert said in line
    assert "\n" not in line


def test_predict_answers_with_a_string():
    given = ["3,1,4,1,5,9,2,6", "test:0"]
    table = predict("reverse", given, frameworks="scratch", settings=QUICK)
    assert table["input"].tolist() == given
    for answer in table["scratch"]:
        digits = answer.split(",")
        assert len(digits) == 8
        assert set(digits) <= {*map(str, range(10)), "start"}


@pytest.mark.skipif(not OTHERS, reason="nobody to compare with")
def test_generated_strings_are_compared_and_counted(tmp_path):
    run = compare(
        "reverse",
        frameworks=OTHERS[:1],
        dtype="float64",
        settings=QUICK,
        speed=False,
        out=tmp_path / "run",
    )
    rows = run.parity[run.parity["tensor"] == "tokens@end"]
    (row,) = rows.itertuples()
    assert row.framework == OTHERS[0]
    assert row.quantity == "prediction"
    assert row.passed
    assert row.gate == 0
    assert row.reason == "0 of 500 strings differ"
    assert (run.accuracy["n_test"] == 500).all()
    assert (run.accuracy["disagreements_with_scratch"] == 0).all()
    tokens = run.transcript(run.cases[0], "scratch", "float64")["prediction/tokens@end"]
    share = (tokens == datasets.load("reverse").y_test).all(axis=1).mean()
    assert (run.accuracy["test_accuracy"] == share).all()
