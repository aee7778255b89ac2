"""Loading is all or nothing: each adapter refuses what the frameworks take silently."""

import json

import pytest

from parity_tests.conftest import INSTALLED, python

WORDS = {  # what the refusal must say
    "missing": ["b_2"],
    "extra": ["W_9"],
    "transposed": ["W_1", "(7, 5)", "(5, 7)"],
    "one bias for all": ["b_1", "(5,)", "(1,)"],
    "nan": ["W_1"],
    "inf": ["b_3"],
    "state that it has not": ["mean"],
    "gradient of nothing": ["W_7"],
    "optimizer state missing": ["t"],
    "optimizer state extra": ["m/W_9"],
    "targets of another shape": ["3)", "1)"],  # Keras' batch axis is None
}


@pytest.fixture(scope="module")
def answers():
    known = {}

    def ask(framework):
        if framework not in known:
            done = python(["-m", "parity_tests.probes.refuse", framework])
            known[framework] = json.loads(done.stdout.splitlines()[-1])
        return known[framework]

    return ask


@pytest.mark.parametrize("framework", INSTALLED)
@pytest.mark.parametrize("wrong", WORDS)
def test_adapter_refuses_in_one_clear_line(answers, framework, wrong):
    answer = answers(framework)[wrong]
    assert answer.startswith("ValueError: "), answer
    assert "\n" not in answer
    for word in WORDS[wrong]:
        assert word in answer


@pytest.mark.parametrize("framework", INSTALLED)
def test_a_refused_load_changes_nothing(answers, framework):
    assert answers(framework)["weights untouched"] == "True"
