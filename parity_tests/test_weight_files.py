"""Weight files as a user meets them: exchanged, damaged, hostile, or someone else's."""

import csv
import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from nn_parity import weight_files
from nn_parity.errors import INTEGRITY, RESOURCES, USAGE, Refusal

ROOT = Path(__file__).resolve().parents[1]
SHAPES = {"W_1": (4, 3), "b_1": (3,), "W_2": (3, 3), "scale": ()}
STATE = {"mean": (3,)}
NOTHING = {}


def tensors(dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    draw = {n: rng.normal(size=shape) for n, shape in (SHAPES | STATE).items()}
    draw = {n: np.asarray(a.astype(np.float32), dtype) for n, a in draw.items()}
    return {n: draw[n] for n in SHAPES}, {n: draw[n] for n in STATE}


def write(path, dtype="float32", **changes):
    params, state = tensors(dtype)
    options = {
        "network": "mlp",
        "sizes": {"D": 4, "H": (3,), "K": 3},
        "recipe": {"activations": ("sigmoid", "identity"), "loss": "mse"},
        "origin": {"experiment": "digits", "seed": 7, "framework": "scratch"},
    }
    return weight_files.write(path, params, state, **(options | changes))


def read(path, **changes):
    options = {
        "expected": SHAPES,
        "expected_state": STATE,
        "network": "mlp",
        "dtype": "float32",
    }
    return weight_files.read(path, **(options | changes))


def savez(path, arrays=None, **changes):
    """Write what a user without our tools would: numpy.savez, no manifest."""
    params, state = tensors()
    np.savez(path, **(params | state | (arrays or {}) | changes))
    return path


def refused(code, *pieces, of=read):
    """Return a function that expects a refusal with this code and these pieces."""

    def when_given(path, **options):
        with pytest.raises(Refusal) as info:
            of(path, **options)
        line = str(info.value)
        assert info.value.code == code, line
        assert "\n" not in line
        for piece in (Path(path).name, *pieces):
            assert str(piece) in line, (piece, line)
        assert info.value.exit_code == INTEGRITY
        return line

    return when_given


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def rezip(path, contents, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def npy_header(shape, descr="<f4"):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


def edited(path, change):
    """Change the manifest of an .npz, as someone with an editor could."""
    contents = members(path)
    manifest = json.loads(contents["manifest.json"])
    change(manifest)
    contents["manifest.json"] = json.dumps(manifest).encode()
    return rezip(path, contents)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.fixture(params=[".npz", ".csv"])
def suffix(request):
    return request.param


@pytest.fixture
def npz(tmp_path):
    return write(tmp_path / "weights.npz")


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "weights.csv")


# ---- round trips ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip_is_bitwise(tmp_path, suffix, dtype):
    path = write(tmp_path / f"Gewichte größer{suffix}", dtype)
    params, state, manifest = read(path, dtype=dtype)
    written, written_state = tensors(dtype)
    assert list(params) == list(SHAPES)
    assert list(state) == ["mean"]
    for name, value in (params | state).items():
        original = (written | written_state)[name]
        assert value.dtype == original.dtype == dtype
        assert value.shape == original.shape
        assert value.tobytes() == original.tobytes()
        assert value.flags.c_contiguous
        assert value.flags.writeable
    assert manifest["network"] == "mlp"
    assert manifest["sizes"] == {"D": 4, "H": [3], "K": 3}
    assert manifest["recipe"]["loss"] == "mse"
    assert manifest["origin"]["seed"] == 7
    assert manifest["notes"] == []
    assert manifest["file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest["arrays"]["W_1"]["sha256"] == sha256(written["W_1"])
    assert manifest["arrays"]["state/mean"]["kind"] == "state"


def test_extreme_numbers_survive(tmp_path, suffix):
    info = np.finfo(np.float64)
    W = np.array([[0.1, -0.0, info.tiny / 2**20], [1 / 3, info.max, -info.eps]])
    options = {"network": "neuron", "sizes": {}, "origin": {}}
    path = weight_files.write(tmp_path / f"w{suffix}", {"W": W}, {}, **options)
    params, state, _ = weight_files.read(
        path, expected={"W": (2, 3)}, network="neuron", dtype="float64"
    )
    assert params["W"].tobytes() == W.tobytes()
    assert state == {}


def test_a_kernel_of_four_axes_survives(tmp_path, suffix):
    """A convolution's kernel: height, width, channels in, channels out, all different."""
    kernel = np.random.default_rng(0).normal(size=(3, 2, 4, 5))
    options = {"network": "cnn", "sizes": {"H": 3}, "origin": {}}
    path = weight_files.write(tmp_path / f"w{suffix}", {"K": kernel}, {}, **options)
    of = {"network": "cnn", "dtype": "float64"}
    params, _, manifest = weight_files.read(path, expected={"K": kernel.shape}, **of)
    assert params["K"].shape == kernel.shape
    assert params["K"].tobytes() == kernel.tobytes()
    assert manifest["notes"] == []
    assert any("K (3, 2, 4, 5) float64" in line for line in weight_files.check(path))
    other = {"expected": {"K": (5, 4, 3, 2)}, **of}  # torch's order of axes
    refused("E101", "(3, 2, 4, 5)", "(5, 4, 3, 2)", of=weight_files.read)(path, **other)
    turned = kernel.transpose(3, 2, 0, 1)  # written as it lies in memory elsewhere
    again = weight_files.write(tmp_path / f"t{suffix}", {"K": turned}, {}, **options)
    params, _, _ = weight_files.read(again, expected={"K": turned.shape}, **of)
    assert np.array_equal(params["K"], turned)


def test_equal_weights_give_equal_bytes(tmp_path, suffix):
    first, second = write(tmp_path / f"a{suffix}"), write(tmp_path / f"b{suffix}")
    assert first.read_bytes() == second.read_bytes()
    if suffix == ".npz":
        with zipfile.ZipFile(first) as archive:
            assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_float32_widens_and_longer_floats_are_possible(npz):
    for dtype in ("float64", "longdouble", "complex128"):
        params, _, manifest = read(npz, dtype=dtype)
        assert params["W_1"].dtype == dtype
        assert np.array_equal(params["W_1"], tensors()[0]["W_1"])
        assert manifest["notes"] == []


def test_both_formats_open_with_everyday_tools(npz, table):
    """What we write needs none of our code: numpy.load and csv."""
    written = tensors()[0]["W_1"]
    with np.load(npz, allow_pickle=False) as archive:
        assert np.array_equal(archive["W_1"], written)
        assert archive["state/mean"].shape == (3,)
        assert json.loads(archive["manifest.json"])["network"] == "mlp"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if line[0] != "#"))
    assert list(rows[0]) == ["tensor", "index", "value"]
    assert rows[4]["tensor"] == "W_1"
    assert rows[4]["index"] == "1 1"
    assert float(rows[4]["value"]) == written[1, 1]
    assert len(rows) == 12 + 3 + 9 + 1 + 3


