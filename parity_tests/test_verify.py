"""`verify`: what was edited in a run is named, and what was not passes."""

import csv
import gzip
import io
import json
import math
import re
import shutil

import numpy as np
import pytest

from nn_parity import (
    accuracy,
    agreement,
    bench,
    benching,
    compare,
    editing,
    environment,
    errors,
    files,
    jobs,
    manifest,
    parity,
    publishing,
    results,
    samples,
    tables,
    verifying,
)
from nn_parity.benching import measuring, running
from nn_parity.errors import Refusal
from parity_tests.conftest import OTHERS

KEYS = {"parity": agreement.KEYS, "accuracy": accuracy.KEYS, "speed": benching.KEYS}
OTHER = OTHERS[-1:]  # one is enough


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small run with all three tables, two seeds and two dtypes."""
    out = tmp_path_factory.mktemp("verify") / "run"
    plan = measuring.Plan(launches=1, rounds=2, least=2, seconds=0.1, quick=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "QUICK", plan)
        return compare(
            "hiring", frameworks=["scratch", *OTHER], epochs=3, seeds=2, out=out
        )


@pytest.fixture
def run(made, tmp_path):
    """A copy of it, to be edited."""
    shutil.copytree(made.path, tmp_path / "run")
    return results.open_run(tmp_path / "run")


def found(run, **options):
    return verifying.verify(run.path, **options).findings


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def write_csv(path, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")


def changed(cell, rng):
    """The cell with one digit changed; a letter, where there is none."""
    places = [i for i, c in enumerate(cell) if c.isdigit()]
    if not places:
        return cell[:-1] + ("x" if cell[-1:] != "x" else "y") if cell else "1"
    i = places[rng.integers(len(places))]
    other = (int(cell[i]) + rng.integers(1, 10)) % 10
    return f"{cell[:i]}{other}{cell[i + 1 :]}"


# -- what is as the run wrote it -------------------------------------------------------


def test_a_fresh_run_passes_and_says_what_it_cannot_show(cli, made):
    done = cli("verify", made.path)
    assert done.returncode == 0, done.stdout + done.stderr
    for table in KEYS:
        assert f"{table}.csv: " in done.stdout
    assert "made anew from the transcripts" in done.stdout
    assert "do not stop an author who makes records and manifest anew" in done.stdout
    assert manifest.identity(made.path) in done.stdout.splitlines()[-1]


def test_a_parity_run_passes_too(tmp_path):
    parity("neuron", frameworks="scratch", dtype="float64", out=tmp_path / "run")
    report = verifying.verify(tmp_path / "run")
    assert report.findings == []
    assert "accuracy.csv" not in str(report.notes)


def test_a_benchmark_passes_and_an_edit_in_it_does_not(tmp_path):
    run = bench(
        "hiring", frameworks="scratch", dtype="float64", launches=1, rounds=2,
        settings={"epochs": 2}, out=tmp_path / "run",
    )  # fmt: skip
    assert found(run) == []
    columns, first, *rows = read_csv(run.path / "memory.csv")
    at = columns.index("peak_mib")
    first[at] = changed(first[at], np.random.default_rng(0))
    write_csv(run.path / "memory.csv", [columns, first, *rows])
    assert [f.column for f in found(run) if f.column] == ["peak_mib"]
    (run.path / "memory.csv").unlink()
    assert {f.what for f in found(run)} == {"missing"}


def test_figures_drawn_again_are_the_runs_own(run, cli):
    for path in (run.path / "figures").iterdir():
        path.unlink()
    assert {f.what for f in found(run)} == {"missing"}
    assert cli("plot", run.path).returncode == 0
    assert found(run) == []


def test_every_file_of_the_run_is_in_the_manifest(made):
    known = manifest.read(made.path)["files"]
    everything = {p.relative_to(made.path).as_posix() for p in made.path.rglob("*.*")}
    lacking = {name for name in everything - known.keys() if "logs/" not in name}
    assert lacking == {"manifest.json"}


# -- tables ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("table", KEYS)
def test_one_digit_in_any_cell_is_found_and_named(run, table, number):
    """A cell of every row is edited, another column in each; all are found, no other."""
    rng = np.random.default_rng([number, *table.encode()])
    path = run.path / f"{table}.csv"
    columns, *rows = read_csv(path)
    keys = KEYS[table]
    free = [i for i, column in enumerate(columns) if column not in keys]
    edited = set()
    for row in rows:
        filled = [i for i in free if row[i]]
        i = int(rng.choice(filled if rng.random() < 0.9 else free))
        name = tuple(row[columns.index(key)] for key in keys)
        before, row[i] = row[i], changed(row[i], rng)
        edited.add((name, columns[i], row[i], before))
    write_csv(path, [columns, *rows])
    findings = [f for f in found(run) if f.column]
    assert {
        (tuple(f.row.values()), f.column, f.found, f.expected) for f in findings
    } == edited
    assert {f.file for f in findings} == {path.name}
    assert len(edited) == len(rows)


@pytest.mark.parametrize("table", KEYS)
def test_a_row_of_which_a_key_was_edited_is_known_by_its_other_cells(made, table):
    rng = np.random.default_rng(1)
    columns, *rows = read_csv(made.path / f"{table}.csv")
    for key in KEYS[table]:
        there = [r.copy() for r in rows]
        at, n = columns.index(key), int(rng.integers(len(rows)))
        there[n][at] = changed(there[n][at], rng)
        (finding,) = editing.differences(
            table, KEYS[table], [columns, *there], [columns, *rows], exact=True
        )
        assert (finding.column, finding.found) == (key, there[n][at])
        assert tuple(finding.row.values()) == tuple(
            rows[n][columns.index(k)] for k in KEYS[table]
        )


def test_a_digit_that_no_number_shows_is_an_edit(run):
    path = run.path / "accuracy.csv"
    columns, first, *rows = read_csv(path)
    at = columns.index("test_loss")
    first[at] += "0"
    assert float(first[at]) == float(first[at][:-1])
    write_csv(path, [columns, first, *rows])
    assert [f.column for f in found(run) if f.column] == ["test_loss"]


@pytest.mark.parametrize("table", KEYS)
def test_rows_deleted_added_doubled_or_moved_are_named(run, table):
    path = run.path / f"{table}.csv"
    columns, *rows = read_csv(path)

    def findings(there):
        write_csv(path, [columns, *there])
        return [f for f in found(run) if f.found[:9] != "its bytes"]

    (finding,) = findings(rows[:2] + rows[3:])
    assert finding.what == "missing"
    assert tuple(finding.row.values()) == tuple(
        rows[2][columns.index(key)] for key in KEYS[table]
    )
    new = [f"new {i}" for i in range(len(columns))]
    (finding,) = findings([*rows, new])
    assert (finding.what, finding.row["framework"][:3]) == ("added", "new")
    (finding,) = findings([*rows, rows[0]])
    assert (finding.what, finding.row["framework"]) == ("added", "scratch")
    (finding,) = findings(rows[::-1])
    assert "another order" in finding.found
    (finding,) = findings([rows[0][:-1], *rows[1:]])
    assert "cells in place of" in finding.found


def test_columns_deleted_added_or_renamed_are_named(run):
    path = run.path / "accuracy.csv"
    columns, *rows = read_csv(path)
    write_csv(path, [[*columns[:-1], "verdict"], *rows])
    said = [str(f) for f in found(run)]
    assert "MISSING accuracy.csv: column accuracy_hi" in said
    assert "ADDED accuracy.csv: column verdict" in said


@pytest.mark.parametrize("table", KEYS)
def test_a_table_that_is_missing_or_no_text_is_named(run, table):
    path = run.path / f"{table}.csv"
    path.write_bytes(b"\xff\xfe\x00")
    assert "damaged" in {f.what for f in found(run) if f.file == path.name}
    path.unlink()
    assert {f.what for f in found(run) if f.file == path.name} == {"missing"}


def test_in_an_untouched_file_another_machine_may_round_otherwise():
    keys, columns = ("a",), ["a", "b"]
    ours, theirs = [columns, ["x", "0.3"]], [columns, ["x", "0.30000000000000004"]]
    assert not list(editing.differences("t", keys, theirs, ours, exact=False))
    assert list(editing.differences("t", keys, theirs, ours, exact=True))
    theirs[1][1] = "0.30000003"
    assert list(editing.differences("t", keys, theirs, ours, exact=False))


# -- records ---------------------------------------------------------------------------


def edit_record(run, which, change):
    """Change the first record of its kind; return it as it was."""
    path = run.path / samples.FILE
    lines = path.read_text(encoding="utf-8").splitlines()
    n = next(i for i, line in enumerate(lines) if which(json.loads(line)))
    record = json.loads(lines[n])
    lines[n] = json.dumps(record | change(record))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return record


def tables_anew(run):
    """As a careful forger does: tables and manifest made again from the records."""
    records = samples.read(run.path / samples.FILE)
    for name, (columns, _, rows) in verifying._tables().items():
        if run.has(name):
            text = jobs.csv_text(columns, rows(records))
            (run.path / f"{name}.csv").write_text(text, encoding="utf-8")
    manifest.write(run.path)


def a_parity_error(record):
    return record["record"] == "parity" and record["quantity"] == "grad"


EDITS = {
    "parity": (a_parity_error, lambda r: {"error_rel": 1e-30}),
    "training": (
        lambda r: r["record"] == "training",
        lambda r: {"decisions": [1 - d for d in r["decisions"]]},
    ),
    "test_loss": (lambda r: r["record"] == "training", lambda r: {"test_loss": 0.5}),
    "targets": (
        lambda r: r["record"] == "targets",
        lambda r: {"right": [1 - d for d in r["right"]]},
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_record_is_found_by_its_file_its_cells_and_its_transcript(run, edit):
    edit_record(run, *EDITS[edit])
    findings = found(run)
    assert str(findings[0]).startswith("EDITED samples.jsonl: its bytes")
    table = "parity.csv" if edit == "parity" else "accuracy.csv"
    assert [f for f in findings if f.file == table and f.column]

    tables_anew(run)  # now every hash is right, and every table follows its records
    findings = found(run)
    assert findings
    assert {f.file for f in findings} == {"samples.jsonl"}
    assert [f for f in findings if f.row.get("framework", "scratch") == "scratch"]


def test_an_edited_time_is_found_in_its_row(run):
    def is_time(record):
        return record["record"] == "timing"

    # the shortest by far, whichever it was: the median need not move
    edit_record(run, is_time, lambda r: {"seconds": r["seconds"] / 100})
    findings = found(run)
    assert {f.file for f in findings} == {"samples.jsonl", "speed.csv"}
    assert "min_ms" in {f.column for f in findings}


def test_nothing_passes_above_its_gate_even_without_transcripts(run):
    edit_record(run, a_parity_error, lambda r: {"error_rel": 1.0})
    tables_anew(run)
    shutil.rmtree(run.path / "transcripts")
    manifest.write(run.path, left_out={"transcripts/x.npz": {}})
    (finding,) = found(run)
    assert (finding.column, finding.found, finding.expected) == (
        "passed",
        "true",
        "false",
    )


def transcript_path(run):
    return next((run.path / "transcripts").rglob("*.npz"))


def test_an_edited_transcript_is_found_by_its_hash_and_by_what_follows_from_it(run):
    path = transcript_path(run)
    with np.load(path) as stored:
        arrays = dict(stored)
    name = next(n for n in arrays if n.endswith("grad/W_1"))
    arrays[name] = arrays[name] * (1 + 1e-3)
    np.savez_compressed(path, **arrays)
    relative = path.relative_to(run.path).as_posix()
    assert [f.file for f in found(run)][0] == relative
    manifest.write(run.path)
    findings = found(run)
    assert {f.file for f in findings} == {"samples.jsonl"}
    assert {"W_1"} == {f.row["tensor"] for f in findings}


@pytest.mark.parametrize("keep", [0, 100])
def test_a_transcript_that_cannot_be_read_is_named(run, keep):
    path = transcript_path(run)
    path.write_bytes(path.read_bytes()[:keep])
    findings = found(run)
    assert {f.what for f in findings} == {"edited", "damaged"}
    assert {f.file for f in findings} == {path.relative_to(run.path).as_posix()}
    path.unlink()
    assert [f.what for f in found(run)] == ["missing"]


def test_a_file_that_was_added_is_named_if_it_could_count(run):
    shutil.copyfile(
        transcript_path(run), run.path / "transcripts" / "float64" / "x.npz"
    )
    (run.path / "notes.txt").write_text("mine")
    report = verifying.verify(run.path)
    assert [str(f) for f in report.findings] == ["ADDED transcripts/float64/x.npz"]
    assert any("notes.txt" in note for note in report.notes)


def test_without_a_manifest_a_run_is_not_finished(run):
    (run.path / manifest.FILE).unlink()
    (finding,) = found(run)
    assert finding.what == "missing"
    assert "interrupted" in finding.found
    (run.path / manifest.FILE).write_text("{}")
    assert [f.file for f in found(run)] == [manifest.FILE]


def test_the_manifest_is_written_last_and_anew_when_a_run_goes_on(
    tmp_path, monkeypatch
):
    small = {"frameworks": "scratch", "dtype": "float64", "epochs": 1, "speed": False}
    run = compare("hiring", out=tmp_path / "run", **small)
    later = [
        p.name
        for p in run.path.rglob("*")
        if p.stat().st_mtime_ns > (run.path / manifest.FILE).stat().st_mtime_ns
    ]
    assert later == []
    assert (run.path / manifest.FILE).exists()

    def killed(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs.Job, "parity_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        compare("hiring", out=tmp_path / "run", resume=True, **small)
    assert not (run.path / manifest.FILE).exists()


# -- damaged, cut off, mixed -------------------------------------------------------------


def test_a_last_line_that_was_cut_off_is_counted_and_ignored(run):
    path = run.path / samples.FILE
    whole = path.read_bytes()
    *_, last = whole.splitlines(keepends=True)
    for cut in (1, 2, len(last) // 2, len(last) - 1):
        path.write_bytes(whole[:-cut])
        records, partial = samples.load(path)
        complete = cut == 1  # only the end of the line is missing
        assert len(records) == len(whole.splitlines()) - (not complete)
        assert partial == ("" if complete else last.decode()[:-cut])
    report = verifying.verify(run.path)
    assert any("1 last line" in note and "cut off" in note for note in report.notes)
    assert report.exit_code == errors.EDITED  # its hash is another


def test_any_other_damaged_line_is_refused_by_its_number(run, cli):
    path = run.path / samples.FILE
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[4] = lines[4][:20] + "\n"
    path.write_text("".join(lines), encoding="utf-8")
    done = cli("verify", run.path)
    assert done.returncode == errors.EDITED
    assert done.stderr.startswith("error[E603]: line 5 ")
    assert "Traceback" not in done.stderr


def append(run, *records):
    with (run.path / samples.FILE).open("a", encoding="utf-8") as stream:
        stream.write(samples.text(records))


@pytest.mark.parametrize(
    ("schema", "machine", "word"),
    [(1, "own", "schema"), (environment.SCHEMA, "own", "2 runs in one file")],
)
def test_records_of_two_runs_or_schemas_are_refused(run, schema, machine, word):
    append(run, samples.header(schema, environment.machine_id()))
    with pytest.raises(Refusal, match=f"E605.*{word}") as info:
        found(run)
    assert info.value.exit_code == errors.EDITED


def test_a_run_of_another_schema_says_how_to_verify_it(run):
    known = run.environment | {"schema": 1, "commit": "abc123"}
    (run.path / "environment.json").write_text(json.dumps(known))
    with pytest.raises(Refusal, match="E605.*schema 1.*commit abc123"):
        found(run)
    (run.path / "environment.json").write_text("{")
    with pytest.raises(Refusal, match="E603"):
        found(run)


def of_another_machine(run):
    """Times measured elsewhere, merged into this run as its tables would have them."""
    records = [r for r in run.samples if r["record"] in benching.RECORDS]
    append(run, *[r | {"machine": "m0"} for r in records])
    tables_anew(run)
    return len(records)


def test_machines_in_one_column_are_told_apart_or_refused(run, made, monkeypatch):
    of_another_machine(run)
    report = verifying.verify(run.path)
    assert report.findings == []
    assert any("2 machines, told apart" in note for note in report.notes)
    before, after = made.cells("speed"), run.cells("speed")
    assert len(after) == 2 * len(before)
    own = after[after["machine"] == environment.machine_id()]
    assert own["ratio_to_scratch"].tolist() == before["ratio_to_scratch"].tolist()
    monkeypatch.setattr(
        benching, "KEYS", tuple(k for k in benching.KEYS if k != "machine")
    )
    with pytest.raises(Refusal, match="E605.*machines .* in one column"):
        found(run)


def test_records_of_another_machine_than_the_runs_are_refused(run):
    path = run.path / samples.FILE
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(environment.machine_id(), "m0"), encoding="utf-8")
    with pytest.raises(Refusal, match="E605.*environment.json is of another"):
        found(run)


def test_a_run_does_not_go_on_on_another_machine(tmp_path, monkeypatch):
    small = {"frameworks": "scratch", "dtype": "float64", "epochs": 1, "speed": False}
    compare("hiring", out=tmp_path / "run", **small)
    monkeypatch.setattr(environment, "cpu", lambda: "another")
    with pytest.raises(Refusal, match="E018.*other machine"):
        compare("hiring", out=tmp_path / "run", resume=True, **small)


# -- names, and what is no number --------------------------------------------------------

HOSTILE = [
    "None", "NA", "nan", "null", "inf", "=1+1",
    'a,"b"\n<script>|`&_%$#{}~^\\ \x1b[31m\u202e',
]  # fmt: skip


def renamed(run, name):
    """The run as it would be of an experiment with another name."""
    known = run.environment
    for case in known["cases"]:
        case["experiment"] = name
    files.write_text(run.path / "environment.json", json.dumps(known))
    path = run.path / samples.FILE
    records = [
        r | {"experiment": name} if "experiment" in r else r for r in samples.read(path)
    ]
    path.write_text(samples.text(records), encoding="utf-8")
    tables_anew(run)
    return results.open_run(run.path)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text_and_are_verified_as_any_other(run, name):
    run = renamed(run, name)
    for table in KEYS:
        assert set(run.frame(table)["experiment"]) == {name}
        assert set(run.cells(table)["experiment"]) == {name}
    assert found(run) == []
    path = run.path / "accuracy.csv"
    columns, first, *rows = read_csv(path)
    first[columns.index("n_test")] = "9"
    write_csv(path, [columns, first, *rows])
    (finding,) = [f for f in found(run) if f.column]
    assert finding.row["experiment"] == name
    assert str(finding).isprintable()
    assert finding.expected == "2"


def test_nan_infinite_and_missing_stay_three_things(tmp_path):
    """In the file, in the text form, as JSON and in every exported format."""
    rows = [{"framework": f"f{i}", "seed": 0} for i in range(4)]
    for row, value in zip(rows, (math.nan, math.inf, -math.inf, ""), strict=True):
        row["test_loss"] = value
    jobs.write_csv(tmp_path / "accuracy.csv", accuracy.COLUMNS, rows)
    run = results.Run(tmp_path)
    assert run.cells("accuracy")["test_loss"].tolist() == ["nan", "inf", "-inf", ""]
    shown = tables.as_text(
        run.cells("accuracy")[["framework", "test_loss"]],
        "md",
        [],
        numeric=["test_loss"],
    )
    cells = [
        line.split("|")[2].strip() for line in shown.splitlines() if "| f" in line
    ][1:]
    assert cells == ["NaN", "inf", "-inf", ""]
    records = samples.parse(samples.text(rows))
    again = jobs.csv_text(accuracy.COLUMNS, records)
    assert again == (tmp_path / "accuracy.csv").read_text()
    written = [tables.plain(cell) for cell in run.cells("accuracy")["test_loss"]]
    assert json.loads(json.dumps(written, allow_nan=False)) == [
        "nan", "inf", "-inf", None,
    ]  # fmt: skip


# -- the command -----------------------------------------------------------------------


def test_an_edit_is_exit_code_6_and_a_line_that_names_it(run, cli):
    path = run.path / "accuracy.csv"
    columns, first, *rows = read_csv(path)
    first[columns.index("test_accuracy")] = "0.123"
    write_csv(path, [columns, first, *rows])
    done = cli("verify", run.path)
    assert done.returncode == 6
    (line,) = [x for x in done.stdout.splitlines() if "test_accuracy" in x]
    assert re.fullmatch(
        r"EDITED accuracy.csv, row experiment=hiring dataset=hiring framework=scratch "
        r"dtype=float64 seed=0: test_accuracy is 0.123, not [01].\d",
        line,
    )
    plain = json.loads(cli("verify", run.path, "--json").stdout)
    assert plain["exit_code"] == 6
    assert plain["findings"][-1]["column"] == "test_accuracy"


def test_a_folder_that_is_no_run_is_refused(cli, tmp_path):
    done = cli("verify", tmp_path)
    assert done.returncode == 6
    assert done.stderr.startswith("error[E601]")


@pytest.mark.parametrize("suffix", ["csv", "md", "tex", "html", "bib"])
def test_an_exported_table_is_verified_too(run, cli, tmp_path, suffix):
    format = "bibtex" if suffix == "bib" else suffix
    path = tmp_path / f"mine.{suffix}"
    path.write_text(run.table("accuracy", format=format), encoding="utf-8")
    report = verifying.verify(run.path, table=path)
    assert report.findings == []
    assert "mine." in report.notes[-1]
    assert "table of accuracy" in report.notes[-1]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("hiring", "hirinG", 1), encoding="utf-8")
    done = cli("verify", run.path, "--table", path)
    assert done.returncode == 6
    assert f"EDITED mine.{suffix}" in done.stdout


# -- published -------------------------------------------------------------------------


def test_what_is_published_is_verified_without_transcripts(made, cli, tmp_path):
    done = cli("publish", made.path, "--to", "published")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "published"
    report = verifying.verify(folder)
    assert report.findings == []
    assert any("transcripts are not published" in note for note in report.notes)
    assert not (folder / "transcripts").exists()
    assert manifest.read(folder)["left_out"].keys() == {
        name
        for name in manifest.read(made.path)["files"]
        if name.startswith(("transcripts/", "initial/"))
    }
    published = results.open_run(folder)
    assert published.samples == made.samples
    for kind in ("parity", "speed", "accuracy", "seeds", "summary"):
        for format, suffix in (("md", "md"), ("tex", "tex"), ("bibtex", "bib")):
            path = folder / "tables" / f"{kind}.{suffix}"
            text = path.read_text(encoding="utf-8")
            assert text == made.table(kind, format=format)
            assert verifying.verify(folder, table=path).findings == []
    everything = b"".join(
        gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    )
    assert str(tmp_path.parent).encode() not in everything


def test_any_digit_edited_in_what_is_published_is_found(made, tmp_path):
    folder = publishing.publish(made.path, tmp_path / "published")
    rng = np.random.default_rng(0)
    kept = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for path, content in kept.items():
        if path.name == manifest.FILE or path.suffix == ".gz":
            continue
        text = content.decode()
        path.write_text(changed(text, rng), encoding="utf-8")
        name = path.relative_to(folder).as_posix()
        try:
            found = {f.file for f in verifying.verify(folder).findings}
        except Refusal as refused:  # the digit stood in the machine's name
            found = {"environment.json"} if refused.code == "E605" else set()
        assert name in found
        path.write_bytes(content)


def test_half_a_publication_is_none(made, tmp_path, monkeypatch):
    def broken(run, format):
        raise ValueError("no table")

    monkeypatch.setattr(tables, "every", broken)
    with pytest.raises(ValueError, match="no table"):
        publishing.publish(made.path, tmp_path / "published")
    assert list(tmp_path.iterdir()) == []


def test_a_run_with_parts_and_failed_rows_is_published_and_verified(tmp_path):
    """A gate that is missed withholds times; the run is verified as any other."""
    loss = verifying.agreement.tolerances.GATES["loss", ""]["float64"]
    tight = type(loss)(-1.0, "nothing passes")
    plan = measuring.Plan(launches=1, rounds=2, least=2, seconds=0.1, quick=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "QUICK", plan)
        patch.setitem(
            verifying.agreement.tolerances.GATES, ("loss", ""), {"float64": tight}
        )
        run = compare(
            "logic-gates", frameworks="scratch", dtype="float64", epochs=1,
            out=tmp_path / "run",
        )  # fmt: skip
        assert set(run.speed["status"]) == {"withheld"}
        folder = publishing.publish(run.path, tmp_path / "published")
        assert verifying.verify(folder).findings == []


def test_an_edited_run_is_not_published_and_a_folder_not_replaced(run, tmp_path):
    folder = publishing.publish(run.path, tmp_path / "published")
    with pytest.raises(Refusal, match="E014"):
        publishing.publish(run.path, folder)
    publishing.publish(run.path, folder, force=True)
    (tmp_path / "mine").mkdir()
    with pytest.raises(Refusal, match="E014"):
        publishing.publish(run.path, tmp_path / "mine", force=True)
    edit_record(run, a_parity_error, lambda r: {"error_rel": 1e-30})
    with pytest.raises(Refusal, match="E608"):
        publishing.publish(run.path, tmp_path / "other")
    assert not (tmp_path / "other").exists()
