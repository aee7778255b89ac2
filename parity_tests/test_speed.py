"""Scratch holds its own: time against PyTorch's leanest loop, in the same minute."""

import numpy as np
import pytest

from nn_parity import recipes
from nn_parity.crew import Worker
from parity_tests.conftest import INSTALLED

ROUNDS = 15
# 0.26-0.27 of torch's time measured (2 cores of an AMD EPYC); without the workspace 0.34
LIMIT = 0.31


@pytest.mark.thorough
@pytest.mark.skipif(
    "torch" not in INSTALLED, reason="the ratio is one to PyTorch's time"
)
def test_a_lean_epoch_takes_a_fraction_of_eager_pytorch(tmp_path):
    """784-16-16-10, ReLU, SGD, batches of 64, float32, one thread each, interleaved."""
    changes = {"activation": "relu", "batch_size": 64, "lr": 0.01}
    ((case, _),) = recipes.cases("digits", changes=changes, seed=0)
    job = {"op": "time", "case": case.plain(), "kind": "train-epoch", "variant": "lean"}
    workers = {f: Worker(f, "float32", folder=tmp_path) for f in ("scratch", "torch")}
    try:
        ratios = []
        for number in range(ROUNDS):
            order = sorted(workers, reverse=bool(number % 2))
            cpu = {f: workers[f].run(job) for f in order}
            each = {f: answer["cpu"] / answer["steps"] for f, answer in cpu.items()}
            ratios.append(each["scratch"] / each["torch"])
    finally:
        for worker in workers.values():
            worker.close()
    assert np.median(ratios) < LIMIT
