"""Write a weight file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nn_parity import files
from nn_parity.errors import Refusal
from nn_parity.weight_files import csv_text, npz
from nn_parity.weight_files.checks import check_finite
from nn_parity.weight_files.contents import NAME, STATE
from nn_parity.weight_files.manifest import manifest_text


def write(
    path: str | Path,
    params: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    *,
    network: str,
    sizes: Mapping[str, Any],
    origin: Mapping[str, Any],
    recipe: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Path:
    """Write weights, the whole file or nothing; equal weights give equal bytes.

    Parameters
    ----------
    path : str or Path
        ``.npz`` or ``.csv``.
    params, state : Mapping
        Canonical name -> float32 or float64 array in canonical layout.
    network, sizes, recipe
        What the weights belong to; of the recipe, what a reader needs to use them.
    origin : Mapping
        Where they come from: seed, experiment, framework, commit.
    force : bool
        Replace a file that exists.

    Raises
    ------
    Refusal
        ``E012`` the file exists, ``E102`` not float32 or float64, ``E105`` NaN or
        infinite, ``E116`` a name that is no identifier, ``E121`` an empty tensor,
        ``E125`` another suffix, ``E501`` disk full, ``E502`` not writable.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".csv"):
        what = f"cannot write {suffix or 'a file without suffix'}"
        raise Refusal("E125", what, str(path), "end the name in .npz or .csv")
    if path.exists() and not force:
        raise Refusal(
            "E012", "the file exists", str(path), "choose another, or --force"
        )
    if not params:
        raise Refusal("E107", "there are no weights to write", str(path), "give some")
    arrays = {name: _writable(name, value, path) for name, value in params.items()}
    for name, value in state.items():
        arrays[f"{STATE}{name}"] = _writable(name, value, path)
    manifest = manifest_text(
        arrays, network=network, sizes=sizes, recipe=recipe or {}, origin=origin
    )
    encode = npz.encode if suffix == ".npz" else csv_text.encode
    content = encode(arrays, manifest)
    try:
        files.write(path, lambda stream: stream.write(content))
    except OSError as error:
        what = f"cannot write: {error.strerror or error}"
        raise Refusal("E502", what, str(path), "choose another folder") from error
    return path


def _writable(name: str, value: Any, path: Path) -> np.ndarray:
    value = np.asarray(value)
    if not NAME.fullmatch(name):
        what = f"{name!r} is no name for a tensor"
        raise Refusal("E116", what, str(path), "use letters, digits and _")
    value = np.asarray(value, value.dtype.newbyteorder("="))
    if value.dtype not in (np.float32, np.float64):
        what = f"{name} is {value.dtype}, expected float32 or float64"
        raise Refusal("E102", what, str(path), "convert it first")
    if value.size == 0:
        what = f"{name} of shape {value.shape} holds nothing"
        raise Refusal("E121", what, str(path), "leave it out")
    check_finite(name, value, path)
    return np.array(value, order="C")