def test_plain_savez_is_read_with_a_note(tmp_path):
    path = savez(tmp_path / "mine.npz")
    params, state, manifest = read(path)
    assert np.array_equal(params["W_2"], tensors()[0]["W_2"])
    assert np.array_equal(state["mean"], tensors()[1]["mean"])
    assert manifest["network"] is None
    assert manifest["arrays"] == {}
    assert any("no manifest" in note for note in manifest["notes"])
    np.savez_compressed(path, **tensors()[0], **{"state/mean": tensors()[1]["mean"]})
    again, _, _ = read(path)
    assert np.array_equal(again["W_2"], params["W_2"])


def test_plain_csv_is_read_with_a_note(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(b'tensor,index,value\r\n"W",0 0,0.5\r\nW,1 0,-1e-3\r\nb,0,.25\r\n')
    options = {"expected": {"W": (2, 1), "b": (1,)}, "expected_state": {}}
    params, _, manifest = read(path, **options, dtype="float64")
    assert params["W"].tolist() == [[0.5], [-1e-3]]
    assert any("no manifest" in note for note in manifest["notes"])
    refused("E102", "W is float64", "--cast")(path, **options)  # 1e-3 is no float32
    path.write_text("\ufefftensor,index,value\nW,0 0,0.5\nW,1 0,2\nb,0,.25\n")
    params, _, _ = read(path, **options)
    assert params["W"].dtype == np.float32


def test_write_refuses_to_overwrite(npz):
    before = npz.read_bytes()
    with pytest.raises(Refusal, match="the file exists") as info:
        write(npz)
    assert info.value.exit_code == USAGE
    assert npz.read_bytes() == before
    write(npz, "float64", force=True)
    assert npz.read_bytes() != before


@pytest.mark.parametrize(
    ("tensor", "code", "pieces"),
    [
        ({"W_1": np.array([[1.0, np.nan], [np.inf, 0]])}, "E105", ["(0, 1)", "2 are"]),
        ({"W_1": np.ones((2, 2), int)}, "E102", ["int64"]),
        ({"W_1": np.ones((2, 2), complex)}, "E102", ["complex128"]),
        ({"W_1": np.ones((2, 2), np.longdouble)}, "E102", ["longdouble"]),
        ({"W_1": np.ones((0, 2))}, "E121", ["(0, 2)"]),
        ({"../W": np.ones(2)}, "E116", ["'../W'"]),
        ({"=cmd()": np.ones(2)}, "E116", ["=cmd()"]),
        ({"state/W": np.ones(2)}, "E116", ["state/W"]),
        ({}, "E107", ["no weights"]),
    ],
)
def test_what_cannot_be_read_is_not_written(tmp_path, suffix, tensor, code, pieces):
    if np.dtype("longdouble") == np.float64 and "longdouble" in pieces:
        pytest.skip("longdouble is float64 on this machine")
    pieces = [np.dtype("longdouble").name if p == "longdouble" else p for p in pieces]
    path = tmp_path / f"w{suffix}"

    def attempt(path):
        weight_files.write(path, tensor, {}, network="mlp", sizes={}, origin={})

    refused(code, *pieces, of=attempt)(path)
    assert list(tmp_path.iterdir()) == []


def test_other_suffixes_are_not_written(tmp_path):
    for name in ("w.pt", "w.h5", "w"):
        refused("E125", ".npz or .csv", of=write)(tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit on Windows")
def test_disk_full_keeps_the_old_file(npz):
    """R05, with the real system call failing: no room beyond 100 bytes."""
    before = npz.read_bytes()
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[2]);"
        "from parity_tests.test_weight_files import write;"
        "from nn_parity.errors import Refusal;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: write(sys.argv[1], 'float64', force=True)\n"
        "except Refusal as refusal: sys.exit(refusal.exit_code)"
    )
    command = [sys.executable, "-c", code, str(npz), str(ROOT)]
    assert subprocess.run(command, check=False).returncode == RESOURCES
    assert npz.read_bytes() == before
    assert list(npz.parent.iterdir()) == [npz]


