"""Formats: told apart by their bytes, and how to get out of those that are not read."""

from pathlib import Path
from typing import NoReturn

from nn_parity.errors import Refusal
from nn_parity.weight_files.contents import AGAIN

_TORCH = (
    "import numpy, torch; w = torch.load('FILE', weights_only=True); "
    "numpy.savez('weights.npz', **{k: v.numpy() for k, v in w.items()})"
)
_KERAS = (
    "import keras, numpy; m = keras.models.load_model('FILE'); numpy.savez("
    "'weights.npz', **{v.path.replace('/', '.'): v.numpy() for v in m.weights})"
)
_SAFETENSORS = (
    "import numpy, safetensors.numpy as s; "
    "numpy.savez('weights.npz', **s.load_file('FILE'))"
)
CONVERT = {
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".ckpt": _TORCH,
    ".h5": _KERAS,
    ".hdf5": _KERAS,
    ".keras": _KERAS,
    ".safetensors": _SAFETENSORS,
}


def kind_of(raw: bytes, path: Path) -> str:
    """Tell the format by the bytes; a name can say anything."""
    if raw[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "npz"
    if raw[:4] == b"\x89HDF":
        refuse_foreign(".h5", path)
    if raw[8:9] == b"{" and int.from_bytes(raw[:8], "little") < len(raw):
        refuse_foreign(".safetensors", path)
    if raw[:1] == b"\x80":
        what = "this is a Python pickle, which can run any program when it is opened"
        fix = "where you trust it, save its arrays with numpy.savez('weights.npz', ...)"
        raise Refusal("E112", what, str(path), fix)
    if raw[:6] == b"\x93NUMPY":
        what = "this is one bare .npy array; it does not say which"
        raise Refusal("E119", what, str(path), "use numpy.savez(path, W_1=..., ...)")
    if path.suffix.lower() == ".csv":
        return "csv"
    what = f"neither .npz nor .csv: it begins with {raw[:8].hex(' ')}"
    raise Refusal("E119", what, str(path), AGAIN)


def refuse_foreign(suffix: str, path: Path) -> NoReturn:
    """Refuse a format of others, and say how to convert it."""
    what = f"{suffix} files are not read: they can hold programs, or lose values unseen"
    fix = (
        f'where you trust it, run python -c "{CONVERT[suffix]}", then give the arrays '
        "our names and the layout of x @ W"
    )
    raise Refusal("E125", what, str(path), fix)
