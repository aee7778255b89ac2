"""Check one implementation against a healthy run, case by case, and stop at the first row.

``python -m nn_parity.noticing REFERENCE_RUN FRAMEWORK DTYPE [WHAT...]`` ends with exit code
1 and the line of the failed row if anything differs. WHAT is a network, or a kind of
building block such as "loss"; without one, every network.
"""

import sys
from pathlib import Path

from nn_parity import agreement, keys, registry, results, transcripts
from nn_parity.agreement import Cell
from nn_parity.blocks import blocks
from nn_parity.protocol import Case
from nn_parity.transcripts import Transcript


def cases(what: str) -> tuple[Case, ...]:
    """Return the tiny cases of a network, or the building blocks of a kind."""
    if what in registry.networks():
        return registry.spec(what).cases
    return tuple(case for case in blocks() if case.name.startswith(f"{what} "))


def first_failure(
    run: results.Run, framework: str, dtype: str, chosen: tuple[str, ...]
) -> str | None:
    """Return the reason of the first row that fails, or None."""
    recorded = {(c.network, c.name): c for c in run.cases if dtype in c.dtypes}
    named = ((case.network, case.name) for what in chosen for case in cases(what))
    for case in (recorded[key] for key in named if key in recorded):
        ours = transcripts.record(case, framework, dtype, lambda text: None)
        for cell, got, reference in _pairs(run, case, framework, dtype, ours):
            for row in agreement.failures(agreement.compare(cell, got, reference)):
                return f"{case.name} {row['quantity']} {row['reason']}"
    return None


def _pairs(
    run: results.Run, case: Case, framework: str, dtype: str, ours: Transcript
) -> list[tuple[Cell, Transcript, Transcript]]:
    """Whom to compare: scratch with its truth and with the healthy others."""
    if framework != "scratch":
        reference = run.transcript(case, "scratch", dtype)
        return [(Cell(case, framework, dtype), ours, reference)]
    own = Cell(case, "scratch", dtype), keys.own(ours), keys.truth(ours)
    others = [
        (Cell(case, f, dtype), run.transcript(case, f, dtype), keys.own(ours))
        for f in run.environment["frameworks"]
        if f != "scratch" and run.transcript(case, f, dtype)
    ]
    return [own, *others]


def main() -> None:
    """Print the first failure, if there is one."""
    folder, framework, dtype, *what = sys.argv[1:]
    run = results.open_run(Path(folder))
    chosen = tuple(what) or registry.networks()
    reason = first_failure(run, framework, dtype, chosen)
    if reason is not None:
        print(f"NOTICED {reason}")
        sys.exit(1)


if __name__ == "__main__":
    main()
