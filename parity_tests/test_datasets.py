"""Data sets as a user meets them: real files, real faults, one clear line each."""

import gzip
import hashlib
import http.server
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib

import numpy as np
import pytest

from nn_parity import datasets
from nn_parity.datasets import cache, digits, download, folder, idx
from nn_parity.datasets import published as facts
from nn_parity.datasets.published import PUBLISHED, Published
from nn_parity.errors import INTEGRITY, USAGE, Refusal
from parity_tests.conftest import ROOT, mnist_folder, needs_mnist

MNIST = mnist_folder()
FILES = tuple(folder.file_name(part) for part in folder.PARTS)
IMAGES, LABELS = FILES[:2]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NN_PARITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NN_PARITY_DATA", raising=False)
    return tmp_path / "cache"


def idx_bytes(values, *, order=">", code=8):
    values = np.asarray(values)
    head = bytes([0, 0, code, values.ndim])
    return (
        head + struct.pack(f"{order}{values.ndim}I", *values.shape) + values.tobytes()
    )


def tiny_files(seed=0):
    """Return the raw bytes of a set of 12 + 6 pictures of 5x4 pixels, 3 classes."""
    rng = np.random.default_rng(seed)
    contents = {}
    for part, n in (("train", 12), ("t10k", 6)):
        pixels = rng.integers(0, 256, (n, 5, 4), dtype=np.uint8)
        labels = np.arange(n, dtype=np.uint8) % 3
        contents[f"{part}-images"] = idx_bytes(pixels)
        contents[f"{part}-labels"] = idx_bytes(labels)
    return contents


def write_set(where, contents=None, *, compress=True):
    where.mkdir(parents=True, exist_ok=True)
    for part, raw in (contents or tiny_files()).items():
        name = folder.file_name(part)
        if compress:
            (where / f"{name}.gz").write_bytes(gzip.compress(raw, mtime=0))
        else:
            (where / name).write_bytes(raw)
    return where


@pytest.fixture
def tiny(tmp_path):
    return write_set(tmp_path / "shapes")


def refused(code, *pieces):
    """Expect a refusal of this code whose one line holds all the pieces."""

    class Expect:
        def __enter__(self):
            self.context = pytest.raises(Refusal)
            self.info = self.context.__enter__()
            return self.info

        def __exit__(self, *error):
            caught = self.context.__exit__(*error)
            line = str(self.info.value)
            assert self.info.value.code == code, line
            assert "\n" not in line
            for piece in pieces:
                assert str(piece) in line, (piece, line)
            return caught

    return Expect()


# ---- bundled -------------------------------------------------------------------------


@pytest.mark.parametrize("name", datasets.BUNDLED)
def test_bundled_set_is_what_it_says(name):
    d = datasets.load(name)
    assert d.name == name
    assert d.description.startswith(f"{name}: ")
    tokens = np.int64 if d.vocabulary else np.float32
    assert d.x_train.dtype == d.x_test.dtype == tokens
    assert len(d.x_train) == len(d.y_train) > 0
    assert len(d.x_test) == len(d.y_test) > 0
    for a in (d.x_train, d.y_train, d.x_test, d.y_test):
        assert a.flags.c_contiguous
        assert a.flags.writeable
        assert np.isfinite(a).all()
    if d.classes is None:
        assert d.y_train.dtype == np.float64
        outputs = 784 if name == "digits-pictures" else 1
        assert d.y_train.shape == (len(d.x_train), outputs)
        assert np.array_equal(d.y_train, d.y_train.astype(np.float32))
        assert len(d.labels) in (0, len(d.x_train) + len(d.x_test))
    else:
        assert d.y_train.dtype == np.int64
        # a string never asks for the start token; a text has every character in training
        asked = d.classes - 1 if name == "reverse" else d.classes
        assert set(d.y_train.ravel()) == set(range(asked))
        assert set(d.y_test.ravel()) <= set(range(asked))


