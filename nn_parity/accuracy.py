"""Rows of accuracy.csv: what the trained networks are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity import metrics
from nn_parity.agreement import Cell
from nn_parity.transcripts import Transcript

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset
    from nn_parity.protocol import Case

COLUMNS = (
    "experiment", "dataset", "framework", "dtype", "seed", "epochs", "train_loss",
    "test_loss", "test_accuracy", "n_test", "disagreements_with_scratch", "status",
    "reason", "part", "accuracy_lo", "accuracy_hi",
)  # fmt: skip
KEYS = ("experiment", "part", "dataset", "framework", "dtype", "seed")  # of one row
RECORDS = ("targets", "training")  # the samples that the rows are made of
Sample = dict[str, Any]


# -- transcripts -> records ------------------------------------------------------------


def targets(case: Case, dataset: Dataset) -> Sample | None:
    """Return the record of the right answers of a test set; None where there are none."""
    if not is_classification(dataset):
        return None
    loss = case.recipe["loss"]
    right = metrics.truths(loss, dataset.y_test).tolist()
    return {"record": "targets", "dataset": dataset.name, "loss": loss, "right": right}


def record(cell: Cell, ours: Transcript, *, decides: bool) -> Sample:
    """Return the raw record of one training that a row is made of.

    It holds the strings of a network that generates, the decisions where one ``decides``
    between classes (what they come from stays in the transcript), else the predictions.
    Losses are means over all examples after the last epoch.
    """
    known = _known(cell)
    if "meta/diverged" in ours:
        step = int(ours["meta/diverged"])
        reason = f"loss not finite at step {step}; a smaller lr may help"
        return known | {"status": "diverged", "reason": reason}
    prediction = ours["prediction/test@end"]
    raw: Sample = {"status": "ok", "n_test": prediction[..., 0].size}
    for name, key in (
        ("losses_per_epoch", "meta/epoch_losses"),
        ("train_loss", "meta/train_loss"),
        ("test_loss", "meta/test_loss"),
    ):
        if key in ours:
            raw[name] = ours[key].tolist()
    if "prediction/tokens@end" in ours:
        raw["strings"] = ours["prediction/tokens@end"].tolist()
        raw["n_test"] = len(prediction)
    elif decides:
        decided = metrics.decisions(cell.case.recipe["loss"], prediction)
        raw["decisions"] = decided.tolist()
    elif prediction.size == raw["n_test"]:  # whole pictures stay in the transcript, too
        raw["predictions"] = prediction.tolist()
    return known | raw


def absent(cell: Cell, status: str, reason: str) -> Sample:
    """Return the record of a cell that has no result."""
    return _known(cell) | {"status": status, "reason": reason}


def is_classification(dataset: Dataset) -> bool:
    """Whether targets are classes, or zeros and ones of one unit."""
    if dataset.classes is not None:
        return True
    one = dataset.y_train.shape[1] == 1
    return one and set(np.unique(dataset.y_train)) <= {0.0, 1.0}


def _known(cell: Cell) -> Sample:
    return {
        "record": "training",
        "case": cell.case.name,
        "experiment": cell.case.experiment,
        "dataset": cell.case.dataset,
        "part": cell.case.label,
        "framework": cell.framework,
        "dtype": cell.dtype,
        "seed": cell.case.seeds[0],
        "epochs": cell.case.recipe["epochs"],
        "loss": cell.case.recipe["loss"],
    }


# -- records -> rows: the run and `verify` call the same functions -----------------------


def rows(records: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the rows of accuracy.csv; reads nothing but the records."""
    right = {
        (r["dataset"], r["loss"]): r["right"] for r in records if _is(r, "targets")
    }
    trainings = [r for r in records if _is(r, "training")]
    scratch = {
        (r["case"], r["dtype"]): r for r in trainings if r["framework"] == "scratch"
    }
    return [
        _row(
            r,
            scratch.get((r["case"], r["dtype"])),
            right.get((r["dataset"], r["loss"])),
        )
        for r in trainings
    ]


def _is(record: Sample, kind: str) -> bool:
    return record["record"] == kind


def _row(ours: Sample, scratch: Sample | None, right: Any) -> dict[str, Any]:
    fields = {name: ours.get(name, "") for name in COLUMNS}
    answers = "strings" if "strings" in ours else "decisions"
    if right is None or answers not in ours:
        return fields

    def same(given: Any) -> np.ndarray:
        """Whether each answer is this one; a string only as a whole: an exact match."""
        equal = np.array(ours[answers]) == np.array(given)
        return equal.all(axis=1) if answers == "strings" else equal

    hits = same(right)
    low, high = interval(int(hits.sum()), hits.size)
    fields |= {
        "test_accuracy": float(hits.mean()),
        "accuracy_lo": low,
        "accuracy_hi": high,
    }
    if scratch is not None and answers in scratch:
        fields["disagreements_with_scratch"] = int((~same(scratch[answers])).sum())
    return fields


def interval(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a proportion: Wilson (1927)."""
    from scipy.stats import binomtest

    found = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)
