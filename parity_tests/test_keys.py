"""The grammar of a transcript's keys: one place takes them apart."""

import re
from dataclasses import replace

import numpy as np
import pytest

from nn_parity import keys, registry, transcripts
from nn_parity.keys import Key
from nn_parity.protocol import TIERS
from parity_tests.conftest import ROOT


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("grad/W_1", ("grad", "W_1", "")),
        ("grad/d/x@upstream@seed=3", ("grad", "d/x", "upstream@seed=3")),
        ("state/m/W_1@50 updates", ("state", "m/W_1", "50 updates")),
        ("state/loaded/W_1", ("state", "loaded/W_1", "")),
        ("prediction/test@end", ("prediction", "test", "end")),
        ("truth/grad/W_1@B=1", ("truth", "grad/W_1", "B=1")),
    ],
)
def test_a_key_comes_apart_and_together_again(text, parts):
    key = Key.parse(text)
    assert tuple(key) == parts
    assert key.text == text
    assert f"{key.quantity}/{key.named}" == text


def test_a_tensor_names_its_parameter_and_what_of_it():
    moment = Key.parse("state/m/W_1@30 steps")
    assert (moment.parameter, moment.kind, moment.loaded) == ("W_1", "m", False)
    weight = Key.parse("state/loaded/W_1")
    assert (weight.parameter, weight.kind, weight.loaded) == ("W_1", "loaded", True)
    assert Key.parse("trained/W_1@end").kind == ""


def test_select_takes_one_quantity_at_one_point():
    transcript = {
        "trained/W@end": np.array(1),
        "trained/b@end": np.array(2),
        "trained/W@30 steps": np.array(3),
        "grad/W@end": np.array(4),
        "state/loaded/W": np.array(5),
        "state/m/W": np.array(6),
        "truth/trained/W@end": np.array(7),
    }
    assert keys.select(transcript, "trained", "end") == {"W": 1, "b": 2}
    assert keys.loaded(transcript) == {"W": 5}
    assert keys.truth(transcript) == {"trained/W@end": 7}
    assert keys.own(transcript).keys() == transcript.keys() - {"truth/trained/W@end"}


def test_what_a_worker_writes_is_read_back_as_it_was():
    case = replace(registry.spec("neuron").cases[0], tiers=TIERS)
    made = transcripts.record(case, "scratch", "float64", lambda text: None)
    assert {Key.parse(text).text for text in made} == set(made)
    assert set(keys.loaded(made)) == {"W", "b"}
    points = {Key.parse(text).point for text in made}
    assert {"", "upstream", "B=1", "50 updates", "100 steps"} <= points


def test_nobody_else_takes_keys_apart():
    """A point begins at "@"; only this module looks for it."""
    parsing = re.compile(r"""(partition|split|suffix|endswith)\(f?["']@""")
    found = {
        path.name
        for path in (ROOT / "nn_parity").rglob("*.py")
        if parsing.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"keys.py"}