def test_hash_covers_dtype_shape_and_bytes_of_all_four_arrays():
    d = datasets.load("xor")
    digest = hashlib.sha256()
    for part, dtype in (
        ("x_train", "<f4"),
        ("y_train", "<f8"),
        ("x_test", "<f4"),
        ("y_test", "<f8"),
    ):
        array = getattr(d, part)
        digest.update(f"{part} {dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    assert d.sha256 == digest.hexdigest() == facts.BUNDLED_SHA256["xor"]
    others = {datasets.load(name).sha256 for name in ("and", "or", "xor")}
    assert len(others) == 3


def test_a_changed_bundled_set_is_refused(monkeypatch):
    wrong = {**facts.BUNDLED_SHA256, "xor": "0" * 64}
    monkeypatch.setattr("nn_parity.datasets.catalogue.BUNDLED_SHA256", wrong)
    with refused("E234", "xor", "0" * 64):
        datasets.load("xor")


def test_resampling_matrix_is_bilinear_with_half_pixel_centres():
    R = digits.resampling_matrix() / 14
    centres = (np.arange(28) + 0.5) * 8 / 28 - 0.5
    for column in range(8):  # np.interp clamps at the edges, as R does
        unit = np.eye(8)[column]
        np.testing.assert_allclose(R[:, column], np.interp(centres, range(8), unit))
    assert R.sum(axis=1).tolist() == [1.0] * 28
    assert np.array_equal(R, R[::-1, ::-1])


def test_digits_are_r_x_rt_rounded_once():
    small, large = datasets.load("digits-8x8"), datasets.load("digits")
    R = digits.resampling_matrix().astype(np.longdouble) / 14
    exact = R @ small.x_test.astype(np.longdouble) @ R.T
    off = np.abs(exact.reshape(360, 784) - large.x_test)
    assert np.all(off <= np.spacing(large.x_test) * 0.5000001)
    assert large.x_train.min() == 0
    assert large.x_train.max() == 1
    assert large.image_shape == (28, 28)
    assert small.image_shape == (8, 8)
    assert small.x_train.shape == (1437, 8, 8)
    assert np.array_equal(small.y_test, large.y_test)


def test_digits_split_is_the_one_described():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    train, test = train_test_split(
        np.arange(1797), test_size=360, stratify=bunch.target, random_state=0
    )
    d = datasets.load("digits-8x8")
    assert np.array_equal(d.x_train * 16, bunch.images[train])
    assert np.array_equal(d.y_test, bunch.target[test])
    indices = hashlib.sha256(np.concatenate([train, test]).astype("<i8").tobytes())
    for said in (
        indices.hexdigest()[:12],
        "stratify=y, random_state=0",
        "1,437",
        "360",
    ):
        assert said in d.description


def test_digits_file_order_takes_the_last_rows():
    from sklearn.datasets import load_digits

    target = load_digits().target
    d = datasets.load("digits-file-order")
    assert np.array_equal(d.y_train, target[:1437])
    assert np.array_equal(d.y_test, target[-360:])
    assert d.sha256 != datasets.load("digits").sha256
    assert "file order" in d.description


def test_binary_blitz_answers_its_first_bit():
    d = datasets.load("binary-blitz")
    assert d.x_train.tolist() == [[0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]]
    assert np.array_equal(d.y_train, d.x_train[:, :1])
    assert d.x_test.tolist() == [[1, 0, 0]]
    assert d.y_test.tolist() == [[1]]
    assert d.labels == ("001", "111", "101", "011", "100")


@pytest.mark.parametrize(
    ("name", "gate"),
    [("and", np.logical_and), ("or", np.logical_or), ("xor", np.logical_xor)],
)
def test_gates_are_truth_tables(name, gate):
    d = datasets.load(name)
    assert len({tuple(row) for row in d.x_train.tolist()}) == 4
    assert np.array_equal(d.y_train[:, 0], gate(d.x_train[:, 0], d.x_train[:, 1]))
    assert np.array_equal(d.x_test, d.x_train)
    assert np.array_equal(d.y_test, d.y_train)


def test_hiring_is_centred_as_in_the_course():
    d = datasets.load("hiring")
    assert d.x_train.tolist() == [[-9, 0], [11, -2], [-10, -3], [8, 5]]
    assert d.y_train[:, 0].tolist() == [0, 1, 0, 1]
    assert d.x_test.tolist() == [[-7, 0], [10, -6]]
    assert d.labels[:4] == tuple(
        f"candidate ({a},{b})" for a, b in ((12, 6), (32, 4), (11, 3), (29, 11))
    )
    for said in ("(12,6) (32,4) (11,3) (29,11)", "means 21 and 6", "no observations"):
        assert said in d.description


@pytest.mark.parametrize(
    ("name", "slope"), [("identity-line", 1), ("negation-line", -1)]
)
def test_lines(name, slope):
    d = datasets.load(name)
    assert np.array_equal(d.y_train, slope * d.x_train)
    assert np.array_equal(d.y_test, slope * d.x_test)
    assert not np.signbit(d.y_test[d.y_test == 0]).any()
    assert not set(d.x_train[:, 0]) & set(d.x_test[:, 0])


def test_repr_is_short():
    assert len(repr(datasets.load("digits"))) < 200


def test_importing_is_cheap():
    code = (
        "import sys, nn_parity.datasets, nn_parity.weight_files;"
        "heavy = {'sklearn', 'scipy', 'pandas', 'pooch', 'requests', 'filelock',"
        "'torch', 'keras', 'tensorflow', 'jax'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# ---- arrays that no framework may see ------------------------------------------------

X = np.zeros((4, 2), np.float32)
Y = np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("change", "code", "pieces"),
    [
        ({"x_train": X[:0]}, "E219", ["set, train"]),
        ({"y_test": Y[:0]}, "E219", ["set, test"]),
        ({"y_train": np.array([0, 1, 2, 1])}, "E220", ["label 2 at index 2", "0 to 1"]),
        ({"y_test": np.array([0, -1, 1, 1])}, "E220", ["label -1 at index 1"]),
        ({"y_train": np.array([0, 1, 0, -100])}, "E220", ["label -100 at index 3"]),
        ({"y_train": Y * 1.0}, "E221", ["float64", "whole numbers"]),
        ({"y_train": Y.astype(str)}, "E221", ["<U"]),
        ({"y_train": Y.astype(bool)}, "E221", ["bool"]),
        (
            {"x_test": np.where(np.eye(4, 2), np.nan, X)},
            "E222",
            ["(0, 0)", "nan", "2 are"],
        ),
        ({"x_train": np.full((4, 2), np.inf)}, "E222", ["inf", "8 are"]),
        ({"y_train": Y * 0}, "E223", ["all 4 labels are 0"]),
        ({"y_train": Y[:3]}, "E209", ["4 inputs and 3 labels"]),
        ({"y_train": Y[:, None]}, "E232", ["(4, 1)", "expected (N,)"]),
        ({"x_train": X[:, 0]}, "E232", ["(4,)"]),
        ({"x_test": np.zeros((4, 3))}, "E232", ["(2,)", "(3,)"]),
        ({"image_shape": (28, 28)}, "E232", ["(28, 28)"]),
        ({"labels": ("a", "b")}, "E232", ["2 row names", "4 + 4"]),
        ({"x_train": np.full((4, 2), 0.1)}, "E233", ["0.1", "(0, 0)", "float32"]),
        ({"x_train": np.full((4, 2), 1e300)}, "E233", ["1e+300"]),
        ({"x_train": np.zeros((4, 2), np.uint8)}, "E233", ["uint8"]),
        ({"classes": None}, "E232", ["(4,)", "reshape(-1, 1)"]),
        (
            {"classes": None, "y_train": np.array([[1], [2], [np.nan], [0.0]])},
            "E222",
            ["target nan at index (2, 0)"],
        ),
        ({"classes": None, "y_train": np.full((4, 1), "a")}, "E221", ["<U1"]),
    ],
)
def test_bad_arrays_are_refused(change, code, pieces):
    good = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y, "classes": 2}
    datasets.from_arrays("set", **good, description="set")
    with refused(code, *pieces) as info:
        datasets.from_arrays("set", **{**good, **change}, description="set")
    assert info.value.exit_code == INTEGRITY