def test_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "w.npz", tmp_path / "none" / "w.npz"):
        with pytest.raises(Refusal, match="cannot write") as info:
            write(path)
        assert info.value.exit_code == RESOURCES


# ---- the wrong weights (W01-W08, W23) ------------------------------------------------


def test_w01_wrong_shape(tmp_path, suffix):
    path = write(tmp_path / f"w{suffix}")
    line = refused("E101", "W_1 has shape (4, 3), expected (3, 4)", "looks transposed")
    assert "torch" in line(path, expected=SHAPES | {"W_1": (3, 4)})
    refused("E101", "(3,), expected (1, 3)", "arrangement")(
        path, expected=SHAPES | {"b_1": (1, 3)}
    )
    refused(
        "E101", "b_1 has shape (3,), expected (5,)", "as wrong: W_2", "made for D 4"
    )(path, expected=SHAPES | {"b_1": (5,), "W_2": (3, 5)})
    broadcasts = savez(tmp_path / "one.npz", b_1=np.zeros(1, np.float32))
    refused("E101", "b_1 has shape (1,), expected (3,)")(broadcasts)


def test_w01_torch_kernel_is_recognised(tmp_path):
    path = tmp_path / "conv.npz"
    np.savez(path, K=np.ones((16, 3, 5, 7), np.float32))
    refused("E101", "looks like torch's (outputs, inputs, height, width)")(
        path, expected={"K": (5, 7, 3, 16)}, expected_state={}
    )


@pytest.mark.parametrize(
    "dtype", ["int64", "bool", "complex128", "float16", "S4", "U3"]
)
def test_w02_wrong_dtype(tmp_path, dtype):
    path = savez(tmp_path / "w.npz", b_1=np.ones(3, dtype))
    for cast in (False, True):
        refused("E102", "b_1 is", np.dtype(dtype), "float32")(path, cast=cast)


def test_w02_cast_is_asked_for_and_recorded(tmp_path, suffix):
    params, state = tensors("float64")
    params["W_1"] += 1e-12
    options = {"network": "mlp", "sizes": {}, "origin": {}}
    path = weight_files.write(tmp_path / f"w{suffix}", params, state, **options)
    refused("E102", "W_1 is float64, expected float32", "--cast")(path)
    rounded, _, manifest = read(path, cast=True)
    assert rounded["W_1"].dtype == np.float32
    assert np.array_equal(rounded["W_1"], params["W_1"].astype(np.float32))
    assert any("W_1 was cast float64 -> float32" in n for n in manifest["notes"])
    params["W_1"][0, 0] = 1e300
    weight_files.write(path, params, state, **options, force=True)
    refused("E105", "W_1 holds inf at index (0, 0)")(path, cast=True)
    refused("E102", "expected int64")(path, dtype="int64", cast=True)


def test_w03_big_endian_and_w04_fortran_order_are_converted(tmp_path):
    written = tensors()[0]
    path = savez(
        tmp_path / "w.npz",
        W_1=written["W_1"].astype(">f4"),
        W_2=np.asfortranarray(written["W_2"]),
    )
    params, _, manifest = read(path)
    for name in ("W_1", "W_2"):
        assert np.array_equal(params[name], written[name])
        assert params[name].dtype.isnative
        assert params[name].flags.c_contiguous
    assert any("W_1 was big-endian" in note for note in manifest["notes"])
    assert any("W_2 was in Fortran order" in note for note in manifest["notes"])


