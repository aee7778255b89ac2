"""Accuracy over seeds: the mean, how far seeds spread, and who may be called better.

A seed is one draw of initial weights and of the order of examples; every framework gets
the same. So frameworks are compared within a seed, and the differences over seeds tell
whether there is one: two are tied unless the 95 % interval of their mean difference
excludes 0. The intervals are Student's t: with five seeds a bootstrap would be too short
(it has 126 distinct samples). The test set is one and the same, so they say nothing of
other test examples; the interval of accuracy.csv does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "experiment", "part", "dataset", "framework", "dtype", "epochs", "measure", "seeds",
    "mean", "sd", "low", "high", "n_test", "disagreements_with_scratch", "differs_from",
    "status",
)  # fmt: skip
ACCURACY, LOSS = "test accuracy (%)", "test loss"


def over_seeds(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each framework and dtype on each part of an experiment.

    Parameters
    ----------
    accuracy : DataFrame
        Rows of accuracy.csv, one for each seed.

    Returns
    -------
    DataFrame
        ``n_test`` is pooled, ``disagreements_with_scratch`` summed over the ``seeds``
        that ended well; ``differs_from`` names who differs by more than the seeds do.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    same = ["experiment", "part", "dataset", "dtype"]
    for key, group in accuracy.groupby(same, sort=False):
        known = dict(zip(same, key, strict=True))
        classes = group["test_accuracy"].notna().any()
        measured = {
            framework: _measured(cells, classes)
            for framework, cells in group.groupby("framework", sort=False)
        }
        for framework, cells in group.groupby("framework", sort=False):
            values = measured[framework]
            rows.append(
                known
                | {"framework": framework, "epochs": cells["epochs"].iloc[0]}
                | {"measure": ACCURACY if classes else LOSS}
                | _summary(list(values.values()), classes)
                | _counts(cells)
                | {"differs_from": _differing(framework, measured)}
                | {"status": _status(cells)}
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _measured(cells: pd.DataFrame, classes: bool) -> dict[int, float]:
    """Return what was measured, by seed; losses to four digits, as they are printed."""
    ended = cells[cells["status"] == "ok"]
    if classes:
        return dict(zip(ended["seed"], 100 * ended["test_accuracy"], strict=True))
    losses = [float(f"{loss:.4g}") for loss in ended["test_loss"]]
    return dict(zip(ended["seed"], losses, strict=True))


def _summary(values: Sequence[float], classes: bool) -> dict[str, Any]:
    known: dict[str, Any] = {"seeds": len(values)}
    if values:
        known["mean"] = float(np.mean(values))
    if len(values) > 1:
        low, high = interval(values)
        if classes:  # there is nothing below 0 % or above 100 %
            low, high = max(low, 0.0), min(high, 100.0)
        known |= {"sd": float(np.std(values, ddof=1)), "low": low, "high": high}
    return known


def _counts(cells: pd.DataFrame) -> dict[str, Any]:
    """Sum over the seeds; what no seed has stays missing."""
    ended = cells[cells["status"] == "ok"]
    return {
        name: ended[name].sum(min_count=1)
        for name in ("n_test", "disagreements_with_scratch")
    }


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of a mean, by Student's t (at least two values)."""
    from scipy.stats import t

    mean, n = float(np.mean(values)), len(values)
    half = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return mean - half, mean + half


def _differing(framework: str, measured: dict[str, dict[int, float]]) -> str:
    """Name those whose paired difference has an interval that excludes 0."""
    ours, found, pairs = measured[framework], [], 0
    for other, theirs in measured.items():
        both = sorted(ours.keys() & theirs.keys())
        if other == framework or len(both) < 2:
            continue
        pairs += 1
        difference = [ours[seed] - theirs[seed] for seed in both]
        low, high = interval(difference)
        if low > 0 or high < 0:
            mean = float(np.mean(difference))
            found.append(f"{other} by {mean:+.3g} ({low:.3g} to {high:.3g})")
    if not pairs:
        return "not compared"  # one seed, or nobody else
    return "; ".join(found) or "tied"


def _status(cells: pd.DataFrame) -> str:
    others = cells.loc[cells["status"] != "ok", "status"].value_counts()
    if others.empty:
        return "ok"
    return ", ".join(
        f"{count} of {len(cells)} {name}" for name, count in others.items()
    )
