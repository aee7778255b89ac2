"""Every deliberate bug turns the suite red.

Here a few of each package, spread over its files. All of them are tried by
`nn-parity mutants` (`make mutants`); in CI, all of scratch's.
"""

import pytest

from nn_parity import mutants, registry
from nn_parity.errors import Refusal
from nn_parity.mutants import Mutant
from parity_tests.conftest import INSTALLED, OTHERS, ROOT

ALL = mutants.listed(INSTALLED)


def some():
    """A few of each package; `make mutants` tries every one."""
    chosen = []
    for framework, number in {"scratch": 8, "torch": 3, "keras": 2, "jax": 3}.items():
        theirs = [m for m in ALL if m.framework == framework]
        chosen += theirs[:: max(1, len(theirs) // number)][:number]
    return chosen


@pytest.mark.parametrize("mutant", some(), ids=lambda m: f"{m.path}: {m.what}"[:90])
def test_mutant_is_killed(parity_run, mutant):
    if len(OTHERS) == 0 and mutant.framework == "scratch":
        pytest.skip("a scratch bug is found by comparing: install a framework")
    verdict = mutants.judge(mutant, parity_run.path)
    assert verdict.killed_by, f"survived: {mutant.what}"
    assert verdict.said


def test_there_are_mutants_in_every_package_and_file_of_it():
    assert len(mutants.listed(registry.FRAMEWORKS)) >= 80
    for framework in registry.FRAMEWORKS:
        files = {m.file for m in mutants.listed([framework])}
        assert {"lstm.py", "losses.py", "optimizers.py"} <= files, framework


@pytest.mark.parametrize("framework", registry.FRAMEWORKS)
def test_every_mutant_matches_its_file_exactly_once(framework):
    for mutant in mutants.listed([framework]):
        source = (ROOT / mutant.path).read_text(encoding="utf-8")
        assert source.count(mutant.old) == 1, mutant.what
        assert mutant.old != mutant.new


def test_healthy_code_passes_the_checks_that_mutants_fail(parity_run):
    """They notice bugs, not any change: another first line of a docstring is none."""
    old, new = '"""One neuron, from scratch.', '"""A neuron, from scratch.'
    same = Mutant("scratch", "neuron.py", old, new, "nothing is wrong")
    assert mutants.judge(same, parity_run.path).killed_by == ""


def test_a_mutant_that_matches_nothing_is_refused(tmp_path, parity_run):
    gone = Mutant("scratch", "neuron.py", "no such line", "x", "a stale mutant")
    with pytest.raises(Refusal, match="E403"):
        mutants.judge(gone, parity_run.path)