def test_w04_any_layout_can_be_written(tmp_path, suffix):
    params, state = tensors()
    odd = {
        "W_1": np.asfortranarray(params["W_1"]),
        "b_1": np.repeat(params["b_1"], 2)[::2],
        "W_2": params["W_2"].astype(">f4"),
        "scale": params["scale"],
    }
    options = {"network": "mlp", "sizes": {}, "origin": {}}
    path = weight_files.write(tmp_path / f"w{suffix}", odd, state, **options)
    found, _, _ = read(path)
    for name, value in params.items():
        assert found[name].tobytes() == value.tobytes()


def test_w05_not_finite(tmp_path):
    bad = np.ones((3, 3), np.float32)
    bad[1, 2], bad[2, 0] = np.nan, -np.inf
    path = savez(tmp_path / "w.npz", W_2=bad)
    refused("E105", "W_2 holds nan at index (1, 2)", "2 are not finite")(path)
    refused("E105", "W_2", of=weight_files.check)(path)
    table = tmp_path / "w.csv"
    for word in ("nan", "-inf", "Infinity"):
        table.write_text(f"tensor,index,value\nW_1,0 0,1\nW_1,0 1,{word}\n")
        refused("E105", "line 3", word, "0 1")(table)


def test_w06_symmetry_is_noted(tmp_path):
    path = savez(tmp_path / "w.npz", W_1=np.zeros((4, 3), np.float32))
    params, _, manifest = read(path)
    assert params["W_1"].tolist() == np.zeros((4, 3)).tolist()
    assert any("symmetry: W_1 is 0 throughout" in note for note in manifest["notes"])
    assert not any(
        "b_1" in note
        for note in read(savez(path, b_1=[0, 0, 0.0]), cast=True)[2]["notes"]
        if "symmetry" in note
    )


def test_w07_missing_and_w08_extra_tensors(tmp_path):
    params, state = tensors()
    path = tmp_path / "w.npz"
    np.savez(path, **{n: a for n, a in (params | state).items() if n != "b_1"})
    refused("E107", "missing b_1 (3,)")(path)
    np.savez(path, **params)
    refused("E107", "missing state/mean (3,)")(path)
    savez(path, W_9=np.ones((2, 2), np.float32))
    refused("E108", "not known W_9 (2, 2)", "exactly W_1, b_1, W_2, scale")(path)
    params["W2"] = params.pop("W_2")
    np.savez(path, **params, **state)
    refused("E107", "missing W_2 (3, 3)", "not known W2", "rename W2 to W_2")(path)
    refused("E108", "not known state/mean")(
        write(tmp_path / "s.npz"), expected_state={}
    )


def test_w23_other_network(tmp_path, suffix):
    path = write(tmp_path / f"w{suffix}", network="lstm", sizes={"T": 28, "H": 64})
    refused("E123", "these are weights of lstm (T 28, H 64), expected mlp")(path)


def test_terminal_codes_and_long_texts_of_a_manifest_are_not_printed(tmp_path, suffix):
    sizes = {"D": "\x1b[31mred", "H\x07": "long" * 999}
    path = write(tmp_path / f"w{suffix}", network="lstm", sizes=sizes)
    line = refused("E123", "?[31mred")(path)
    assert line.isprintable()
    assert len(line) < 500
    assert all(shown.isprintable() for shown in weight_files.check(path))


# ---- damaged or hostile archives (W09-W22) -------------------------------------------


def test_w09_duplicate_member(npz):
    contents = members(npz)
    with zipfile.ZipFile(npz, "a") as archive, pytest.warns(match="Duplicate"):
        archive.writestr("W_1.npy", contents["W_1.npy"])
    refused("E109", "W_1.npy is in the archive twice")(npz)


def test_w09_duplicate_row(table):
    with table.open("a") as file:
        file.write("W_1,0 0,3.0\n")
    refused("E109", "W_1 has a second value for index (0, 0)")(table)


def test_w10_duplicate_key(npz):
    contents = members(npz)
    text = contents["manifest.json"].replace(b'"sizes":', b'"network": "mlp", "sizes":')
    rezip(npz, contents | {"manifest.json": text})
    refused("E110", "'network' twice")(npz)


