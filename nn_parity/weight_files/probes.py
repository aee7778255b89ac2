"""Probes: a few numbers per matrix that betray what its shape cannot."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nn_parity.errors import Refusal


def probe(array: np.ndarray) -> np.ndarray:
    """Multiply an array by a fixed vector along its last axis, in float64.

    Shapes cannot betray a square matrix that was transposed on the way; these numbers
    do. Shape: (size / last axis,).
    """
    matrix = np.asarray(array).real.astype(np.float64)
    matrix = matrix.reshape(-1, matrix.shape[-1] if matrix.ndim else 1)
    return matrix @ _direction(matrix.shape[1])


def check_probes(
    params: Mapping[str, np.ndarray], manifest: Mapping[str, Any], *, where: str
) -> tuple[str, ...]:
    """Compare arrays with the probes of a manifest, for instance after loading.

    Call it with what an adapter exports (states under ``state/NAME``): it then proves
    that a framework holds the matrices that the file meant.

    Returns
    -------
    tuple of str
        Names that were compared; none when the file had no manifest.

    Raises
    ------
    Refusal
        ``E127``, naming the tensor and whether it looks transposed.
    """
    entries = manifest["arrays"]
    compared = tuple(name for name in params if name in entries)
    for name in compared:
        stored = np.array(entries[name]["probe"], np.float64)
        if not _agrees(params[name], stored):
            turned = params[name].ndim == 2 and _agrees(params[name].T, stored)
            said = "it looks transposed" if turned else "it holds other values"
            what = f"{name} does not give its probe values W v: {said}"
            raise Refusal("E127", what, where, "load x @ W layouts as they are")
    return compared


def _direction(n: int) -> np.ndarray:
    """Return v, n unlike numbers in (-1, 1) that binary fractions hold exactly."""
    return (2.0 * ((7919 * np.arange(n) + 11) % 8191) - 8191) / 8192


def _agrees(array: np.ndarray, stored: np.ndarray) -> bool:
    """Compare W v within the rounding of W to its dtype and of the sum itself."""
    found = probe(array)
    if found.shape != stored.shape:
        return False
    K = array.shape[-1] if array.ndim else 1
    unit = np.finfo(array.dtype).eps + (K + 8) * np.finfo(np.float64).eps
    scale = np.abs(np.asarray(array).real.astype(np.float64)).reshape(-1, K)
    scale = scale @ np.abs(_direction(K)) + np.finfo(array.dtype).tiny
    return bool(np.all(np.abs(found - stored) <= unit * scale))
