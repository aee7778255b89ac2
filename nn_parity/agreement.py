"""Transcripts -> rows of parity.csv: who agrees with the reference, and how closely.

The reference of torch, keras and jax is scratch in the same dtype; the reference of
scratch is its own longdouble run. The worst tensor names itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn_parity import extended, keys, metrics, registry, tolerances
from nn_parity.keys import Key, select
from nn_parity.protocol import Case
from nn_parity.tolerances import Gate
from nn_parity.transcripts import GATED_STEPS, Transcript

COLUMNS = (
    "network", "experiment", "framework", "dtype", "quantity", "tensor", "error_u",
    "error_rel", "gate", "passed", "status", "reason", "part", "max_ref", "moved", "why",
    "seed",
)  # fmt: skip
KEYS = (  # of one row
    "network", "experiment", "part", "framework", "dtype", "seed", "quantity", "tensor",
)  # fmt: skip
QUANTITIES = (  # in the order in which an error would spread
    "activation", "output", "loss", "grad", "state", "curve", "trained", "prediction",
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One framework and dtype on one case."""

    case: Case
    framework: str
    dtype: str

    def row(self, quantity: str, tensor: str, **fields: Any) -> Row:
        """One row of parity.csv; what is not given stays empty."""
        known = {
            "network": self.case.network,
            "experiment": self.case.experiment or self.case.name,
            "part": self.case.label,
            "framework": self.framework,
            "dtype": self.dtype,
            "quantity": quantity,
            "tensor": tensor,
            "seed": self.case.seeds[0],
        }
        return dict.fromkeys(COLUMNS, "") | known | fields


def absent(cell: Cell, status: str, reason: str) -> list[Row]:
    """Rows of a cell that has no transcript: one for each quantity, never none."""
    return [cell.row(q, "*", status=status, reason=reason) for q in QUANTITIES]


def of_cell(
    cell: Cell,
    ours: Transcript | None,
    scratch: Transcript | None,
    why_absent: tuple[str, str],
) -> list[Row]:
    """Return all rows of a cell; ``why_absent`` is status and reason if it has none."""
    if ours is None:
        return absent(cell, *why_absent)
    if scratch is None:
        return absent(cell, "withheld", "the reference has no result")
    if cell.framework == "scratch":
        rows = compare(cell, _short(ours, cell.case), keys.truth(ours))
    else:
        rows = compare(cell, ours, scratch)
    return [_conditioned(row, scratch, cell) for row in rows]


def _conditioned(row: Row, scratch: Transcript, cell: Cell) -> Row:
    """Return a failed row as a report if rounding alone leads its training astray."""
    key = Key.parse(f"{row['quantity']}/{row['tensor']}")
    nudged = scratch.get(f"nudged/{key.text}")
    if row["status"] != "failed" or nudged is None or row["error_rel"] == "":
        return row
    own = scratch[key.text]
    if nudged.shape != own.shape or not np.isfinite(nudged).all():
        return row
    scale = _scale(cell.case, key, scratch)
    moved = float(relative_error(key, nudged, own, scale).max())
    if row["error_rel"] > tolerances.CONDITION * moved:
        return row
    reason = (
        f"ill-conditioned: one unit in the last place of the initial weights moves scratch "
        f"itself by {moved:.1e} ({moved / tolerances.U[cell.dtype]:.0e} u)"
    )
    reason = f"{reason}; {row['reason']}"
    return row | {"passed": "", "status": "reported", "reason": reason}


def _short(transcript: Transcript, case: Case) -> Transcript:
    """Return scratch's transcript without the long training, which has no truth."""
    without = ["end"]
    if "steps" not in extended.affordable(case).tiers:
        without += [f"{steps} steps" for steps in GATED_STEPS.values()]
    return {
        text: array
        for text, array in keys.own(transcript).items()
        if Key.parse(text).point not in without
    }


def compare(cell: Cell, ours: Transcript, reference: Transcript) -> list[Row]:
    """Return one row for each tensor of the reference, and for each that is too many.

    What was loaded comes first, predictions last: the first failed row is the nearest to
    the cause.
    """
    got, want = _compared(ours), _compared(reference)
    rows = []
    for key in sorted(want.keys() | got.keys(), key=_rank):
        if key not in got or key not in want:
            lacking = "the reference" if key in got else cell.framework
            reason = f"{key.named} is missing in {lacking}"
            rows.append(_failed(cell, key, reason))
        elif key.point == tolerances.PADDING:  # compared with the framework itself
            rows.append(
                _row(cell, key, got[key], got[key._replace(point="")], reference)
            )
        else:
            rows.append(_row(cell, key, got[key], want[key], reference))
    if str(ours.get("meta/truth", "")) == "double":
        rows = [_untrue(row) if row["status"] == "ok" else row for row in rows]
    return rows + _diverged(cell, ours, reference)


def _untrue(row: Row) -> Row:
    """Return the row as a mere report: what it was compared with has no more digits."""
    reason = "longdouble is double on this platform: compared with itself"
    return row | {"passed": "", "status": "reported", "reason": reason}


