"""The four idx files of a data set in one folder, read as a whole."""

import re
from pathlib import Path

import numpy as np

from nn_parity.datasets import idx
from nn_parity.datasets.dataset import Dataset, check_labels, from_arrays
from nn_parity.datasets.published import PUBLISHED, Published
from nn_parity.errors import Refusal

PARTS = {
    "train-images": "images",
    "train-labels": "labels",
    "t10k-images": "images",
    "t10k-labels": "labels",
}
_LAYOUT = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}  # torchvision's


def file_name(part: str) -> str:
    """Canonical name of a part, without .gz: ``train-images-idx3-ubyte``."""
    return f"{part}-idx{3 if PARTS[part] == 'images' else 1}-ubyte"


def find(folder: Path) -> dict[str, Path]:
    """Part -> file, for the parts that ``folder`` holds; gzip (it has a CRC) first."""
    found = {}
    for part in PARTS:
        dashed = file_name(part)
        names = (dashed, dashed.replace("-idx", ".idx"))
        for name in (n + ending for ending in (".gz", "") for n in names):
            if (folder / name).is_file():
                found[part] = folder / name
                break
    return found


def places(root: Path, name: str) -> list[Path]:
    """Folders below ``root`` in which the set ``name`` may lie."""
    below = [root / name]
    if name in _LAYOUT:
        below.append(root / _LAYOUT[name])
    if root.name == name or pinned(PUBLISHED.get(name)):
        below.append(root)  # a wrong set here would not pass its hashes
    return below


def require(folder: Path) -> dict[str, Path]:
    """All four files of ``folder``, or a refusal ``E230`` that names the missing."""
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "there is no such folder"
        fix = "give the folder that holds the four idx files"
        raise Refusal("E230", what, str(folder), fix)
    found = find(folder)
    if missing := [file_name(part) for part in PARTS if part not in found]:
        what = f"missing: {', '.join(missing)}"
        fix = "add them (with or without .gz), or give another folder"
        raise Refusal("E230", what, str(folder), fix)
    return found


def read(
    files: dict[str, Path], published: Published | None = None
) -> dict[str, idx.Idx]:
    """Read the files and check that they belong together.

    Raises
    ------
    Refusal
        What `idx.read` refuses; ``E209`` numbers of images and labels differ,
        ``E211`` not the published bytes, ``E220`` label out of range, ``E223`` one
        class only, ``E232`` pictures of two sizes.
    """
    contents = {part: read_part(path, part, published) for part, path in files.items()}
    _check_together(contents, files, published)
    return contents


def read_part(path: Path, part: str, published: Published | None) -> idx.Idx:
    """Read one of the four files, and compare it with its published hash."""
    content = idx.read(path, PARTS[part], shape=_shape(part, published))
    if published is not None and pinned(published):
        _check_sha256(content, published.sha256[part], path)
    return content


def dataset(
    name: str, contents: dict[str, idx.Idx], published: Published | None, folder: str
) -> Dataset:
    """Turn four checked files into a `Dataset`: pixels / 255, rounded to float32."""
    pixels = {part: contents[f"{part}-images"].values for part in ("train", "t10k")}
    y = {part: contents[f"{part}-labels"].values for part in ("train", "t10k")}
    n_train, height, width = pixels["train"].shape
    n_test = len(pixels["t10k"])
    classes = published.classes if published else int(y["train"].max()) + 1
    source = published.source if published else f"idx files in the folder {folder}"
    return from_arrays(
        name,
        _scaled(pixels["train"]),
        y["train"],
        _scaled(pixels["t10k"]),
        y["t10k"],
        classes=classes,
        image_shape=(height, width),
        description=(
            f"{name}: {source}; {n_train:,} training and {n_test:,} test images of "
            f"{height}x{width} pixels as their files split them, {classes} classes, "
            "pixels / 255 rounded to float32, not resampled; "
            + (
                "files as published."
                if pinned(published)
                else f"train-images sha256 {contents['train-images'].sha256[:12]}."
            )
        ),
    )


def size(contents: dict[str, idx.Idx]) -> str:
    """``60,000 + 10,000 images, 28x28``."""
    n_train, height, width = contents["train-images"].values.shape
    n_test = len(contents["t10k-images"].values)
    return f"{n_train:,} + {n_test:,} images, {height}x{width}"


def pinned(published: Published | None) -> bool:
    """Whether the hashes of this set are known, so that nothing else may pass."""
    return published is not None and bool(published.sha256)


def fits(contents: dict[str, idx.Idx], published: Published | None) -> bool:
    """Whether the set has the sizes of ``published``; nothing published fits all."""
    return published is None or all(
        contents[part].values.shape == _shape(part, published) for part in PARTS
    )


def name_by_bytes(contents: dict[str, idx.Idx]) -> str | None:
    """Name of the published set whose bytes these are."""
    for name, published in PUBLISHED.items():
        if published.sha256 and all(
            published.sha256[part] == content.sha256
            for part, content in contents.items()
        ):
            return name
    return None


def printable(name: str) -> str:
    """Return a folder's name without what could disturb a table or a terminal."""
    return re.sub(r"[^\w.+-]+", "_", name).strip("_.") or "data"


def _shape(part: str, published: Published | None) -> tuple[int, ...] | None:
    if published is None:
        return None
    n = published.n_train if part.startswith("train") else published.n_test
    side = (published.side, published.side)
    return (n, *side) if PARTS[part] == "images" else (n,)


def _check_sha256(content: idx.Idx, expected: str, path: Path) -> None:
    if content.sha256 != expected:
        what = f"other bytes than published: sha256 {content.sha256}, not {expected}"
        fix = "get the original; another set is loaded by its folder alone, --data DIR"
        raise Refusal("E211", what, str(path), fix)


def _check_together(
    contents: dict[str, idx.Idx], files: dict[str, Path], published: Published | None
) -> None:
    for part in ("train", "t10k"):
        images, labels = contents[f"{part}-images"], contents[f"{part}-labels"]
        if len(images.values) != len(labels.values):
            what = f"{len(images.values):,} images but {len(labels.values):,} labels"
            where = f"{files[f'{part}-images']}, {files[f'{part}-labels']}"
            raise Refusal("E209", what, where, "take both files from one set")
    train, test = (contents[f"{p}-images"].values.shape[1:] for p in ("train", "t10k"))
    if train != test:
        what = f"pictures of {train} pixels in training, of {test} in the test"
        where = f"{files['train-images']}, {files['t10k-images']}"
        raise Refusal("E232", what, where, "take all files from one set")
    y = contents["train-labels"].values
    classes = published.classes if published else int(y.max()) + 1
    for part in ("train-labels", "t10k-labels"):
        check_labels(contents[part].values, classes, str(files[part]))


def _scaled(pixels: np.ndarray) -> np.ndarray:
    flat = pixels.reshape(len(pixels), -1)
    return np.divide(flat, np.float32(255), dtype=np.float32)
