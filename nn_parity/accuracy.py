"""Rows of accuracy.csv: what the trained networks are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nn_parity import agreement, metrics
from nn_parity.agreement import Cell
from nn_parity.transcripts import Transcript

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset

COLUMNS = (
    "experiment", "dataset", "framework", "dtype", "seed", "epochs", "train_loss",
    "test_loss", "test_accuracy", "n_test", "disagreements_with_scratch", "status",
    "reason", "part", "accuracy_lo", "accuracy_hi",
)  # fmt: skip


def row(
    cell: Cell, ours: Transcript, scratch: Transcript | None, dataset: Dataset
) -> dict[str, Any]:
    """Return one row; losses are means over all examples after the last epoch."""
    fields = _known(cell)
    if "meta/diverged" in ours:
        step = int(ours["meta/diverged"])
        return fields | {
            "status": "diverged",
            "reason": f"loss not finite at step {step}; a smaller lr may help",
        }
    prediction = ours["prediction/test@end"]
    loss = cell.case.recipe["loss"]
    fields |= {
        "test_loss": float(ours["meta/test_loss"]),
        "n_test": prediction[..., 0].size,
        "status": "ok",
    }
    if "meta/train_loss" in ours:
        fields["train_loss"] = float(ours["meta/train_loss"])
    if is_classification(dataset):
        right = metrics.decisions(loss, prediction) == metrics.truths(
            loss, dataset.y_test
        )
        low, high = interval(int(right.sum()), right.size)
        fields |= {
            "test_accuracy": float(right.mean()),
            "accuracy_lo": low,
            "accuracy_hi": high,
        }
        if scratch is not None and "prediction/test@end" in scratch:
            fields["disagreements_with_scratch"] = agreement.disagreements(
                cell.case, prediction, scratch["prediction/test@end"]
            )
    return fields


def absent(cell: Cell, status: str, reason: str) -> dict[str, Any]:
    """Return the row of a cell that has no result."""
    return _known(cell) | {"status": status, "reason": reason}


def sample(cell: Cell, ours: Transcript) -> dict[str, Any]:
    """Return the raw record that the row is made of."""
    kept = {
        "losses_per_epoch": "meta/epoch_losses",
        "train_loss": "meta/train_loss",
        "test_loss": "meta/test_loss",
        "predictions": "prediction/test@end",
        "diverged_at_step": "meta/diverged",
    }
    raw = {name: ours[key].tolist() for name, key in kept.items() if key in ours}
    return {"record": "training", "case": cell.case.name} | _known(cell) | raw


def is_classification(dataset: Dataset) -> bool:
    """Whether targets are classes, or zeros and ones of one unit."""
    import numpy as np

    return dataset.classes is not None or set(np.unique(dataset.y_train)) <= {0.0, 1.0}


def interval(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a proportion: Wilson (1927)."""
    from scipy.stats import binomtest

    found = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def _known(cell: Cell) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS, "") | {
        "experiment": cell.case.experiment,
        "dataset": cell.case.dataset,
        "part": cell.case.label,
        "framework": cell.framework,
        "dtype": cell.dtype,
        "seed": cell.case.seeds[0],
        "epochs": cell.case.recipe["epochs"],
    }
