"""Checks: what the tensors of a file must satisfy before they are used."""

import math
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from nn_parity.errors import Refusal
from nn_parity.weight_files.contents import AGAIN, File, Manifest, Shapes
from nn_parity.weight_files.manifest import in_words


def check_inventory(file: File, manifest: Manifest) -> None:
    """Compare the members of a file with its manifest, before anything is unpacked."""
    listed = manifest["arrays"]
    if missing := [name for name in listed if name not in file.members]:
        what = f"the manifest lists {', '.join(missing)}, but the file lacks it"
        raise Refusal("E107", what, str(file.path), AGAIN)
    for name, member in file.members.items():
        if name not in listed:
            what = f"{name} is not in the manifest"
            raise Refusal("E108", what, str(file.path), AGAIN)
        entry = listed[name]
        said = (tuple(entry["shape"]), np.dtype(entry["dtype"]).newbyteorder("="))
        held = (member.shape, member.dtype.newbyteorder("="))
        if said != held:
            what = (
                f"{name} is declared as {held[1]} {held[0]}, "
                f"the manifest says {said[1]} {said[0]}"
            )
            raise Refusal("E114", what, str(file.path), AGAIN)


def check_network(file: File, network: str) -> None:
    """Compare the network that a manifest names; a plain file names none."""
    if file.manifest is None:
        return
    written = file.manifest["network"]
    if written != network:
        what = f"these are weights of {written} ({in_words(file.manifest['sizes'])})"
        fix = f"give weights of {network}, or choose an experiment with {written}"
        raise Refusal("E123", f"{what}, expected {network}", str(file.path), fix)


def check_names(file: File, wanted: Shapes) -> None:
    """Refuse tensors that are missing or over, with the nearest names."""
    missing = [name for name in wanted if name not in file.members]
    extra = [name for name in file.members if name not in wanted]
    if not missing and not extra:
        return
    near = {m: get_close_matches(m, extra, n=1, cutoff=0.5) for m in missing}
    renames = [f"rename {found[0]} to {name}" for name, found in near.items() if found]
    parts = []
    if missing:
        parts.append(f"missing {_list(missing, wanted)}")
    if extra:
        held = {name: file.members[name].shape for name in extra}
        parts.append(f"not known {_list(extra, held)}")
    fix = ", ".join(renames) or f"expected are exactly {', '.join(wanted)}"
    code = "E107" if missing else "E108"
    raise Refusal(code, "; ".join(parts), str(file.path), fix)


def _list(names: Sequence[str], shapes: Shapes) -> str:
    said = ", ".join(f"{name[:60]} {tuple(shapes[name])}" for name in names[:8])
    return said + (f" and {len(names) - 8} more" if names[8:] else "")


def check_shapes(file: File, wanted: Shapes) -> None:
    """Refuse other shapes; say so where the layout of another framework shows."""
    wrong = [n for n in wanted if file.members[n].shape != tuple(wanted[n])]
    if not wrong:
        return
    name = wrong[0]
    found, shape = file.members[name].shape, tuple(wanted[name])
    what = f"{name} has shape {found}, expected {shape}{_layout_hint(found, shape)}"
    if wrong[1:]:
        what += f"; as wrong: {', '.join(wrong[1:])}"
    fix = "write it in the layout that x @ W needs, channels last"
    if file.manifest:
        fix += f"; the file was made for {in_words(file.manifest['sizes'])}"
    raise Refusal("E101", what, str(file.path), fix)


def _layout_hint(found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if len(found) == 2 and found == shape[::-1]:
        return ": it looks transposed, as torch keeps it (outputs, inputs)"
    if len(found) == len(shape) == 4 and found == (shape[3], shape[2], *shape[:2]):
        return ": it looks like torch's (outputs, inputs, height, width)"
    if math.prod(found) == math.prod(shape):
        return ": the number of values is right, their arrangement is not"
    return ""


def check_dtypes(file: File, target: np.dtype, *, cast: bool) -> None:
    """Refuse what is no float, and what would be rounded without being asked."""
    for name, member in file.members.items():
        held = member.dtype.newbyteorder("=")
        fix = "save it as float32 or float64"
        if held in (np.float32, np.float64):
            fix = "use --dtype float64, or --cast to round (it will be recorded)"
            rounds = cast and target == np.float32
            if rounds or np.can_cast(held, target, "safe"):
                continue
        what = f"{name} is {held}, expected {target}"
        raise Refusal("E102", what, str(file.path), fix)


def check_finite(name: str, value: np.ndarray, path: Path) -> None:
    """Refuse NaN and infinity, naming the first."""
    finite = np.isfinite(value)
    if finite.all():
        return
    index = tuple(int(i) for i in np.argwhere(~finite)[0])
    count = finite.size - np.count_nonzero(finite)
    what = f"{name} holds {value[index]} at index {index}; {count:,} are not finite"
    raise Refusal("E105", what, str(path), "use weights from before the divergence")