class Sentinel:
    """An object whose unpickling would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def test_w11_w12_pickles_are_never_run(tmp_path):
    sentinel = tmp_path / "executed"
    hostile = pickle.dumps(Sentinel(sentinel))
    path = tmp_path / "w.npz"
    np.savez(path, W_1=np.array([Sentinel(sentinel)], dtype=object))
    refused("E111", "W_1", "Python objects")(path)
    refused("E111", "W_1", of=weight_files.check)(path)
    rezip(path, {"W_1.npy": hostile})
    refused("E111", "W_1 is a Python pickle")(path)
    path.write_bytes(hostile)
    refused("E112", "pickle", "numpy.savez")(path)
    rezip(path, {"archive/data.pkl": hostile, "archive/version": b"3"})
    refused("E125", ".pt", "where you trust it")(path)
    assert not sentinel.exists()
    pickle.loads(hostile)  # the sentinel works: it would have been seen
    assert sentinel.exists()


@contextmanager
def at_most(limit):
    """Fail if more memory than this is allocated at any moment within."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def test_w13_header_promises_4_tib(tmp_path):
    path = tmp_path / "w.npz"
    rezip(path, {"W_1.npy": npy_header((1 << 20, 1 << 20)) + bytes(60)})
    assert path.stat().st_size < 400
    for of in (read, weight_files.check):
        with at_most(2 << 20):
            refused("E113", "declares 4,398,046,511,104 bytes, 60 are there", of=of)(
                path
            )


@pytest.mark.parametrize("of", [read, weight_files.check])
def test_w14_zip_bomb(tmp_path, of):
    """A small file whose directory says 1 GiB; of the zeros, 64 MiB are really there."""
    header = npy_header(((1 << 28) - 32,))
    packer = zlib.compressobj(1, wbits=-15)
    packed = packer.compress(header) + packer.compress(bytes(64 << 20)) + packer.flush()
    path = tmp_path / "w.npz"
    path.write_bytes(handmade_zip("W_1.npy", packed, 0, 1 << 30))
    with at_most(8 << 20):
        refused("E114", "would unpack to 1,073,741,824", of=of)(path)


def handmade_zip(name, packed, crc, size, *, method=8, flags=0, encoded=None):
    """Return a zip with one member whose directory says what we like."""
    encoded = encoded or name.encode()
    fixed = struct.pack(
        "<HHHHHIIIHH", 20, flags, method, 0, 33, crc, len(packed), size, len(encoded), 0
    )
    local = b"PK\3\4" + fixed + encoded + packed
    central = (
        b"PK\1\2"
        + struct.pack("<H", 20)
        + fixed
        + struct.pack("<HHHII", 0, 0, 0, 0, 0)
        + encoded
    )
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def test_w14_size_beside_the_manifest(npz):
    """A member that is larger than the manifest says is refused before it is unpacked."""
    contents = members(npz) | {"W_1.npy": npy(np.zeros((400, 300), np.float32))}
    rezip(npz, contents, zipfile.ZIP_DEFLATED)
    refused("E114", "W_1", "(400, 300)", "the manifest says float32 (4, 3)")(npz)
    rezip(npz, contents | {"W_1.npy": npy(np.zeros((4, 3), np.float32)) + b"more"})
    refused("E114", "W_1 declares 48 bytes, but 52 are there")(npz)


def test_directory_that_understates_a_member(tmp_path):
    """The directory says 176 bytes; the stream goes on, and reading does not."""
    honest = npy(np.zeros((4, 3), np.float32))
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(honest + bytes(32 << 20)) + packer.flush()
    path = tmp_path / "w.npz"
    path.write_bytes(handmade_zip("W_1.npy", packed, 0, len(honest)))
    with at_most(2 << 20):
        refused("E120", "W_1")(path, expected={"W_1": (4, 3)}, expected_state={})


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../../W_1.npy", "E115"),
        ("state/../../W_1.npy", "E115"),
        ("..\\W_1.npy", "E115"),
        ("/etc/W_1.npy", "E116"),
        ("C:W_1.npy", "E116"),
        ("a\\W_1.npy", "E116"),
        ("W_1\x00.npy", "E116"),
        ("W_1\x1b[31m.npy", "E116"),
        ("W_ö.npy", "E116"),
    ],
)
def test_w15_w16_member_names(tmp_path, name, code):
    content = npy(np.zeros((4, 3), np.float32))
    path = tmp_path / "w.npz"
    flags = 0 if name.isascii() else 1 << 11
    path.write_bytes(
        handmade_zip(
            name, content, zlib.crc32(content), len(content), method=0, flags=flags
        )
    )
    line = refused(code, "the member")(path)
    assert "\x1b" not in line
    assert list(tmp_path.iterdir()) == [path]


