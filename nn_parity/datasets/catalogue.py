"""Every data set by its name: load it, find it, bring it in."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from nn_parity.datasets import (
    cache,
    characters,
    curves,
    digits,
    download,
    folder,
    idx,
    sequences,
    tables,
    tokens,
)
from nn_parity.datasets.dataset import Dataset
from nn_parity.datasets.published import BUNDLED_SHA256, PUBLISHED, Published
from nn_parity.errors import Refusal
from nn_parity.suggest import nearest

_MAKERS = {
    name: maker
    for maker in (digits, tables, curves, tokens, sequences, characters)
    for name in maker.NAMES
}
BUNDLED = tuple(_MAKERS)
"""Names of the sets that need no file of the user's."""

_SIZES = {
    "digits": "1,437 + 360 images, 28x28",
    "digits-8x8": "1,437 + 360 images, 8x8",
    "digits-file-order": "1,437 + 360 images, 28x28",
    "digits-few": "200 + 360 images, 28x28",
    "digits-pictures": "1,437 + 360 images, 28x28",
    "binary-blitz": "4 + 1 rows of 3",
    "and": "4 + 4 rows of 2",
    "or": "4 + 4 rows of 2",
    "xor": "4 + 4 rows of 2",
    "hiring": "4 + 2 rows of 2",
    "identity-line": "5 + 4 rows of 1",
    "negation-line": "5 + 4 rows of 1",
    "feature-cross": "200 + 100 rows of 2",
    "feature-crossed": "200 + 100 rows of 3",
    "spiral": "200 + 100 rows of 2",
    "sine": "80 + 80 rows of 1",
    "point-pairs": "5 + 20 rows of 2x3",
    "adding": "4,000 + 500 sequences of 20x2",
    "adding-50": "4,000 + 500 sequences of 50x2",
    "reverse": "4,000 + 500 strings of 8",
    "characters": "1,124 + 24 windows of 32 letters",
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
        Folder with the four idx files, which takes the place of the set named: that
        is then called mnist if it has MNIST's bytes, else as its folder. Only
        ``mnist`` insists on its own bytes. When no folder is given, NN_PARITY_DATA,
        the user's cache and, for MNIST, a download are tried in this order.

    Raises
    ------
    Refusal
        ``E009`` no such data set, ``E2xx`` what is wrong with its files.
    """
    if data is None and name and _is_path(name):
        name, data = "", name
    if data is not None:
        return _given(str(name), Path(data).expanduser())
    if str(name) in BUNDLED:
        return _bundled(str(name))
    if not name:
        raise Refusal("E009", "no data set was named", "data", _known(""))
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
    names = dict.fromkeys([*PUBLISHED, *_own_names()])
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
        another set of this name is in it, ``E501`` disk full.
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


def _bundled(name: str) -> Dataset:
    dataset = _MAKERS[name].load(name)
    if dataset.sha256 != BUNDLED_SHA256[name]:
        what = f"other bytes: sha256 {dataset.sha256}, not {BUNDLED_SHA256[name]}"
        fix = "install the versions in constraints.txt"
        raise Refusal("E234", what, f"bundled data set {name}", fix)
    return dataset


def _given(name: str, path: Path) -> Dataset:
    """Load the folder that was asked for, and no other.

    A set whose hashes are known must be it. Any other name belongs to the set that
    the folder replaces, unless it is a new one.
    """
    published = PUBLISHED.get(name)
    files = folder.require(_inside(path, name))
    contents = folder.read(files, published if folder.pinned(published) else None)
    if by_bytes := folder.name_by_bytes(contents):
        name = by_bytes
    elif name in BUNDLED or not name or not folder.fits(contents, published):
        name = _own_name(path, contents)
    return folder.dataset(name, contents, PUBLISHED.get(name), _shown(path))


def _searched(name: str) -> Dataset:
    """Load from NN_PARITY_DATA, the cache, or the mirrors, in this order."""
    published = PUBLISHED.get(name)
    own = cache.root()
    for root in _roots():
        for place in folder.places(root, name):
            if len(folder.find(place)) == len(folder.PARTS):
                return _checked(name, place, mine=root == own)
    if not folder.pinned(published):
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
    try:
        contents = folder.read(files, published)
    except Refusal as refusal:
        if mine and refusal.code != "E230":
            _set_aside(files, refusal)
        raise
    if published is not None:
        _refuse_disguise(name, folder.name_by_bytes(contents), place)
    return folder.dataset(name, contents, published, _shown(place))


def _set_aside(files: dict[str, Path], refusal: Refusal) -> None:
    for path in files.values():
        if str(path) == refusal.where:
            bad = cache.quarantine(path)
            refusal.where += f", set aside as {bad.name}"
            refusal.fix = "run the command again, or `nn-parity data import PATH`"


def _import_file(path: Path) -> tuple[str, dict[str, idx.Idx]]:
    """Recognise one file by its bytes; its name may be what a browser made of it."""
    content = idx.read(path, idx.kind_of(path))
    for name, published in PUBLISHED.items():
        for part, sha256 in published.sha256.items():
            if content.sha256 == sha256:
                return name, {part: content}
    what = f"no file of a data set known to us: sha256 {content.sha256}"
    fix = "import the folder with all four files"
    raise Refusal("E211", what, str(path), fix)


def _roots() -> list[Path]:
    chosen = os.environ.get("NN_PARITY_DATA")
    return ([Path(chosen).expanduser()] if chosen else []) + [cache.root()]


def _own_names() -> list[str]:
    """Names of the user's own sets: folders with four idx files."""
    places = []
    for root in _roots():
        with contextlib.suppress(OSError):  # none there, or not for us to read
            places += [root, *sorted(root.iterdir())]
    names = [place.name for place in places if len(folder.find(place)) == 4]
    return [name for name in names if name not in BUNDLED]


def _is_path(name: str | Path) -> bool:
    """Whether a first argument means a folder and not the name of a set."""
    if isinstance(name, Path) or any(slash in name for slash in ("/", "\\")):
        return True
    return name not in (*BUNDLED, *PUBLISHED) and Path(name).expanduser().is_dir()


def _inside(path: Path, name: str) -> Path:
    """Return the folder itself, or the one below it that is laid out as usual."""
    below = [path, *folder.places(path, name)] if name else [path]
    return next((p for p in below if len(folder.find(p)) == 4), path)


def _own_name(path: Path, contents: dict[str, idx.Idx]) -> str:
    """Name a set after its folder, but never like one that is something else."""
    name = folder.printable(path.resolve().name)
    if name in (*BUNDLED, *PUBLISHED):
        name += f"-{contents['train-images'].sha256[:8]}"
    return name


def _shown(path: Path) -> str:
    """Name the folder without the path to it, which may name a person."""
    return folder.printable(path.resolve().name)


def _refuse_disguise(name: str, by_bytes: str | None, path: Path) -> None:
    if by_bytes is not None and by_bytes != name:
        what = f"these are the files of {by_bytes}, not of {name}"
        raise Refusal(
            "E211", what, str(path), f"give another folder, or load {by_bytes}"
        )


def _refuse_borrowed_name(
    name: str, contents: dict[str, idx.Idx], files: dict[str, Path], path: Path
) -> None:
    if name in BUNDLED:
        what = f"{name} is the name of a bundled data set"
        raise Refusal("E231", what, str(path), "rename the folder")
    if name in PUBLISHED and folder.name_by_bytes(contents) != name:
        try:
            folder.read(files, PUBLISHED[name])
        except Refusal as refusal:
            refusal.fix = f"get the original, or rename the folder: it is called {name}"
            raise


def _refuse_absent(name: str, attempts: str = "") -> NoReturn:
    """Say where was looked, what is missing there, and what to do."""
    where = f"searched: {'; '.join(_looked(name))}"
    if name in PUBLISHED:
        fix = "`nn-parity data import PATH`, --data DIR, or NN_PARITY_DATA=DIR"
        raise Refusal("E213", f"{name} was not found{attempts}", where, fix)
    raise Refusal("E009", f"no data set {name!r}", where, _known(name))


def _looked(name: str) -> Iterator[str]:
    """Every place that was searched, with what it lacks."""
    for root in _roots():
        if not root.is_dir():
            yield f"{root} (no such folder)"
            continue
        for place in folder.places(root, name):
            held = folder.find(place)
            missing = [folder.file_name(p) for p in folder.PARTS if p not in held]
            yield f"{place} (lacks {', '.join(missing)})" if held else str(place)


def _known(name: str) -> str:
    names = (*BUNDLED, *PUBLISHED)
    meant = nearest(name.lower(), names)
    return f"{meant} one of {', '.join(names)}, or --data DIR; see `nn-parity list`"


def _bundled_status(name: str, *, verify: bool) -> dict[str, Any]:
    found, where, ok = True, "nn_parity", True
    if name in digits.NAMES:
        path, ok = digits.source()
        found, where = path is not None, str(path or "")
    elif verify:
        ok = _MAKERS[name].load(name).sha256 == BUNDLED_SHA256[name]
    return {
        "name": name,
        "kind": "bundled",
        "found": found,
        "where": where,
        "size": _SIZES[name],
        "sha256_ok": ok if found else None,
        "problem": "",
        "get": "comes with scikit-learn" if name in digits.NAMES else "built in",
    }


def _idx_status(name: str, *, verify: bool) -> dict[str, Any]:
    published = PUBLISHED.get(name)
    pinned = folder.pinned(published)
    get = f"--data DIR, NN_PARITY_DATA=DIR or `nn-parity data import DIR` ({name})"
    row: dict[str, Any] = {
        "name": name,
        "kind": "idx",
        "found": False,
        "where": "",
        "size": _published_size(published),
        "sha256_ok": None,
        "problem": "",
        "get": f"downloaded when first used, or {get}" if pinned else get,
    }
    candidates = (p for root in _roots() for p in folder.places(root, name))
    place = next((p for p in candidates if len(folder.find(p)) == 4), None)
    if place is None:
        return row
    row.update(found=True, where=str(place))
    if verify:
        try:
            contents = folder.read(folder.find(place), published)
            row["size"] = folder.size(contents)
            row["sha256_ok"] = True if pinned else None
        except Refusal as refusal:
            row["problem"] = str(refusal)
            row["sha256_ok"] = False if pinned else None
    return row


def _published_size(published: Published | None) -> str:
    if published is None:
        return ""
    side, n = published.side, published
    return f"{n.n_train:,} + {n.n_test:,} images, {side}x{side}"
