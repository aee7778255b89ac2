"""A run on disk, read back: DataFrames, environment, transcripts, exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity import errors, samples
from nn_parity.errors import Refusal
from nn_parity.protocol import Case
from nn_parity.transcripts import Transcript

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("parity", "speed", "accuracy", "memory", "scaling")


@dataclass(frozen=True)
class Run:
    """A finished or unfinished run in a folder."""

    path: Path

    @cached_property
    def parity(self) -> pd.DataFrame:
        """One row for each compared tensor; columns as in DESIGN: parity.csv."""
        frame = self.frame("parity")
        frame["passed"] = frame["passed"].map({"true": True, "false": False})
        return frame

    @property
    def speed(self) -> pd.DataFrame:
        """Times and ratios; empty where they were not asked for."""
        return self.frame("speed")

    @property
    def accuracy(self) -> pd.DataFrame:
        """Losses, accuracy, disagreements of the trained networks."""
        return self.frame("accuracy")

    def frame(self, kind: str) -> pd.DataFrame:
        """Read one table; names such as "None" or "NA" stay text."""
        import pandas as pd

        frame = self.cells(kind)
        for column in frame.columns:
            if column not in (*samples.TEXT, "passed"):
                frame[column] = pd.to_numeric(frame[column], errors="coerce")
        return frame

    def cells(self, kind: str) -> pd.DataFrame:
        """Read one table as it is written: "" is missing, and "nan" is not."""
        import pandas as pd

        path = self.path / f"{kind}.csv"
        if not path.exists():
            raise Refusal(
                "E604",
                f"this run has no {kind} table",
                str(self.path),
                f"tables here: {', '.join(t for t in TABLES if self.has(t)) or 'none'}",
            )
        return pd.read_csv(path, dtype=str, keep_default_na=False)

    def has(self, kind: str) -> bool:
        """Whether the run has this table."""
        return (self.path / f"{kind}.csv").exists()

    @property
    def samples(self) -> list[samples.Sample]:
        """Every raw value behind the tables, one record each."""
        return samples.read(samples.find(self.path))

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What environment.json says."""
        return json.loads((self.path / "environment.json").read_text(encoding="utf-8"))

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Return the cases of the run, with their sizes and recipes."""
        known = {f.name for f in fields(Case)}
        return tuple(
            Case(**{key: value for key, value in plain.items() if key in known})
            for plain in self.environment["cases"]
        )

    @property
    def first_cases(self) -> tuple[Case, ...]:
        """The cases of the first seed, which get the full treatment."""
        first = self.environment.get("seed")
        return tuple(c for c in self.cases if first is None or c.seeds[0] == first)

    def transcript(self, case: Case, framework: str, dtype: str) -> Transcript:
        """Return what one implementation recorded of a case; empty if it has nothing."""
        path = self.transcript_path(framework, dtype, case.network)
        if path not in self._read:
            if not path.exists():
                return {}
            self._read[path] = _by_case(path)
        return self._read[path].get(case.name, {})

    def transcript_path(self, framework: str, dtype: str, network: str) -> Path:
        """Where the transcripts of a network's cases lie."""
        return self.path / "transcripts" / dtype / framework / f"{network}.npz"

    @cached_property
    def _read(self) -> dict[Path, dict[str, Transcript]]:
        return {}

    @property
    def exit_code(self) -> int:
        """0; 1 if a gated row failed; 3 if a framework asked for by name is absent."""
        environment = self.environment
        statuses = set(self.parity["status"])
        if (self.parity["passed"] == False).any() or statuses & {  # noqa: E712 - a column
            "crashed",
            "killed",
            "withheld",
        }:
            return errors.PARITY_FAILED
        if statuses & {"timeout", "oom", "disk full"}:
            return errors.RESOURCES
        if set(environment["asked_for"]) & set(environment["absent"]):
            return errors.ENVIRONMENT
        return errors.OK

    def plot(self, kind: str = "loss") -> Any:
        """Return one matplotlib figure of the run; kinds as `nn-parity plot --help`."""
        from nn_parity import pictures

        return pictures.figure(self, kind)

    def table(self, kind: str = "parity", *, format: str = "md") -> str:
        """Return one table as text: md, tex, csv or html; or bibtex, an entry for it."""
        from nn_parity import tables

        return tables.export(self, kind, format)

    def _repr_html_(self) -> str:
        from nn_parity import tables

        return tables.html(self)


def _by_case(path: Path) -> dict[str, Transcript]:
    found: dict[str, Transcript] = {}
    # opened here, so that it is closed if the archive is damaged
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        for name in stored.files:
            case, _, key = name.partition(":")
            found.setdefault(case, {})[key] = stored[name]
    return found


def open_run(path: str | Path) -> Run:
    """Open a run's folder; `Refusal` E601 if it is none."""
    folder = Path(path)
    if not (folder / "environment.json").is_file():
        raise Refusal(
            "E601",
            "no run here: environment.json is missing",
            str(folder),
            "give a folder that compare or parity wrote",
        )
    return Run(folder)