def test_good_arrays_are_copied_to_canonical_form():
    big = X.astype(">f8").T.copy().T
    d = datasets.from_arrays(
        "set", big, Y.astype(np.uint8), X, Y, classes=2, description="set"
    )
    assert d.x_train.dtype == np.float32
    assert d.x_train.flags.c_contiguous
    assert d.y_train.dtype == np.int64
    same = datasets.from_arrays("set", X, Y, X, Y, classes=2, description="other")
    assert d.sha256 == same.sha256


# ---- idx files -----------------------------------------------------------------------


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
def test_idx_folder_loads(tmp_path, compress, dotted):
    where = write_set(tmp_path / "Formen größer", compress=compress)
    if dotted:
        for path in list(where.iterdir()):
            path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    d = datasets.load(data=where)
    pixels = np.frombuffer(tiny_files()["train-images"], np.uint8, offset=16)
    assert np.array_equal(d.x_train, (pixels.reshape(12, 20) / 255).astype(np.float32))
    assert d.y_test.tolist() == [0, 1, 2, 0, 1, 2]
    assert (d.name, d.classes, d.image_shape) == ("Formen_größer", 3, (5, 4))
    for said in ("12 training and 6 test images of 5x4", "3 classes", "pixels / 255"):
        assert said in d.description
    assert str(tmp_path) not in d.description
    assert datasets.load(str(where)).sha256 == d.sha256
    assert datasets.load("digits", data=str(where)).name == d.name
    assert datasets.load("fashion-mnist", data=where).name == d.name
    assert datasets.load("my-shapes", data=where).name == "my-shapes"


def test_pixels_are_rounded_once():
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert np.array_equal(
        folder._scaled(every)[0], (np.arange(256) / 255).astype(np.float32)
    )


def test_a_folder_never_borrows_a_known_name(tmp_path):
    d = datasets.load(data=write_set(tmp_path / "mnist"))
    assert d.name.startswith("mnist-")
    assert datasets.load(data=write_set(tmp_path / "digits")).name.startswith("digits-")


def zeros(n):
    return np.zeros((n, 5, 4), np.uint8)


def gz(raw):
    return gzip.compress(raw, mtime=0)


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


