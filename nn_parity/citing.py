"""What a table needs to be cited: an id, what it shows, on what, and how to make it again."""

from __future__ import annotations

import hashlib
import shlex
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn_parity import environment, escapes

if TYPE_CHECKING:
    from nn_parity.results import Run

TITLES = {
    "parity": "Numerical agreement, tensor by tensor",
    "summary": "Numerical agreement: the worst error",
    "cases": "Numerical agreement, case by case",
    "parameters": "Parameters",
    "speed": "Speed",
    "memory": "Memory",
    "scaling": "Speed as sizes grow",
    "against": "Two benchmarks' ratios to scratch",
    "accuracy": "Accuracy after training",
    "seeds": "Accuracy over seeds",
}
_PARITY = (
    "Errors are the largest |difference| over the largest |value| of a tensor, also in "
    "units of roundoff u (2^-53 in float64, 2^-24 in float32); the reference is scratch in "
    "the same dtype, and for scratch its own run in extended precision"
)
_NO_WINNER = (
    "The times hold for these sizes on this machine, and name no winner: larger layers, "
    "other batches and other processors turn the order round"
)
MEANINGS = {
    "parity": _PARITY,
    "summary": _PARITY + "; in brackets the rows that were gated",
    "cases": _PARITY + "; in brackets the rows that were gated",
    "parameters": "Numbers that training moves, as they were loaded into each framework",
    "speed": "Medians of n slices, with quartiles; ratios are medians of paired slices, "
    f"with a 95 % bootstrap interval. {_NO_WINNER}",
    "memory": "The largest resident memory of each process. " + _NO_WINNER,
    "scaling": "Medians of n slices; ratios are medians of paired slices, with a 95 % "
    f"bootstrap interval. {_NO_WINNER}",
    "accuracy": "One row for each seed; the interval is Wilson's, 95 %, for n test "
    "examples: it holds what other test examples would change, not what other seeds would",
    "seeds": "A seed is one draw of initial weights and of the order of examples, the same "
    "for all. Mean and standard deviation over seeds; the interval of the mean is "
    "Student's t, 95 %, on one test set. n (test) is pooled, disagreements are summed. Two "
    "frameworks are tied unless the 95 % interval of their paired difference excludes 0",
}
_FOLDERS = (
    "--data",
    "--weights",
)  # of the machine it ran on: their last part is enough
_DROPPED = {"--out": 1, "-o": 1, "--resume": 0, "--json": 0}


def identity(canonical: str) -> str:
    """Return the id of a table: the beginning of its CSV text's sha256."""
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def title(run: Run, kind: str, id_: str) -> str:
    """Return what a table is called, with its id."""
    return f"{TITLES.get(kind, kind)}: {subject(run)} (table {id_})"


def subject(run: Run) -> str:
    """Name what was run: experiments (of one that was timed, the part), networks or blocks."""
    timed = run.environment["kind"] == "bench"
    named = (case.name if timed else case.experiment for case in run.cases)
    names = dict.fromkeys(
        name or case.network for name, case in zip(named, run.cases, strict=True)
    )
    if len(names) > 6:
        return f"{len(names)} networks and building blocks"
    return ", ".join(names)


def notes(run: Run, kind: str) -> list[str]:
    """Return the lines that stand with a table."""
    return (
        [f"{MEANINGS[kind]}.", *provenance(run)]
        if kind in MEANINGS
        else provenance(run)
    )


def provenance(run: Run) -> list[str]:
    """Return what was measured, with which versions, on what, and the command."""
    known = run.environment
    seeds = known.get("seeds") or [known.get("seed", 0)]
    counted = (
        f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    )
    lines = [data["description"] for data in known.get("datasets", {}).values()]
    lines += [
        versions(run),
        *untested(run),
        f"{machine(run)}, {known['threads']} thread(s) each, {counted}, "
        f"{known['started'].removesuffix('+00:00')} UTC, {code(run)}",
        command(run),
    ]
    return lines


def versions(run: Run) -> str:
    """Return the line that names the libraries and Python."""
    known = run.environment
    named = {
        name: version
        for framework in known["frameworks"]
        for name, version in known["versions"][framework].items()
    }
    listed = ", ".join(f"{name} {version}" for name, version in named.items())
    return f"{listed}, Python {known['python']}"


