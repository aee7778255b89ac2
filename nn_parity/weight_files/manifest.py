"""The manifest: what a file says about the weights in it, written and distrusted."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from nn_parity.errors import Refusal
from nn_parity.weight_files.contents import AGAIN, NAME, STATE, Arrays, Manifest
from nn_parity.weight_files.probes import probe

FORMAT, VERSION = "nn-parity weights", 1


def manifest_text(
    arrays: Arrays,
    *,
    network: str,
    sizes: Mapping[str, Any],
    recipe: Mapping[str, Any],
    origin: Mapping[str, Any],
) -> str:
    """Return the manifest of arrays, named as in the file, as one line of JSON."""
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "network": network,
        "sizes": dict(sizes),
        "recipe": dict(recipe),
        "origin": dict(origin),
        "arrays": {name: _describe(name, value) for name, value in arrays.items()},
    }
    return json.dumps(manifest, default=_plain, allow_nan=False)


def _describe(name: str, value: np.ndarray) -> dict[str, Any]:
    return {
        "kind": "state" if name.startswith(STATE) else "parameter",
        "shape": list(value.shape),
        "dtype": value.dtype.newbyteorder("<").str,
        "sha256": array_sha256(value),
        "probe": probe(value).tolist(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} cannot stand in a manifest")


def array_sha256(value: np.ndarray) -> str:
    """Hash values in C order and little-endian, whatever the machine."""
    little = np.asarray(value, value.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def parse_manifest(text: bytes, path: Path) -> Manifest:
    """Parse JSON that may be anything; what is returned has every key and type."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if twice := [key for key in keys if keys.count(key) > 1]:
            what = f"the manifest has the key {twice[0]!r} twice"
            raise Refusal("E110", what, str(path), AGAIN)
        return dict(pairs)

    def no_constant(word: str) -> NoReturn:
        refuse_manifest(f"{word} is no JSON", path)

    try:
        manifest = json.loads(
            text, object_pairs_hook=unique, parse_constant=no_constant
        )
    except (ValueError, RecursionError) as error:
        refuse_manifest(str(error), path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        refuse_manifest(f"it does not say {FORMAT!r}", path)
    version = manifest.get("version")
    if type(version) is not int or version < 1:
        refuse_manifest(f"version {version!r}", path)
    if version > VERSION:
        what = f"manifest version {version}, this nn-parity reads up to {VERSION}"
        raise Refusal("E124", what, str(path), "upgrade nn-parity")
    _check_manifest(manifest, path)
    return manifest


def _check_manifest(manifest: Manifest, path: Path) -> None:
    for key in ("network", "sizes", "recipe", "origin", "arrays"):
        if not isinstance(manifest.get(key), str if key == "network" else dict):
            refuse_manifest(f"{key} is {manifest.get(key)!r:.60}", path)
    if not NAME.fullmatch(manifest["network"]):
        refuse_manifest(f"network {manifest['network']!r:.60}", path)
    for name, entry in manifest["arrays"].items():
        if not isinstance(entry, dict) or not _is_entry(entry):
            refuse_manifest(f"the entry of {name[:60]!r}", path)


def _is_entry(entry: dict[str, Any]) -> bool:
    shape, numbers = entry.get("shape"), entry.get("probe")
    return (
        entry.get("kind") in ("parameter", "state")
        and entry.get("dtype") in ("<f4", "<f8")
        and isinstance(shape, list)
        and all(type(n) is int and n > 0 for n in shape)
        and isinstance(entry.get("sha256"), str)
        and isinstance(numbers, list)
        and all(type(v) is float for v in numbers)
    )


def refuse_manifest(what: str, path: Path) -> NoReturn:
    """Refuse a manifest as malformed."""
    fix = f"{AGAIN}; without its manifest a file is read with a note"
    raise Refusal("E141", f"malformed manifest: {what}", str(path), fix)


def in_words(mapping: Mapping[str, Any]) -> str:
    """Return the keys and values of a manifest's mapping for a message."""
    return ", ".join(f"{_text_of(key)} {_text_of(mapping[key])}" for key in mapping)


def _text_of(value: Any) -> str:
    """Shorten a value from a manifest, and keep terminal codes out of messages."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(c if c.isprintable() else "?" for c in text)[:80]