RAW_X, RAW_Y = tiny_files()["train-images"], tiny_files()["train-labels"]
GZ_X = gz(RAW_X)
FAULTS = {
    "D01 cut gzip": (IMAGES, GZ_X[:150], "E201", ["cut short", "expected 240"]),
    "D01 cut in the header": (IMAGES, GZ_X[:11], "E201", ["stops after 0 bytes"]),
    "D01 cut in the trailer": (
        IMAGES,
        GZ_X[:-3],
        "E201",
        ["after 240", "expected 240"],
    ),
    "D02 wrong CRC": (IMAGES, flipped(GZ_X, len(GZ_X) - 6), "E202", ["CRC-32"]),
    "D02 wrong length": (IMAGES, flipped(GZ_X, len(GZ_X) - 1), "E202", ["length"]),
    "D03 trailing garbage": (IMAGES, GZ_X + b"more", "E203", ["4 bytes follow"]),
    "D03 second member": (IMAGES, GZ_X + GZ_X, "E203", [f"{len(GZ_X)} bytes follow"]),
    "D04 web page": (
        IMAGES,
        b"\n<!DOCTYPE html><HTML><body>Sign in</body>",
        "E204",
        ["<html", "captive portal", "403"],
    ),
    "D04 web page, gzipped": (
        IMAGES,
        gz(b"<html><body>no"),
        "E204",
        ["captive portal"],
    ),
    "D04 XML refusal": (LABELS, b"<?xml version='1.0'?><Error>", "E204", ["403"]),
    "D05 bomb": (IMAGES, gz(RAW_X + bytes(40 << 20)), "E205", ["goes on", "stopped"]),
    "D05 header asks for too much": (
        IMAGES,
        gz(b"\0\0\x08\x03" + struct.pack(">3I", 1 << 20, 1 << 10, 1 << 10)),
        "E205",
        ["1,048,576 x 1,024 x 1,024", "at most"],
    ),
    "D06 labels as images": (IMAGES, gz(RAW_Y), "E206", ["00 00 08 01", "00 00 08 03"]),
    "D06 floats": (
        IMAGES,
        gz(idx_bytes(np.zeros((12, 5, 4), ">f4"), code=0x0D)),
        "E206",
        ["float32 along 3 axes", "unsigned bytes"],
    ),
    "D06 anything": (IMAGES, b"PK\x03\x04" + bytes(40), "E206", ["50 4b 03 04"]),
    "D07 promise kept short, gzip": (
        IMAGES,
        gz(idx_bytes(zeros(12))[:-1]),
        "E207",
        ["12 x 5 x 4 = 240", "only 239"],
    ),
    "D07 promise kept short, raw": (IMAGES, RAW_X[:-100], "E207", ["only 140"]),
    "D07 header cut": (IMAGES, RAW_X[:10], "E207", ["10 bytes, expected 16"]),
    "D08 more than promised, gzip": (
        IMAGES,
        gz(RAW_X + b"abc"),
        "E208",
        ["240", "243"],
    ),
    "D08 more than promised, raw": (IMAGES, RAW_X + b"abc", "E208", ["240", "243"]),
    "D09 counts differ": (
        LABELS,
        gz(idx_bytes(np.arange(11, dtype=np.uint8) % 3)),
        "E209",
        ["12 images but 11 labels"],
    ),
    "D10 little-endian magic": (
        IMAGES,
        gz(b"\3\x08\0\0" + struct.pack("<3I", 12, 5, 4) + RAW_X[16:]),
        "E210",
        ["little-endian", "03 08 00 00"],
    ),
    "D10 little-endian sizes": (
        IMAGES,
        gz(idx_bytes(zeros(12), order="<")),
        "E210",
        ["little-endian", "12 x 5 x 4"],
    ),
    "D10 little-endian sizes of labels": (
        LABELS,
        gz(idx_bytes(np.arange(12, dtype=np.uint8) % 3, order="<")),
        "E210",
        ["201,326,592", "and 12 with"],
    ),
    "D19 empty file": (IMAGES, b"", "E219", ["0 bytes"]),
    "D19 empty gzip": (IMAGES, gz(b""), "E219", ["0 bytes"]),
    "D19 no pictures": (IMAGES, gz(idx_bytes(zeros(0))), "E219", ["0 x 5 x 4"]),
    "D21 float labels": (
        LABELS,
        gz(idx_bytes(np.zeros(12, ">f8"), code=0x0E)),
        "E221",
        ["float64", "labels as unsigned bytes"],
    ),
    "D23 one class": (
        LABELS,
        gz(idx_bytes(np.zeros(12, np.uint8))),
        "E223",
        ["all 12"],
    ),
    "pictures of two sizes": (
        IMAGES,
        gz(idx_bytes(np.zeros((12, 4, 4), np.uint8))),
        "E232",
        ["(4, 4)", "(5, 4)"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_idx_fault(tiny, fault):
    name, content, code, pieces = FAULTS[fault]
    datasets.load(data=tiny)
    (tiny / f"{name}.gz").write_bytes(content)
    with refused(code, f"{name}.gz", *pieces) as info:
        datasets.load(data=tiny)
    assert info.value.exit_code == INTEGRITY
    assert info.value.fix
    row = next(r for r in statuses(tiny) if r["name"] == "shapes")
    assert row["problem"] == str(info.value)


def statuses(folder_of_set):
    os.environ["NN_PARITY_DATA"] = str(folder_of_set.parent)
    try:
        return datasets.status()
    finally:
        del os.environ["NN_PARITY_DATA"]


def test_label_out_of_range_names_file_index_and_value(tiny):
    """D20: the test holds a class that training has never seen."""
    labels = np.array([0, 1, 2, 7, 1, 2], np.uint8)
    path = tiny / f"{FILES[3]}.gz"
    path.write_bytes(gz(idx_bytes(labels)))
    with refused("E220", path, "label 7 at index 3", "expected 0 to 2"):
        datasets.load(data=tiny)


def test_bomb_costs_no_memory(tmp_path):
    """D05: 64 MiB of zeros behind a header that promises 240 bytes."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(RAW_X)
    for _ in range(16):
        bomb += packer.compress(bytes(4 << 20))
    path = tmp_path / "bomb.gz"
    path.write_bytes(bomb + packer.flush())
    tracemalloc.start()
    with refused("E205", path) as info:
        idx.read(path, "images")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    counted = re.search(r"more than ([\d,]+) bytes", info.value.what)[1]
    assert int(counted.replace(",", "")) < 20 << 20


@pytest.mark.parametrize("compress", [True, False])
def test_any_flipped_bit_is_refused_or_changes_nothing(tmp_path, compress):
    """A gzip file has a CRC; a raw one has only its header, which is all we can check."""
    raw = idx_bytes((np.arange(8, dtype=np.uint8) * 31).reshape(2, 2, 2))
    good, path = gz(raw) if compress else raw, tmp_path / "file"
    covered = range(len(good) if compress else 16)
    refusals = 0
    for bit in range(8 * len(covered)):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            read = idx.read(path, "images")
        except Refusal:
            refusals += 1
        else:
            assert compress
            assert read.sha256 == hashlib.sha256(raw).hexdigest()
    assert refusals > 0.8 * 8 * len(covered)


def test_missing_files_are_listed(tiny):
    (tiny / f"{LABELS}.gz").unlink()
    with refused("E230", tiny, f"missing: {LABELS}"):
        datasets.load(data=tiny)
    with refused("E230", "no such folder"):
        datasets.load(data=tiny / "nowhere")
    with refused("E230", "is a file"):
        datasets.load(data=tiny / f"{IMAGES}.gz")


def test_of_two_files_for_one_part_the_checksummed_counts(tiny):
    write_set(tiny, tiny_files(1), compress=False)
    assert len(list(tiny.iterdir())) == 8
    d = datasets.load(data=tiny)
    for path in tiny.glob("*.gz"):
        path.unlink()
    assert datasets.load(data=tiny).sha256 != d.sha256


def test_unreadable_file_is_refused(tmp_path):
    with refused("E230", "cannot be read"):
        idx.read(tmp_path, "images")  # a folder: also root cannot read it


# ---- search --------------------------------------------------------------------------


def test_unknown_name_suggests(tmp_path):
    with refused("E009", "'digist'", "did you mean 'digits'", "--data DIR") as info:
        datasets.load("digist")
    assert info.value.exit_code == USAGE
    with refused("E009", "no data set was named"):
        datasets.load()


def test_search_order_argument_environment_cache(tmp_path, monkeypatch):
    first = write_set(tmp_path / "a" / "shapes", tiny_files(1))
    second = write_set(tmp_path / "b" / "shapes", tiny_files(2))
    imported = datasets.import_path(write_set(tmp_path / "c" / "shapes", tiny_files(3)))
    assert imported == tmp_path / "cache" / "shapes"
    expected = [datasets.load(data=p).sha256 for p in (first, second, imported)]
    assert len(set(expected)) == 3
    assert datasets.load("shapes").sha256 == expected[2]
    monkeypatch.setenv("NN_PARITY_DATA", str(second.parent))
    assert datasets.load("shapes").sha256 == expected[1]
    monkeypatch.setenv("NN_PARITY_DATA", str(second))
    assert datasets.load("shapes").sha256 == expected[1]
    assert datasets.load("shapes", data=first).sha256 == expected[0]


def test_status_lists_everything(tmp_path, monkeypatch):
    write_set(tmp_path / "all" / "shapes")
    monkeypatch.setenv("NN_PARITY_DATA", str(tmp_path / "all"))
    rows = {row["name"]: row for row in datasets.status()}
    assert set(rows) == {*datasets.BUNDLED, "mnist", "fashion-mnist", "shapes"}
    for name in datasets.BUNDLED:
        row, d = rows[name], datasets.load(name)
        assert row["found"]
        assert row["sha256_ok"] is True
        assert row["size"].startswith(f"{len(d.x_train):,} + {len(d.x_test):,} ")
    assert rows["digits"]["where"].endswith("digits.csv.gz")
    assert rows["shapes"]["found"]
    assert rows["shapes"]["where"] == str(tmp_path / "all" / "shapes")
    assert rows["shapes"]["size"] == "12 + 6 images, 5x4"
    assert rows["shapes"]["sha256_ok"] is None
    assert not rows["mnist"]["found"]
    assert "data import" in rows["mnist"]["get"]
    assert {r["kind"] for r in rows.values()} == {"bundled", "idx"}


def test_changed_digits_inside_scikit_learn_are_seen(monkeypatch):
    monkeypatch.setattr(digits, "DIGITS_SOURCE_SHA256", "0" * 64)
    row = next(r for r in datasets.status() if r["name"] == "digits")
    assert row["sha256_ok"] is False


# ---- a set with published hashes, its mirrors and the cache --------------------------


def publish(monkeypatch, contents, *, mirrors=()):
    facts_of = Published(
        "drawn for a test",
        n_train=12,
        n_test=6,
        side=5,
        classes=3,
        sha256={p: hashlib.sha256(raw).hexdigest() for p, raw in contents.items()},
        mirrors=tuple(mirrors),
    )
    monkeypatch.setitem(PUBLISHED, "glyphs", facts_of)
    return facts_of


def glyph_files():
    rng = np.random.default_rng(5)
    contents = {}
    for part, n in (("train", 12), ("t10k", 6)):
        pixels = rng.integers(0, 256, (n, 5, 5), dtype=np.uint8)
        contents[f"{part}-images"] = idx_bytes(pixels)
        contents[f"{part}-labels"] = idx_bytes(np.arange(n, dtype=np.uint8) % 3)
    return contents


@pytest.fixture
def glyphs(monkeypatch):
    contents = glyph_files()
    publish(monkeypatch, contents)
    return contents


def one_pixel_off(contents):
    raw = bytearray(contents["train-images"])
    raw[20] ^= 1
    return {**contents, "train-images": bytes(raw)}


def test_published_set_with_other_bytes_is_refused(tmp_path, glyphs):
    """D11, and D12: hashes that lie beside the data are not asked."""
    changed = one_pixel_off(glyphs)
    where = write_set(tmp_path / "new", changed)
    got = hashlib.sha256(changed["train-images"]).hexdigest()
    (where / "SHA256SUMS").write_text(f"{got}  {IMAGES}\n")
    with refused("E211", IMAGES, got, PUBLISHED["glyphs"].sha256["train-images"]):
        datasets.load("glyphs", data=where)
    assert (where / f"{IMAGES}.gz").exists()  # a user's own file is left alone
    assert datasets.load(data=where).name == "new"


def test_published_bytes_are_recognised_under_any_name(tmp_path, glyphs):
    where = write_set(tmp_path / "new", glyphs)
    assert datasets.load(data=where).name == "glyphs"
    assert "files as published" in datasets.load("digits", data=where).description


def test_published_sizes_are_checked_before_inflating(tmp_path, glyphs):
    where = write_set(tmp_path / "new", glyphs)
    huge = b"\0\0\x08\x03" + struct.pack(">3I", 1000, 1000, 1000)
    (where / f"{IMAGES}.gz").write_bytes(gz(huge))
    with refused("E211", "1,000 x 1,000 x 1,000", "expected 12 x 5 x 5"):
        datasets.load("glyphs", data=where)


def test_damaged_cache_is_set_aside_and_never_read_again(tmp_path, glyphs, own_cache):
    datasets.import_path(write_set(tmp_path / "new", glyphs))
    cached = own_cache / "glyphs" / f"{IMAGES}.gz"
    cached.write_bytes(gz(one_pixel_off(glyphs)["train-images"]))
    with refused("E211", "set aside as", "data import"):
        datasets.load("glyphs")
    assert cached.with_name(f"{IMAGES}.gz.bad").exists()
    assert not cached.exists()
    with refused("E213", f"lacks {IMAGES}"):
        datasets.load("glyphs")
    datasets.import_path(tmp_path / "new")
    assert datasets.load("glyphs").name == "glyphs"


def test_damaged_file_of_the_user_is_left_alone(tmp_path, glyphs, monkeypatch):
    where = write_set(tmp_path / "data" / "glyphs", one_pixel_off(glyphs))
    monkeypatch.setenv("NN_PARITY_DATA", str(where.parent))
    with refused("E211", IMAGES, "get the original"):
        datasets.load("glyphs")
    assert len(folder.find(where)) == 4


def test_import_replaces_a_damaged_file_in_the_cache(tmp_path, glyphs, own_cache):
    datasets.import_path(write_set(tmp_path / "new", glyphs))
    cached = own_cache / "glyphs" / f"{IMAGES}.gz"
    good = cached.read_bytes()
    cached.write_bytes(good[:-9])
    datasets.import_path(tmp_path / "new")
    assert cached.read_bytes() == good
    assert cached.with_name(f"{IMAGES}.gz.bad").read_bytes() == good[:-9]


def test_a_set_under_the_name_of_another_is_refused(tmp_path, glyphs, monkeypatch):
    lookalike = Published("drawn", n_train=12, n_test=6, side=5, classes=3)
    monkeypatch.setitem(PUBLISHED, "lookalike", lookalike)
    write_set(tmp_path / "data" / "lookalike", glyphs)
    monkeypatch.setenv("NN_PARITY_DATA", str(tmp_path / "data"))
    with refused("E211", "these are the files of glyphs, not of lookalike"):
        datasets.load("lookalike")
    write_set(tmp_path / "data" / "lookalike", tiny_files())
    with refused("E211", "12 x 5 x 4", "12 x 5 x 5"):
        datasets.load("lookalike")


def test_import_takes_single_files_under_any_name(tmp_path, glyphs, own_cache):
    (tmp_path / "downloads").mkdir()
    for number, (part, raw) in enumerate(glyphs.items()):
        path = tmp_path / "downloads" / f"file ({number})"
        path.write_bytes(gz(raw) if number % 2 else raw)
        assert datasets.import_path(path) == own_cache / "glyphs", part
    assert datasets.load("glyphs").x_train.shape == (12, 25)
    (tmp_path / "other").write_bytes(RAW_X)
    with refused("E211", "other", "import the folder"):
        datasets.import_path(tmp_path / "other")


def test_import_is_idempotent_and_refuses_to_replace(tmp_path, tiny, own_cache):
    datasets.import_path(tiny)
    before = {p.name: p.stat().st_mtime_ns for p in (own_cache / "shapes").iterdir()}
    datasets.import_path(tiny)
    after = {p.name: p.stat().st_mtime_ns for p in (own_cache / "shapes").iterdir()}
    assert after == before
    assert len(before) == 4
    other = write_set(tmp_path / "elsewhere" / "shapes", tiny_files(9))
    with refused("E231", "shapes"):
        datasets.import_path(other)
    with refused("E231", "bundled"):
        datasets.import_path(write_set(tmp_path / "xor"))
    with refused("E211", "12 x 5 x 4", "rename the folder"):
        datasets.import_path(write_set(tmp_path / "mnist"))


def test_import_of_a_bad_folder_leaves_nothing(tiny, own_cache):
    (tiny / f"{LABELS}.gz").write_bytes(gz(RAW_Y)[:-4])
    with refused("E201", LABELS):
        datasets.import_path(tiny)
    assert not (own_cache / "shapes").exists()


def test_disk_full_leaves_nothing(tiny, own_cache, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with refused("E501", "no space left"):
        datasets.import_path(tiny)
    assert [p.name for p in own_cache.rglob("*") if p.name != ".lock"] == []


def test_cache_that_is_a_file(tmp_path, tiny, monkeypatch):
    """D29, and as root cannot be kept out of a folder, D28 by way of it."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("NN_PARITY_CACHE", str(path))
        with refused("E229", path, "NN_PARITY_CACHE", "--data DIR"):
            datasets.import_path(tiny)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder root cannot fill")
def test_cache_that_cannot_be_written(tiny, monkeypatch):
    monkeypatch.setenv("NN_PARITY_CACHE", "/proc/nn-parity")
    with refused("E228", "cannot be written", "--data DIR"):
        datasets.import_path(tiny)


class Mirror(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.answer(self.path)
        if isinstance(answer, int):
            self.send_error(answer)
            return
        time.sleep(self.server.delay)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer) + self.server.withheld))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()
        if self.server.withheld:
            self.server.stalled.set()
            self.server.go_on.wait(20)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(answer, *, delay=0.0, withheld=0):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
        server.answer, server.delay, server.withheld = answer, delay, withheld
        server.asked = []
        server.stalled, server.go_on = threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        server.url = f"http://127.0.0.1:{server.server_port}/"
        return server

    yield start
    for server in servers:
        server.go_on.set()
        server.shutdown()
        server.server_close()


def holding(contents):
    return lambda path: gz(
        contents[
            path.strip("/")
            .removesuffix(".gz")
            .replace("-idx3-ubyte", "")
            .replace("-idx1-ubyte", "")
        ]
    )


def test_download_goes_to_the_next_mirror(monkeypatch, serve, own_cache):
    """D14: one mirror is out of order, one is wrong, the third serves."""
    contents = glyph_files()
    out = serve(lambda path: 503)
    wrong = serve(holding(one_pixel_off(contents)))
    good = serve(holding(contents))
    mirrors = [server.url for server in (out, wrong, good)]
    publish(monkeypatch, contents, mirrors=mirrors)
    d = datasets.load("glyphs")
    assert d.x_train.shape == (12, 25)
    assert len(out.asked) == 4
    assert len(wrong.asked) == 4
    assert good.asked == [f"/{IMAGES}.gz"]
    held = sorted(p.name for p in (own_cache / "glyphs").iterdir())
    assert held == sorted([f"{name}.gz" for name in FILES] + [f"{IMAGES}.gz.bad"])
    assert datasets.load("glyphs").sha256 == d.sha256
    assert len(out.asked) == 4  # from the cache now


def test_all_attempts_are_listed(monkeypatch, serve, own_cache):
    contents = glyph_files()
    out = serve(lambda path: 403)
    page = serve(lambda path: b"<html>Please log in</html>")
    cut = serve(lambda path: holding(contents)(path)[:50])
    mirrors = ["http://127.0.0.1:9/", *(s.url for s in (out, page, cut))]
    publish(monkeypatch, contents, mirrors=mirrors)
    with refused(
        "E213",
        "glyphs was not found",
        "127.0.0.1:9/: no connection",
        "HTTP 403",
        "captive portal",
        "cut short",
        own_cache / "glyphs",
        "nn-parity data import PATH",
    ) as info:
        datasets.load("glyphs")
    assert "verify" not in str(info.value).lower()
    assert not folder.find(own_cache / "glyphs")


def test_no_network_is_quick_and_clear(monkeypatch, own_cache):
    """D13, with look-ups that hang, as they do behind a dead router."""
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    release = threading.Event()

    def hang(*args, **kwargs):
        release.wait(20)
        raise OSError("too late")

    monkeypatch.setattr(socket, "create_connection", hang)
    started = time.monotonic()
    with refused("E213", "no answer within 0.3 s", own_cache, "--data DIR"):
        datasets.load("mnist")
    assert time.monotonic() - started < 2
    release.set()


def test_proxy_is_used_and_named(monkeypatch):
    """D16: the proxy is knocked at, not the mirror behind it."""
    publish(monkeypatch, glyph_files(), mirrors=["http://mirror.invalid/"])
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with refused("E213", "through the proxy 127.0.0.1:9"):
        datasets.load("glyphs")


def test_bad_certificate_is_never_waved_through(monkeypatch):
    """D15"""
    import requests

    def no_certificate(*args, **kwargs):
        assert kwargs.get("verify", True) is True
        raise requests.exceptions.SSLError("self-signed")

    monkeypatch.setattr(requests, "get", no_certificate)
    monkeypatch.setattr(download, "_reachable", lambda mirrors: (list(mirrors), []))
    publish(monkeypatch, glyph_files(), mirrors=["https://mirror.invalid/"])
    with refused("E213", "TLS certificate was not accepted", "clock"):
        datasets.load("glyphs")


def test_fashion_mnist_is_not_downloaded(monkeypatch):
    """Nothing is fetched that could not be checked."""
    monkeypatch.setattr(download, "fetch", lambda name: pytest.fail("downloaded"))
    with refused("E213", "fashion-mnist", "--data DIR"):
        datasets.load("fashion-mnist")


def test_two_at_once_share_one_download(monkeypatch, serve, caplog):
    """D18"""
    contents = glyph_files()
    server = serve(holding(contents), delay=0.1)
    publish(monkeypatch, contents, mirrors=[server.url])
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(datasets.load("glyphs").sha256))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 2
    assert len(set(found)) == 1
    assert sorted(server.asked) == sorted(f"/{name}.gz" for name in FILES)
    assert "waiting: another process" in caplog.text


