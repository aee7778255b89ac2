"""A run made fit to be committed and cited: its records compressed, its tables typeset.

What comes out can be read and verified as a run. It lacks the transcripts and the initial
weights, which are large; the manifest keeps their hashes.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from pathlib import Path

from nn_parity import citing, files, manifest, results, samples, tables, verifying
from nn_parity.errors import Refusal
from nn_parity.results import Run

TABLES = "tables"  # the folder of those that are typeset
_SUFFIXES = {"md": "md", "tex": "tex", "bibtex": "bib"}
_LEFT_OUT = ("transcripts/", "initial/")


def publish(path: str | Path, to: str | Path, *, force: bool = False) -> Path:
    """Write what of a run is published into a folder; return the folder.

    Tables as CSV, Markdown and LaTeX with BibTeX entries, figures, environment.json, the
    raw records compressed, and a manifest.

    Raises
    ------
    Refusal
        ``E608`` the run is not as it was written (see `verify`), ``E014`` the folder
        exists; what `verify` raises.
    """
    run, folder = results.open_run(path), Path(to)
    report = verifying.verify(run.path)
    if report.findings:
        raise Refusal(
            "E608",
            f"not as the run wrote it: {report.findings[0]}",
            str(run.path),
            "see nn-parity verify; run it again",
        )
    if folder.exists() and not (force and (folder / manifest.FILE).is_file()):
        fix = "choose another; --force replaces a published run, and nothing else"
        raise Refusal("E014", "folder exists", str(folder), fix)
    files.writable_folder(folder.parent)
    new = Path(tempfile.mkdtemp(prefix=".publishing-", dir=folder.parent))
    try:
        _fill(run, new)
        if folder.exists():
            shutil.rmtree(folder)
        new.chmod(0o755)
        new.replace(folder)
    except BaseException:  # nothing, rather than half of it
        shutil.rmtree(new, ignore_errors=True)
        raise
    return folder


def _fill(run: Run, folder: Path) -> None:
    for kind in results.TABLES:
        if run.has(kind):
            shutil.copyfile(run.path / f"{kind}.csv", folder / f"{kind}.csv")
    if (run.path / "figures").is_dir():
        # a vector graphic serves paper and slides, and a repository stays light
        no_bitmaps = shutil.ignore_patterns("*.png")
        shutil.copytree(run.path / "figures", folder / "figures", ignore=no_bitmaps)
    _write_environment(run, folder)
    _write_records(run, folder)
    (folder / TABLES).mkdir()
    for format, suffix in _SUFFIXES.items():
        for kind, text in tables.every(run, format).items():
            files.write_text(folder / TABLES / f"{kind}.{suffix}", text)
    known = manifest.read(run.path)
    left_out = {
        name: entry
        for name, entry in (known["files"] | known["left_out"]).items()
        if name.startswith(_LEFT_OUT)
    }
    manifest.write(folder, left_out=left_out)


def _write_environment(run: Run, folder: Path) -> None:
    """Leave out the folders of the machine."""
    known = dict(run.environment)
    known["command"] = citing.command(run)
    if known.get("data"):
        known["data"] = Path(known["data"]).name
    files.write_text(folder / "environment.json", json.dumps(known, indent=1) + "\n")


def _write_records(run: Run, folder: Path) -> None:
    content = samples.content(samples.find(run.path))
    packed = gzip.compress(
        content, mtime=0
    )  # no date: the same records, the same bytes
    files.write(folder / samples.COMPRESSED, lambda stream: stream.write(packed))
