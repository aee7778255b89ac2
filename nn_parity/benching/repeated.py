"""Two benchmarks of the same work: how far apart their ratios are, and whether by chance.

The second may have run on another day, another machine, or with other versions: the
question is the same. Each ratio has an interval, found over launches (see `intervals`);
that of their difference follows from both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nn_parity.benching.intervals import LEVEL
from nn_parity.errors import Refusal
from nn_parity.results import Run

if TYPE_CHECKING:
    import pandas as pd

WORK = ("experiment", "part", "framework", "variant", "kind", "dtype", "batch_size",
        "threads")  # fmt: skip


def differences(first: Run, second: Run) -> pd.DataFrame:
    """Compare the ratios to scratch of two runs, row by row.

    Returns
    -------
    DataFrame
        A row for each work that both have measured. ``ratio_first`` and ``ratio_second`` are
        the ratios to scratch, ``difference_percent`` is how far the second is from the first,
        ``percent_from`` and ``percent_to`` enclose 95 %; ``contains_0`` is "yes" where this
        interval cannot tell them apart. ``cpu_difference_percent`` is the same of the ratios
        of CPU time. Both rows' flags stand beside it.

    Raises
    ------
    Refusal
        ``E604`` a run has no times; ``E609`` the two have no work in common.
    """
    both = _ratios(first).merge(_ratios(second), on=list(WORK), suffixes=("_1", "_2"))
    if both.empty:
        raise Refusal(
            "E609",
            "the two runs have timed nothing in common",
            f"{first.path}, {second.path}",
            "give two benchmarks of the same experiment",
        )
    found = both[list(WORK)].copy()
    found["ratio_first"] = both["ratio_to_scratch_1"]
    found["ratio_second"] = both["ratio_to_scratch_2"]
    moved = np.log(found["ratio_second"] / found["ratio_first"])
    reach = _reach(both)
    found["difference_percent"] = 100 * np.expm1(moved)
    found["percent_from"] = 100 * np.expm1(moved - reach)
    found["percent_to"] = 100 * np.expm1(moved + reach)
    found["contains_0"] = np.where(np.abs(moved) <= reach, "yes", "no")
    cpu = both["cpu_ratio_2"] / both["cpu_ratio_1"]
    found["cpu_difference_percent"] = 100 * (cpu - 1)
    found["flag_first"], found["flag_second"] = both["flag_1"], both["flag_2"]
    return found


def says(found: pd.DataFrame) -> str:
    """Return the one line that sums the differences up."""
    within = int((found["contains_0"] == "yes").sum())
    wall, cpu = (
        found[name].abs().median()
        for name in ("difference_percent", "cpu_difference_percent")
    )
    return (
        f"Median |difference| of the ratios: {wall:.1f} % of wall time, {cpu:.1f} % of CPU "
        f"time. The 95 % interval of the difference contains 0 in {within} of {len(found)} rows"
    )


def _ratios(run: Run) -> pd.DataFrame:
    """Return the rows that have an interval; scratch's basis, 1 by definition, has none."""
    speed = run.speed
    measured = speed[speed["ratio_lo"] < speed["ratio_hi"]].copy()
    half = np.log(measured["ratio_hi"] / measured["ratio_lo"]) / 2
    groups = measured["launches"].where(measured["launches"] > 1, measured["n"])
    measured["freedom"] = groups - 1
    measured["variance"] = (half / _quantile(measured["freedom"])) ** 2
    return measured[
        [*WORK, "ratio_to_scratch", "cpu_ratio", "variance", "freedom", "flag"]
    ]


def _reach(both: pd.DataFrame) -> pd.Series:
    """Half the width, on the log scale, of each difference's interval (Welch 1947)."""
    total = both["variance_1"] + both["variance_2"]
    freedom = total**2 / (
        both["variance_1"] ** 2 / both["freedom_1"]
        + both["variance_2"] ** 2 / both["freedom_2"]
    )
    return _quantile(freedom) * np.sqrt(total)


def _quantile(freedom: pd.Series) -> np.ndarray:
    """How many standard errors an interval reaches."""
    from scipy.stats import t

    return t.ppf((1 + LEVEL) / 2, freedom)