def test_lock_that_is_not_given_up(monkeypatch, tiny):
    monkeypatch.setattr(cache, "PATIENCE", 0.1)
    with cache.locked(), refused("E510", "has held the cache for 0.1 s"):
        datasets.import_path(tiny)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
def test_killed_download_leaves_no_part_and_no_lock(monkeypatch, serve, own_cache):
    """D17: kill -9 in the middle of a file."""
    contents = glyph_files()
    server = serve(lambda path: holding(contents)(path)[:60], withheld=1000)
    expected = publish(monkeypatch, contents)
    code = (
        "from nn_parity.datasets import load, published as p;"
        f"p.PUBLISHED['glyphs'] = p.Published('', 12, 6, 5, 3, {dict(expected.sha256)},"
        f" ({server.url!r},)); load('glyphs')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stalled.wait(20)
        time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    server.go_on.set()
    assert list(own_cache.glob(".partial-*"))
    assert not folder.find(own_cache / "glyphs")
    good = serve(holding(contents))
    publish(monkeypatch, contents, mirrors=[good.url])
    assert datasets.load("glyphs").name == "glyphs"
    assert not list(own_cache.glob(".partial-*"))


def test_download_without_a_cache_goes_to_a_temporary_folder(
    monkeypatch, serve, tmp_path, caplog
):
    """D28"""
    contents = glyph_files()
    publish(monkeypatch, contents, mirrors=[serve(holding(contents)).url])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NN_PARITY_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert datasets.load("glyphs").classes == 3
    assert "the download goes to" in caplog.text


# ---- MNIST ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist():
    return datasets.load("mnist", data=MNIST)


@needs_mnist
def test_mnist(mnist):
    assert mnist.name == "mnist"
    assert mnist.x_train.shape == (60_000, 784)
    assert mnist.x_test.shape == (10_000, 784)
    assert (mnist.classes, mnist.image_shape) == (10, (28, 28))
    assert mnist.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.x_train.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    for said in ("60,000 training and 10,000 test", "28x28", "LeCun", "as published"):
        assert said in mnist.description


@needs_mnist
def test_mnist_is_mnist_by_its_bytes(tmp_path, own_cache, monkeypatch):
    """One import from a folder of another name; then the cache has it."""
    there = tmp_path / "unnamed"
    there.symlink_to(MNIST, target_is_directory=True)
    assert datasets.import_path(there) == own_cache / "mnist"
    rows = {row["name"]: row for row in datasets.status()}
    assert rows["mnist"]["sha256_ok"] is True
    assert rows["mnist"]["where"] == str(own_cache / "mnist")
    monkeypatch.setenv("NN_PARITY_DATA", str(MNIST))
    with refused("E213", "fashion-mnist was not found"):
        datasets.load("fashion-mnist")