def _compared(transcript: Transcript) -> dict[Key, np.ndarray]:
    found = ((Key.parse(text), array) for text, array in transcript.items())
    return {key: array for key, array in found if key.quantity in QUANTITIES}


def _rank(key: Key) -> tuple[int, str]:
    return (-1 if key.loaded else QUANTITIES.index(key.quantity)), key.text


def _failed(cell: Cell, key: Key, reason: str) -> Row:
    return cell.row(
        key.quantity, key.named, passed=False, status="failed", reason=reason
    )


def _diverged(cell: Cell, ours: Transcript, reference: Transcript) -> list[Row]:
    """Return a row if training ran into infinity: at the same step, or it failed."""
    steps = [
        int(t["meta/diverged"]) if "meta/diverged" in t else None
        for t in (ours, reference)
    ]
    if steps == [None, None]:
        return []
    reason = f"loss not finite at step {steps[0]}"
    gated = cell.framework != "scratch" and cell.dtype == "float64"
    if not gated:  # float32 is gated for its first steps only
        return [cell.row("curve", "loss@end", status="diverged", reason=reason)]
    return [
        cell.row(
            "curve", "loss@end", passed=steps[0] == steps[1], status="diverged",
            reason=f"{reason}, in the reference {steps[1]}",
        )
    ]  # fmt: skip


def _row(
    cell: Cell, key: Key, got: np.ndarray, want: np.ndarray, reference: Transcript
) -> Row:
    gate = tolerances.gate(*key, cell.case, (cell.framework, cell.dtype))
    if got.shape != want.shape:
        reason = f"{key.named}: shape {got.shape}, reference {want.shape}"
        return _failed(cell, key, reason)
    if not (np.isfinite(got).all() and np.isfinite(want).all()):
        reason = f"{key.named}: {np.sum(~np.isfinite(got))} values are not finite"
        return _failed(cell, key, reason)
    if key.quantity == "prediction" and key.tensor == "tokens":
        return _strings(cell, key, got, want, gate)
    if key.quantity == "prediction":
        return _prediction(cell, key, got, want, gate)
    return _tensor(cell, key, got, want, reference, gate)


def _tensor(
    cell: Cell,
    key: Key,
    got: np.ndarray,
    want: np.ndarray,
    reference: Transcript,
    gate: Gate,
) -> Row:
    quantity, named = key.quantity, key.named
    scale = _scale(cell.case, key, reference)
    error = relative_error(key, got, want, scale)
    worst = float(error.max())
    max_ref = float(np.abs(want).max())
    fields: Row = {
        "error_rel": worst,
        "error_u": worst / tolerances.U[cell.dtype],
        "max_ref": max_ref,
        "gate": "" if gate.value is None else gate.value,
        "why": gate.why,
    }
    start = reference.get(Key("state", f"loaded/{key.tensor}").text)
    if quantity == "trained" and start is not None:
        fields["moved"] = float(np.abs(want - start).max())
    if gate.value is None:
        return cell.row(quantity, named, status="reported", **fields)
    may_be_zero = _structural(cell.case, key) or key.point == "B=1"
    vacuous = "" if may_be_zero else _vacuous(cell.case, key, fields, gate.value, scale)
    if scale is not None and quantity != "trained":
        fields["why"] = f"zero by the equations: |error| <= gate * {scale:.2g}"
    elif scale is not None and scale > max_ref:
        fields["why"] += f"; |error| <= gate * {scale:.2g}, 1e-6 of the largest weight"
    own_recipe = bool(cell.case.experiment)  # a user may ask for what compares nothing
    if vacuous and own_recipe and worst <= gate.value:
        return cell.row(quantity, named, status="reported", reason=vacuous, **fields)
    passed = worst <= gate.value and not vacuous
    if not passed:
        index = np.unravel_index(int(error.argmax()), error.shape)
        exact = reference.get(f"truth/{key.text}")
        fields["reason"] = (vacuous if worst <= gate.value else "") or (
            f"{named}{list(map(int, index))}: {cell.framework} {got[index]:.17g}, "
            f"reference {want[index]:.17g}, error {worst:.2g} > gate {gate.value:.2g}"
            + ("" if exact is None else f", extended precision {exact[index]:.17g}")
        )
    status = "ok" if passed else "failed"
    return cell.row(quantity, named, passed=passed, status=status, **fields)


def _structural(case: Case, key: Key) -> bool:
    """Whether the equations make this tensor's gradient zero."""
    return key.parameter in registry.spec(case.network).zeros(case.recipe)


def _scale(case: Case, key: Key, reference: Transcript) -> float | None:
    """Return what a tensor that may be nearly zero is measured with; None: with itself.

    A gradient (or moment) that is zero by the equations is measured with the largest of
    all gradients at the same point; a trained weight with a millionth of the largest
    one at least, as a bias that ends near zero is the difference of terms of that size.
    """
    small = _structural(case, key) and key.quantity in ("grad", "state")
    if key.loaded or not (small or key.quantity == "trained"):
        return None
    largest = max(
        float(np.abs(array).max())
        for tensor, array in select(reference, key.quantity, key.point).items()
        if tensor.startswith(key.kind)
    )
    if small:
        return largest
    own = float(np.abs(reference[key.text]).max())
    return max(own, tolerances.SMALLEST_TRAINED * largest)