def test_w16_name_that_is_no_utf8_and_link(tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(handmade_zip("", b"", 0, 0, flags=1 << 11, encoded=b"W\xff.npy"))
    refused("E116", "not UTF-8")(path)
    link = zipfile.ZipInfo("W_1.npy")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused("E116", "a link")(path)


def test_w17_truncated_at_any_length(npz, table):
    whole = npz.read_bytes()
    for length in range(1, len(whole), 97):
        npz.write_bytes(whole[:length])
        with pytest.raises(Refusal) as info:
            read(npz)
        assert info.value.code in ("E117", "E119"), length
    rows = table.read_bytes()
    for length in range(rows.index(b"\n") + 1, len(rows) - 1, 31):
        table.write_bytes(rows[:length])
        with pytest.raises(Refusal) as info:
            read(table)
        assert info.value.code in ("E107", "E114", "E117", "E118", "E142"), length
    table.write_bytes(rows[:-3])
    refused("E117", "cut short")(table)


def test_w17_plain_table_with_a_row_missing(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("tensor,index,value\nW_1,0 0,1\nW_1,1 1,2\n")
    refused("E117", "W_1 has 2 values", "(2, 2)", "needs 4")(path)


def test_w18_empty_and_w19_not_a_zip(tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(b"")
    refused("E118", "0 bytes")(path)
    path.write_bytes(b"hello, this is no archive")
    refused("E119", "neither .npz nor .csv", "68 65 6c 6c")(path)
    path.write_bytes(npy(np.zeros(3)))
    refused("E119", "one bare .npy")(path)
    rezip(path, {})
    refused("E119", "no arrays")(path)
    rezip(path, {"readme.txt": b"hello", "W_1.npy": npy(np.zeros(3))})
    refused("E108", "'readme.txt' is no array")(path)
    table = tmp_path / "w.csv"
    table.write_text("tensor,index,value\n")
    refused("E118", "no rows")(table)


def test_w20_bit_flip_in_the_values(npz):
    whole = bytearray(npz.read_bytes())
    raw = tensors()[0]["W_1"].tobytes()
    at = whole.index(raw) + 5
    whole[at] ^= 4
    npz.write_bytes(whole)
    line = refused("E120", "damaged", "W_1", "CRC-32", "weights export")
    member = npy(
        np.frombuffer(bytes(whole[at - 5 : at - 5 + len(raw)]), "<f4").reshape(4, 3)
    )
    assert hashlib.sha256(member).hexdigest() in line(npz)


def test_w20_changed_values_with_a_right_crc(npz, table):
    """Whoever re-zips an edited array keeps the CRC right; the manifest knows better."""
    contents, W = members(npz), tensors()[0]["W_1"].copy()
    W[2, 1] += 1
    rezip(npz, contents | {"W_1.npy": npy(W)})
    refused(
        "E120",
        "W_1",
        sha256(tensors()[0]["W_1"]),
        sha256(W),
        "experiment digits, seed 7",
    )(npz)
    lines = table.read_text().splitlines(keepends=True)
    lines[3] = lines[3].rpartition(",")[0] + ",0.5\n"
    table.write_text("".join(lines))
    refused("E120", "W_1", "sha256 expected")(table)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("plain", [True, False])
def test_w20_no_flipped_bit_changes_a_weight(tmp_path, method, plain):
    """One bit in byte after byte: the file is refused, or read as it was."""
    W = {"W": np.arange(4, dtype=np.float32).reshape(2, 2)}
    path = tmp_path / "w.npz"
    options = {"network": "neuron", "sizes": {}, "origin": {}}
    if plain:
        np.savez(path, **W)
    else:
        weight_files.write(path, W, {}, **options)
    good = rezip(path, members(path), method).read_bytes()
    refusals = 0
    places = range(0, len(good), 1 if plain else 3)
    for at in places:
        damaged = bytearray(good)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        try:
            found, _, _ = weight_files.read(
                path, expected={"W": (2, 2)}, network="neuron", dtype="float32"
            )
        except Refusal:
            refusals += 1
        else:
            assert found["W"].tobytes() == W["W"].tobytes(), at
    assert refusals > len(places) / 2


@pytest.mark.parametrize(
    ("header", "code", "piece"),
    [
        (npy_header((-4, 3)), "E121", "(-4, 3)"),
        (npy_header((0, 3)), "E121", "(0, 3)"),
        (npy_header((1 << 62, 1 << 62)), "E113", "declares"),
        (npy_header((1,) * 64), "E122", "64 axes"),
        (npy_header((4, 3), "|O"), "E111", "Python objects"),
        (npy_header((4, 3), [("a", "<f4"), ("b", "|O")]), "E111", "Python objects"),
        (npy_header((4, 3), "<q9"), "E120", "header"),
        (npy_header("__import__('os')"), "E120", "header"),
        (npy_header("(" * 3000), "E120", "header"),
        (npy_header("(1.5,)"), "E120", "header"),
        (npy_header((4, 3)).replace(b"\1\0", b"\7\0", 1), "E120", "header"),
        (b"\x93NUMPY\1\0\xff\xff{", "E120", "header"),
        (b"no array at all", "E120", "header"),
    ],
)
def test_w21_w22_headers(tmp_path, header, code, piece):
    path = rezip(tmp_path / "w.npz", {"W_1.npy": header + bytes(48)})
    refused(code, "W_1", piece)(path)
    refused(code, "W_1", piece, of=weight_files.check)(path)


def test_w21_w22_indices(tmp_path):
    path = tmp_path / "w.csv"
    for index, code in (
        ("-1", "E121"),
        ("1.5", "E121"),
        ("9999999999", "E121"),
        ("999999999", "E117"),
        (" ".join("0" * 9), "E122"),
    ):
        path.write_text(f"tensor,index,value\nW_1,{index},1\n")
        refused(code)(path)


@pytest.mark.parametrize(
    ("text", "code", "piece"),
    [
        ("tensor;index;value\nW_1;0;1\n", "E142", "tensor;index;value"),
        ("tensor,index,value\nW_1,0,0,5\n", "E142", "decimal point"),
        ("tensor,index,value\nW_1,0,1_000\n", "E142", "'1_000' is no number"),
        ("tensor,index,value\nW_1,0,0x1p3\n", "E142", "is no number"),
        ("tensor,index,value\nW_1,0,\n", "E142", "'' is no number"),
        ("tensor,index,value\nW_1,0,1\nW_1,0 0,1\n", "E142", "different lengths"),
        ("tensor,index,value\n=cmd(),0,1\n", "E116", "'=cmd()'"),
        ('tensor,index,value\n"W_1,0,1\n', "E142", "line 2"),
        ("tensor,index,value\nW_1,0,1e999\n", "E105", "inf"),
    ],
)
def test_malformed_tables(tmp_path, text, code, piece):
    path = tmp_path / "w.csv"
    path.write_text(text)
    refused(code, piece)(path, expected={"W_1": (1,)}, expected_state={})


def test_tables_in_other_encodings(tmp_path):
    path = tmp_path / "w.csv"
    path.write_bytes("tensor,index,value\nW_1,0,1\n".encode("utf-16"))
    refused("E142", "not UTF-8")(path)


# ---- manifests and other people's formats (W10, W24-W27) -----------------------------


def test_w24_newer_version(npz):
    edited(npz, lambda m: m.update(version=2, arrays="another thing altogether"))
    refused("E124", "version 2", "up to 1", "upgrade nn-parity")(npz)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(format="other"),
        lambda m: m.update(version="1"),
        lambda m: m.update(version=True),
        lambda m: m.update(version=0),
        lambda m: m.update(network=["mlp"]),
        lambda m: m.update(network="mlp\x1b[31m"),
        lambda m: m.update(sizes=3),
        lambda m: m.pop("origin"),
        lambda m: m.update(arrays=[]),
        lambda m: m["arrays"].update(W_1=None),
        lambda m: m["arrays"]["W_1"].update(kind="thing"),
        lambda m: m["arrays"]["W_1"].update(dtype="|O"),
        lambda m: m["arrays"]["W_1"].update(shape=[4.0, 3]),
        lambda m: m["arrays"]["W_1"].update(shape=[-4, -3]),
        lambda m: m["arrays"]["W_1"].update(probe=["1"]),
        lambda m: m["arrays"]["W_1"].update(probe=[10**400]),
        lambda m: m["arrays"]["W_1"].pop("sha256"),
    ],
)
def test_malformed_manifests(npz, change):
    edited(npz, change)
    line = refused("E141", "malformed manifest")(npz)
    assert "\x1b" not in line
    refused("E141", of=weight_files.check)(npz)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'"' + b"a" * 99]
)
def test_manifests_that_are_no_json(npz, table, text):
    rezip(npz, members(npz) | {"manifest.json": text})
    refused("E141")(npz)
    table.write_bytes(b"#" + text + b"\n" + table.read_bytes().partition(b"\n")[2])
    refused("E142" if text == b"\xff" else "E141")(table)