def untested(run: Run) -> list[str]:
    """Return a line that names the versions the gates were not measured with, if any."""
    listed = (f"{n} {v}" for n, v in run.environment.get("untested", {}).items())
    said = "; ".join(listed)
    return [f"Untested combination: {said}"] if said else []


def code(run: Run) -> str:
    """Return which code it was: the commit, and whether files were changed since."""
    commit = run.environment["commit"]
    changed = " with changes" if commit.endswith("+") else ""
    return f"commit {commit.removesuffix('+') or 'unknown'}{changed}"


def machine(run: Run) -> str:
    """Return the line that says what it ran on."""
    known = run.environment
    blas = ", ".join(f"{b['internal_api']} {b['version']}" for b in known["blas"])
    system = f"{known.get('os', '')} {known.get('architecture', '')}".strip()
    parts = [
        known["cpu"],
        f"{known['cores']} core(s)",
        system or known["platform"],
        blas,
    ]
    return ", ".join(filter(None, parts))


def command(run: Run) -> str:
    """Return the command that makes a run again, without the folders of this machine."""
    words = shlex.split(run.environment["command"])
    if words[:1] != ["nn-parity"]:
        return str(run.environment["command"])
    kept: list[str] = []
    skip = 0
    for word in words:
        option, equals, value = word.partition("=")
        if skip:
            skip -= 1
        elif option in _DROPPED:
            skip = 0 if equals else _DROPPED[option]
        elif option in _FOLDERS and equals:
            kept.append(f"{option}={Path(value).name}")
        elif kept and kept[-1] in _FOLDERS:
            kept.append(Path(word).name)
        else:
            kept.append(word)
    return shlex.join(kept)


# -- BibTeX ----------------------------------------------------------------------------


def bibtex(run: Run, kind: str, id_: str) -> str:
    """Return a BibTeX entry for one table; title and authors come from CITATION.cff."""
    known, cited = run.environment, citation()
    year, month = known["started"].split("-")[:2]
    where = cited.get("repository-code") or cited.get("url")
    fields = {
        "author": " and ".join(f"{{{escapes.bibtex(a)}}}" for a in cited["authors"]),
        "title": f"{{{escapes.bibtex(cited['title'])}}}. "
        f"{escapes.bibtex(title(run, kind, id_))}",
        "year": year,
        "month": month.lstrip("0"),
        "version": escapes.bibtex(f"{cited['version']}, {code(run)}"),
        "howpublished": f"\\texttt{{{escapes.bibtex(command(run))}}}",
        "note": escapes.bibtex(
            f"Table {id_}, measured {known['started']} on {machine(run)}"
        ),
    }
    if where:
        fields["url"] = str(where)
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{nn-parity-{kind}-{id_},\n{body}}}\n"


def citation() -> dict[str, Any]:
    """Return title, version and authors of CITATION.cff.

    It is read line by line: of YAML it uses only ``key: value`` and a list of names. An
    installed copy without the file falls back on what the package says of itself.
    """
    found: dict[str, Any] = {"authors": []}
    for folder in (Path(__file__).parent, environment.ROOT):  # installed; a checkout
        path = folder / "CITATION.cff"
        if path.is_file():
            return found | _of_cff(path.read_text(encoding="utf-8"))
    about = metadata.metadata("nn-parity")
    author = about["Author"] or "The nn-parity authors"
    return {"title": "nn-parity", "version": about["Version"], "authors": [author]}


def _of_cff(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {"authors": []}
    section = ""
    person: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.strip().removeprefix("- ").partition(":")
        value = value.strip().strip("\"'")
        if line[:1].strip() and not line.startswith("- "):
            section = key
            if value:
                found[key] = value
        elif section == "authors" and colon:
            if line.strip().startswith("- "):
                person = {}
                found["authors"].append(person)
            person[key] = value
    found["authors"] = [_name(person) for person in found["authors"]]
    return found


def _name(person: dict[str, str]) -> str:
    if "name" in person:
        return person["name"]
    parts = (
        person.get(k, "") for k in ("given-names", "name-particle", "family-names")
    )
    return " ".join(filter(None, parts))