def _smallest(dtype: np.dtype) -> float:
    """Return what counts as zero: below, numbers are stored with fewer digits or as 0."""
    kind = np.finfo(np.float32 if dtype == np.float32 else np.float64)
    return float(kind.tiny / kind.eps)


def relative_error(
    key: Key, got: np.ndarray, want: np.ndarray, scale: Any = None
) -> np.ndarray:
    """|got - want| on the scale of the tensor, elementwise; its maximum is the error.

    The scale is max|want| unless given; for a loss max(1, |loss|); in the optimizer tier
    the largest value of each row so far, so that rows of 1e-9 count as much as rows of 1
    (so far, because a moment that passes through zero has terms that cancel).
    """
    wide = np.result_type(got, want, np.float64)
    difference = np.abs(got.astype(wide) - want.astype(wide))
    size = np.abs(want.astype(wide))
    if scale is not None:
        pass
    elif key.quantity == "loss":
        scale = np.maximum(1, size)
    elif key.point == "50 updates" and size.ndim > 1:
        rows = size.reshape(*size.shape[:2], -1).max(axis=2)
        rows = np.maximum.accumulate(rows, axis=0)
        scale = rows.reshape(*size.shape[:2], *[1] * (size.ndim - 2))
    else:
        scale = size.max()
    scale = np.maximum(scale, _smallest(got.dtype))
    return difference / scale


def _vacuous(
    case: Case, key: Key, fields: Row, gate: float, scale: float | None
) -> str:
    """Why a comparison would pass whatever the framework does, or "" if it would not."""
    max_ref, moved = fields["max_ref"], fields.get("moved")
    units = {layer["name"] for layer in case.recipe.get("layers", ())}
    units.update(case.recipe.get("activations", ()))
    threshold = not units.isdisjoint(("step", "sign"))  # their slope is exactly zero
    if key.quantity == "grad" and max_ref == 0 and not threshold:
        return "vacuous: the reference gradient is zero everywhere"
    if moved is not None and moved <= 100 * gate * (scale or max_ref):
        return f"vacuous: training moved this tensor by only {moved:.2g}"
    return ""


def _prediction(
    cell: Cell, key: Key, got: np.ndarray, want: np.ndarray, gate: Gate
) -> Row:
    """Decisions must be the same, except where the margin is below the gate."""
    loss = cell.case.recipe["loss"]
    ours, theirs = (metrics.decisions(loss, p).ravel() for p in (got, want))
    differ = np.flatnonzero(ours != theirs)
    scale = float(np.abs(want).max()) or 1.0
    margin = metrics.margins(loss, want).ravel()[differ] / scale
    listed = ", ".join(
        f"{row} ({a} for {b}, margin {m:.1e})"
        for row, a, b, m in zip(
            differ[:20], ours[differ], theirs[differ], margin, strict=False
        )
    )
    reason = f"{len(differ)} of {len(ours)} decisions differ"
    error = float(relative_error(key, got, want).max())
    fields = {
        "error_rel": error,
        "error_u": error / tolerances.U[cell.dtype],
        "max_ref": float(np.abs(want).max()),
        "gate": "" if gate.value is None else gate.value,
        "reason": f"{reason}: {listed}" if listed else reason,
        "why": gate.why,
    }
    if gate.value is None:
        return cell.row(key.quantity, key.named, status="reported", **fields)
    passed = bool((margin < gate.value).all())
    status = "ok" if passed else "failed"
    return cell.row(key.quantity, key.named, passed=passed, status=status, **fields)


def _strings(
    cell: Cell, key: Key, got: np.ndarray, want: np.ndarray, gate: Gate
) -> Row:
    """Strings that a network has generated are the same token by token, or they differ."""
    differ = np.flatnonzero((got != want).any(axis=1))
    listed = ", ".join(
        f"{row} ({' '.join(map(str, got[row]))} for {' '.join(map(str, want[row]))})"
        for row in differ[:20]
    )
    reason = f"{len(differ)} of {len(got)} strings differ"
    fields = {
        "error_rel": len(differ) / len(got),
        "gate": "" if gate.value is None else gate.value,
        "reason": f"{reason}: {listed}" if listed else reason,
        "why": gate.why,
    }
    if gate.value is None:
        return cell.row(key.quantity, key.named, status="reported", **fields)
    passed = not len(differ)
    status = "ok" if passed else "failed"
    return cell.row(key.quantity, key.named, passed=passed, status=status, **fields)


def failures(rows: list[Row]) -> Iterator[Row]:
    """Yield the rows that turn a run red."""
    return (row for row in rows if row["passed"] is False)