def test_manifest_and_members_must_agree(npz):
    contents = members(npz)
    rezip(npz, {n: c for n, c in contents.items() if n != "b_1.npy"})
    refused("E107", "the manifest lists b_1")(npz)
    rezip(npz, contents | {"b_9.npy": contents["b_1.npy"]})
    refused("E108", "b_9 is not in the manifest")(npz)
    rezip(npz, contents | {"b_1.npy": npy(np.zeros(3))})
    refused("E114", "float64", "float32")(npz)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("w.pt", "torch.load('FILE', weights_only=True)"),
        ("w.PTH", "torch.load"),
        ("w.h5", "keras.models.load_model"),
        ("w.keras", "keras.models.load_model"),
        ("w.safetensors", "s.load_file('FILE')"),
    ],
)
def test_w25_other_formats_by_name(tmp_path, name, command):
    (tmp_path / name).write_bytes(b"PK\3\4 whatever is in it")
    refused("E125", command, "where you trust it", "numpy.savez")(tmp_path / name)


def test_w25_other_formats_by_content(tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    refused("E125", ".h5")(path)
    path.write_bytes(struct.pack("<Q", 30) + b'{"W_1":{"dtype":"F32"}}'.ljust(60))
    refused("E125", ".safetensors")(path)
    rezip(path, {"config.json": b"{}", "model.weights.h5": b"\x89HDF"})
    refused("E125", ".keras")(path)


def test_w26_bytes_are_read_once(npz, monkeypatch):
    """The file is replaced the moment it has been opened: what was read is what counts."""
    opened = []
    real = Path.open

    def watched(self, mode="r", *args, **kwargs):
        stream = real(self, mode, *args, **kwargs)
        if self == npz and "r" in mode:
            opened.append(mode)
            other = self.with_name("other.npz")
            write(other, network="lstm")
            os.replace(other, self)  # noqa: PTH105 - Path.replace is not under test
        return stream

    digest = hashlib.sha256(npz.read_bytes()).hexdigest()
    monkeypatch.setattr(Path, "open", watched)
    params, _, manifest = read(npz)
    monkeypatch.undo()
    assert opened == ["rb"]
    assert manifest["file_sha256"] == digest
    assert manifest["network"] == "mlp"
    assert np.array_equal(params["W_1"], tensors()[0]["W_1"])
    refused("E123")(npz)


def test_w27_transposed_square_kernel(npz):
    """Hash and shape are made to fit; only the probe values know."""
    contents, turned = members(npz), tensors()[0]["W_2"].T.copy()
    rezip(npz, contents | {"W_2.npy": npy(turned)})
    edited(npz, lambda m: m["arrays"]["W_2"].update(sha256=sha256(turned)))
    refused("E127", "W_2", "W v", "looks transposed")(npz)
    refused("E127", "W_2", of=weight_files.check)(npz)
    edited(npz, lambda m: m["arrays"]["W_2"].update(probe=[1.0, 2.0, 3.0]))
    refused("E127", "W_2", "other values")(npz)


def test_w27_probes_after_loading_into_a_framework(npz):
    params, _, manifest = read(npz, dtype="float64")
    single = {name: a.astype(np.float32) for name, a in params.items()}
    for held in (params, single):
        names = weight_files.check_probes(held, manifest, where="torch")
        assert names == tuple(SHAPES)
    params["W_2"] = params["W_2"].T
    with pytest.raises(Refusal, match=r"W_2 .* looks transposed \(torch\)"):
        weight_files.check_probes(params, manifest, where="torch")
    single["b_1"] = np.nextafter(single["b_1"], np.float32(9)) + np.float32(1e-5)
    with pytest.raises(Refusal, match=r"b_1 .* holds other values \(keras\)"):
        weight_files.check_probes(single, manifest, where="keras")
    no_manifest = {"arrays": {}}
    assert weight_files.check_probes(params, no_manifest, where="jax") == ()


def test_probe_is_a_product_with_fixed_numbers():
    v = weight_files.probe(np.eye(100))
    assert np.array_equal(v, v.astype(np.float32))
    assert len(set(v.tolist())) == 100
    assert np.all((np.abs(v) > 0) & (np.abs(v) < 1))
    rng = np.random.default_rng(0)
    W = rng.normal(size=(5, 7, 100))
    np.testing.assert_allclose(weight_files.probe(W), (W @ v).ravel(), rtol=1e-13)
    assert weight_files.probe(np.array(3.0)).shape == (1,)
    # A large matrix that went through float32 and another order of summation passes.
    big = rng.normal(size=(400, 4000))
    manifest = {"arrays": {"W": {"probe": weight_files.probe(big).tolist()}}}
    held = {"W": big.astype(np.float32)}
    assert weight_files.check_probes(held, manifest, where="here") == ("W",)


# ---- check ---------------------------------------------------------------------------


def test_check_says_what_is_in_a_file(tmp_path, suffix):
    path = write(tmp_path / f"weights{suffix}")
    lines = weight_files.check(path)
    text = "\n".join(lines)
    assert lines[0].startswith(f"weights{suffix}: {suffix[1:]}, ")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in lines[0]
    assert "network mlp, D 4, H [3], K 3" in text
    assert "experiment digits, seed 7, framework scratch" in text
    W = tensors()[0]["W_1"]
    assert f"W_1 (4, 3) float32, {W.min():.6g} to {W.max():.6g}, sha256 and" in text
    assert "state/mean (3,)" in text
    assert len(lines) == 4 + 5


def test_check_of_a_plain_file_says_so(tmp_path):
    text = "\n".join(weight_files.check(savez(tmp_path / "mine.npz")))
    assert "unverified" in text
    assert "no manifest" in text


def test_path_problems(tmp_path):
    refused("E140", "cannot be read")(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    refused("E140", "no file")(tmp_path / "folder.npz")
