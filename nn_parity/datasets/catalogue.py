"""Every data set by its name: load it, find it, bring it in."""

import difflib
import os
from pathlib import Path
from typing import Any

from nn_parity.datasets import cache, digits, download, folder, idx, tables
from nn_parity.datasets.dataset import Dataset
from nn_parity.datasets.published import BUNDLED_SHA256, PUBLISHED
from nn_parity.errors import Refusal

BUNDLED = digits.NAMES + tables.NAMES
"""Names of the sets that need no file of the user's."""

_SIZES = {
    "digits": "1,437 + 360 images, 28x28",
    "digits-8x8": "1,437 + 360 images, 8x8",
    "digits-file-order": "1,437 + 360 images, 28x28",
    "binary-blitz": "4 + 1 rows of 3",
    "and": "4 + 4 rows of 2",
    "or": "4 + 4 rows of 2",
    "xor": "4 + 4 rows of 2",
    "hiring": "4 + 2 rows of 2",
    "identity-line": "5 + 4 rows of 1",
    "negation-line": "5 + 4 rows of 1",
}


def load(name: str | Path = "", *, data: str | Path | None = None) -> Dataset:
    """Load a data set by name, or whatever idx set lies in a folder.

    Parameters
    ----------
    name : str or Path
        A bundled set (`BUNDLED`), ``mnist``, ``fashion-mnist``, or the name of a set
        that lies in NN_PARITY_DATA or in the cache. The path of a folder is taken as
        ``data``.
    data : str or Path, optional
        Folder with the four idx files. It comes first; NN_PARITY_DATA, the user's
        cache and, for MNIST, a download follow when it is not given. Without a name
        the set is called mnist if it has MNIST's bytes, else as its folder.

    Raises
    ------
    Refusal
        ``E001`` no such data set, ``E003`` a folder for a bundled set, ``E2xx`` what
        is wrong with its files.
    """
    if str(name) in BUNDLED:
        return _bundled(str(name), data)
    if data is None and name and _is_path(name):
        name, data = "", name
    if data is not None:
        return _given(str(name), Path(data).expanduser())
    if not name:
        raise Refusal("E001", "no data set was named", "data", _known(""))
    return _searched(str(name))


def status(*, verify: bool = True) -> list[dict[str, Any]]:
    """List every data set and where it was found; never refuses.

    Parameters
    ----------
    verify : bool
        Read the files in full (half a second for MNIST) instead of only finding them.

    Returns
    -------
    list of dict
        ``name``, ``kind`` ("bundled" or "idx"), ``found``, ``where``, ``size``,
        ``sha256_ok`` (None: not checked, or no hash is published), ``problem`` (a
        refusal's line or empty) and ``get`` (how to get it).
    """
    rows = [_bundled_status(name, verify=verify) for name in BUNDLED]
    names = list(PUBLISHED)
    for place in _roots():
        if place.is_dir():
            below = (p for p in sorted(place.iterdir()) if len(folder.find(p)) == 4)
            names += [p.name for p in below if p.name not in (*names, *BUNDLED)]
    return rows + [_idx_status(name, verify=verify) for name in names]


def import_path(path: str | Path) -> Path:
    """Check an idx folder, or one file of MNIST, and copy it into the user's cache.

    Returns
    -------
    Path
        The folder in the cache.

    Raises
    ------
    Refusal
        What `load` refuses; ``E228``, ``E229`` the cache cannot be written, ``E231``
        another set of this name is in it, ``E505`` disk full.
    """
    path = Path(path).expanduser()
    if path.is_file():
        name, contents = _import_file(path)
    else:
        files = folder.require(path)
        contents = folder.read(files)
        name = folder.name_by_bytes(contents) or folder.printable(path.resolve().name)
        _refuse_borrowed_name(name, contents, files, path)
    with cache.locked() as place:
        return cache.store(name, contents, place)


def _bundled(name: str, data: str | Path | None) -> Dataset:
    if data is not None:
        what = f"{name} is bundled and takes no folder"
        fix = "leave out data=, or load the folder itself: load(data=DIR), --data DIR"
        raise Refusal("E003", what, f"data={data}", fix)
    dataset = digits.load(name) if name in digits.NAMES else tables.load(name)
    if dataset.sha256 != BUNDLED_SHA256[name]:
        what = f"other bytes: sha256 {dataset.sha256}, not {BUNDLED_SHA256[name]}"
        fix = "install the versions in constraints.txt"
        raise Refusal("E234", what, f"bundled data set {name}", fix)
    return dataset


def _given(name: str, path: Path) -> Dataset:
    """Load the folder that was asked for, and no other."""
    published = PUBLISHED.get(name)
    files = folder.require(_inside(path, name))
    contents = folder.read(files, published)
    by_bytes = folder.name_by_bytes(contents)
    if published is not None:
        _refuse_disguise(name, by_bytes, path)
    elif by_bytes:
        name, published = by_bytes, PUBLISHED[by_bytes]
    else:
        name = name or _own_name(path, contents)
    return folder.dataset(name, contents, published, _shown(path))


def _searched(name: str) -> Dataset:
    """Load from NN_PARITY_DATA, the cache, or the mirrors, in this order."""
    published = PUBLISHED.get(name)
    own = cache.root()
    for root in _roots():
        for place in folder.places(root, name):
            if len(folder.find(place)) == len(folder.PARTS):
                return _checked(name, place, mine=root == own)
    if published is None or not published.sha256:
        _refuse_absent(name)
    try:
        place = download.fetch(name)
    except download.Unavailable as attempts:
        _refuse_absent(name, f"; download failed: {attempts}")
    return _checked(name, place, mine=True)


def _checked(name: str, place: Path, *, mine: bool) -> Dataset:
    """Load ``place``; a damaged file in our own cache is set aside as ``.bad``."""
    published = PUBLISHED.get(name)
    files = folder.find(place)
    for part, path in files.items() if mine else ():
        try:
            folder.read_part(path, part, published)
        except Refusal as refusal:
            bad = cache.quarantine(path)
            raise Refusal(
                refusal.code,
                refusal.what,
                f"{path}, set aside as {bad.name}",
                "run the command again, or `nn-parity data import PATH`",
            ) from refusal
    contents = folder.read(files, published)
    if published is not None:
        _refuse_disguise(name, folder.name_by_bytes(contents), place)
    return folder.dataset(name, contents, published, _shown(place))
