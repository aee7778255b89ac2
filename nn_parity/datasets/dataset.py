"""A data set: four arrays, what they are, and the hash of their bytes."""

import hashlib
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from nn_parity.errors import Refusal

PARTS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test examples that every implementation receives alike.

    Attributes
    ----------
    name : str
        What a table calls it.
    x_train, x_test : numpy.ndarray
        float32, shape (N, D) or (N, T, D). Sixty thousand pictures would need
        376 MB in float64; the values are the same there, since every one of them is
        a float32: the adapter converts to its own dtype. int64, shape (N, T), where
        there is a vocabulary.
    y_train, y_test : numpy.ndarray
        int64, shape (N,), for classes, or (N, T) for a token at every place; float64
        holding float32 values, shape (N, K), when ``classes`` is None.
    classes : int or None
        Number of classes; None when y is K numbers (or 0/1 targets) per row.
    image_shape : tuple of int or None
        Height and width when a row of x is a picture.
    sha256 : str
        Hash of dtype, shape and little-endian bytes of the four arrays.
    description : str
        Source, size, split and resampling; fit to stand under a table.
    labels : tuple of str
        Names of the rows of x_train, then of x_test, for tables small enough to be
        printed; otherwise empty.
    vocabulary : tuple of str
        What the token ids of x stand for, in their order; empty when x is numbers.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int | None
    image_shape: tuple[int, int] | None
    sha256: str
    description: str
    labels: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name the set and its shapes; the arrays would fill the screen."""
        shapes = ", ".join(f"{part} {getattr(self, part).shape}" for part in PARTS)
        return f"Dataset({self.name!r}, {shapes}, sha256 {self.sha256[:12]})"


def from_arrays(
    name: str,
    x_train: Any,
    y_train: Any,
    x_test: Any,
    y_test: Any,
    *,
    classes: int | None,
    description: str,
    image_shape: tuple[int, int] | None = None,
    labels: tuple[str, ...] = (),
    vocabulary: tuple[str, ...] = (),
) -> Dataset:
    """Check four arrays and bind them together.

    The frameworks answer a bad label with an exception, a NaN, a clamped index or
    nothing at all, so nothing that is not checked here reaches them.

    Parameters
    ----------
    name, classes, description, image_shape, labels, vocabulary
        See `Dataset`.
    x_train, x_test : array_like
        (N, ...) float32, or float64 that float32 holds exactly; with a vocabulary
        (N, T) integers, each the place of a token in it.
    y_train, y_test : array_like
        (N,) integers in 0 ... classes-1, with a vocabulary perhaps (N, T); or (N, K)
        floats when classes is None.

    Raises
    ------
    Refusal
        ``E209`` numbers of x and y differ, ``E219`` empty, ``E220`` label or token
        out of range, ``E221`` labels or tokens of a wrong type, ``E222`` NaN or
        infinite, ``E223`` one class only, ``E232`` shapes do not fit, ``E233`` not a
        float32.
    """
    arrays = {}
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        where = f"{name}, {split}"
        V = len(vocabulary)
        arrays[f"x_{split}"] = check_tokens(x, V, where) if V else _inputs(x, where)
        if classes is None:
            arrays[f"y_{split}"] = _targets(y, where)
        else:
            per_token = bool(vocabulary) and np.ndim(y) == 2
            arrays[f"y_{split}"] = check_labels(y, classes, where, per_token=per_token)
        _check_counts(arrays[f"x_{split}"], arrays[f"y_{split}"], where)
    _check_fit(arrays, image_shape, labels, name)
    return Dataset(
        name,
        x_train=arrays["x_train"],
        y_train=arrays["y_train"],
        x_test=arrays["x_test"],
        y_test=arrays["y_test"],
        classes=classes,
        image_shape=image_shape,
        sha256=_sha256(arrays),
        description=description,
        labels=labels,
        vocabulary=vocabulary,
    )


def check_tokens(x: Any, V: int, where: str) -> np.ndarray:
    """Return token ids as int64, shape (N, T), or refuse with index and value."""
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        what = f"tokens are {x.dtype}, expected whole numbers 0 to {V - 1}"
        raise Refusal(
            "E221", what, where, "give each token its place in the vocabulary"
        )
    if x.size == 0:
        _refuse_empty(where)
    if x.ndim != 2:
        what = f"tokens have shape {x.shape}, expected (N, T)"
        raise Refusal("E232", what, where, "give one row of tokens per example")
    _check_range(x, V, "token", where, "give each token its place in the vocabulary")
    return x.astype(np.int64)


def check_labels(
    y: Any, classes: int, where: str, *, per_token: bool = False
) -> np.ndarray:
    """Return class numbers as int64, shape (N,), or refuse with index and value.

    With ``per_token`` they are (N, T): every place of an example has its own.
    """
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        what = f"labels are {y.dtype}, expected whole numbers 0 to {classes - 1}"
        raise Refusal("E221", what, where, "number the classes 0, 1, 2, ...")
    if y.size == 0:
        _refuse_empty(where)
    if y.ndim != 1 + per_token:
        what = f"labels have shape {y.shape}, expected (N,)"
        raise Refusal("E232", what, where, "give one class number per example")
    _check_range(y, classes, "label", where, "number the classes 0, 1, 2, ...")
    if np.all(y == y.flat[0]):
        what = f"all {y.size:,} labels are {y.flat[0]}: there is nothing to tell apart"
        raise Refusal("E223", what, where, "split so that every class is in both parts")
    return y.astype(np.int64)


def _check_range(ids: np.ndarray, n: int, noun: str, where: str, fix: str) -> None:
    bad = np.argwhere((ids < 0) | (ids >= n))
    if len(bad):
        at = tuple(int(i) for i in bad[0])
        what = (
            f"{noun} {ids[at]} at index {at if len(at) > 1 else at[0]}, expected "
            f"0 to {n - 1}; {len(bad):,} of {ids.size:,} {noun}s are out of range"
        )
        raise Refusal("E220", what, where, fix)


def _inputs(x: Any, where: str) -> np.ndarray:
    x = np.asarray(x)
    if x.size == 0:
        _refuse_empty(where)
    if x.ndim < 2:
        what = f"inputs have shape {x.shape}, expected (N, D) or more axes"
        raise Refusal("E232", what, where, "give one row per example")
    return _exact_float32(x, "input", where)


def _targets(y: Any, where: str) -> np.ndarray:
    y = np.asarray(y)
    if y.dtype.kind not in "fiu":
        what = f"targets are {y.dtype}, expected numbers"
        raise Refusal("E221", what, where, "give one number per row, or K of them")
    if y.size == 0:
        _refuse_empty(where)
    if y.ndim != 2:
        what = f"targets have shape {y.shape}, expected (N, 1) or (N, K)"
        raise Refusal("E232", what, where, "for one number a row use y.reshape(-1, 1)")
    return _exact_float32(y.astype(np.float64), "target", where).astype(np.float64)


def _exact_float32(values: np.ndarray, noun: str, where: str) -> np.ndarray:
    values = np.asarray(values, values.dtype.newbyteorder("="))
    if values.dtype not in (np.float32, np.float64):
        what = f"{noun}s are {values.dtype}, expected float32"
        raise Refusal("E233", what, where, "convert and scale them first")
    finite = np.isfinite(values)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        count = values.size - np.count_nonzero(finite)
        what = f"{noun} {values[index]} at index {index}; {count:,} are not finite"
        raise Refusal("E222", what, where, "drop or repair these rows")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if values.dtype != np.float32 and not np.array_equal(single, values):
        index = tuple(int(i) for i in np.argwhere(single != values)[0])
        what = f"{noun} {float(values[index])!r} at index {index} is not a float32"
        fix = "round with x.astype('float32'): both dtypes must start from equal data"
        raise Refusal("E233", what, where, fix)
    return np.ascontiguousarray(single)


def _check_counts(x: np.ndarray, y: np.ndarray, where: str) -> None:
    if len(x) != len(y):
        what = f"{len(x):,} inputs and {len(y):,} labels"
        raise Refusal("E209", what, where, "give one label per input")


def _check_fit(
    arrays: dict[str, np.ndarray],
    image_shape: tuple[int, int] | None,
    labels: tuple[str, ...],
    name: str,
) -> None:
    train, test = arrays["x_train"].shape, arrays["x_test"].shape
    if train[1:] != test[1:]:
        what = f"an example is {train[1:]} in training and {test[1:]} in the test"
        raise Refusal("E232", what, name, "both parts must be of one kind")
    train_y, test_y = arrays["y_train"].shape, arrays["y_test"].shape
    if train_y[1:] != test_y[1:]:
        what = f"a target is {train_y[1:]} in training and {test_y[1:]} in the test"
        raise Refusal("E232", what, name, "both parts must be of one kind")
    if image_shape is not None and np.prod(image_shape) != np.prod(train[1:]):
        what = f"an example of shape {train[1:]} is no picture of {image_shape} pixels"
        raise Refusal("E232", what, name, "correct image_shape")
    if labels and len(labels) != train[0] + test[0]:
        what = f"{len(labels)} row names for {train[0]} + {test[0]} rows"
        raise Refusal("E232", what, name, "name the training rows, then the test rows")


def _refuse_empty(where: str) -> NoReturn:
    raise Refusal("E219", "there is no example in it", where, "give at least one")


def _sha256(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for part in PARTS:
        array = arrays[part]
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{part} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()
