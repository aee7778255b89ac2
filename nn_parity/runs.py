"""The main job: same initial weights everywhere, compared, trained, timed, tabulated.

``compare`` and ``parity`` are the Python API; the command line is a thin layer over them.
A run is a folder (`Run`), complete or readable as far as it got.
"""

from __future__ import annotations

import datetime
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nn_parity import agreement, crew, environment, files, inputs, recipes, registry
from nn_parity import weights as initial_weights
from nn_parity.agreement import Cell
from nn_parity.crew import Failure, Worker
from nn_parity.errors import Refusal
from nn_parity.protocol import Case
from nn_parity.results import Run
from nn_parity.transcripts import Transcript

RUNS = Path("results/runs")
DTYPES = ("float64", "float32")
Say = Callable[[str, str, str], None]  # framework, dtype, what it is doing
Row = dict[str, Any]


def _silent(framework: str, dtype: str, text: str) -> None:
    pass


# -- the API ---------------------------------------------------------------------------


def compare(
    experiments: str | Sequence[str] = recipes.DEFAULT,
    *,
    frameworks: str | Sequence[str] | None = None,
    dtype: str = "both",
    data: str | Path | None = None,
    weights: str | Path | None = None,
    epochs: int | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    speed: bool = True,
    threads: int = 1,
    timeout: float = crew.TIMEOUT,
    say: Say = _silent,
) -> Run:
    """Compare implementations on experiments: parity, speed, accuracy, figures.

    Parameters
    ----------
    experiments : str or sequence of str
        Names as `nn-parity list` prints them.
    frameworks : str or sequence of str, optional
        Any of scratch, torch, keras, jax (aliases accepted); all by default. scratch is
        the reference and always runs.
    dtype : {"both", "float64", "float32"}
    data : path, optional
        Folder of an idx data set in place of the experiment's own.
    weights : path, optional
        Weight file (.npz, .csv) in place of drawn initial weights.
    epochs, seed : int, optional
    settings : mapping, optional
        What `--set` takes: ``{"hidden": "8", "lr": 0.1}``.
    out : path, optional
        Folder of the run; a new one under results/runs by default.
    resume : bool
        Go on with the interrupted run in ``out``: what is recorded is not repeated.
    speed : bool
        Whether to measure times (about ten seconds an experiment).
    threads : int
        Threads of each framework.
    timeout : float
        Seconds after which a worker counts as hanging.

    Returns
    -------
    Run
        ``run.parity``, ``run.speed``, ``run.accuracy`` are DataFrames.

    Raises
    ------
    Refusal
        Unknown names or settings, unusable data, weights or output folder: before
        anything is trained.
    """
    from nn_parity import bench, datasets

    names = [experiments] if isinstance(experiments, str) else list(experiments)
    if not names:
        raise Refusal("E003", "no experiment named", "compare", "see nn-parity list")
    changes = dict(settings or {})
    if epochs is not None:
        changes["epochs"] = epochs
    crewed = _Crew.assemble(
        frameworks, dtype, threads=threads, timeout=timeout, say=say
    )
    _check_seed(seed)

    known: dict[str, datasets.Dataset] = {}

    def load(name: str) -> datasets.Dataset:
        if name not in known:
            known[name] = datasets.load(name, data=data)
        return known[name]

    cases: list[Case] = []
    by_hand: dict[str, Mapping[str, Any] | None] = {}
    for name in dict.fromkeys(names):
        experiment = recipes.experiment(name)
        parsed = recipes.parse_settings(experiment.network, changes)
        resolved = recipes.cases(
            experiment,
            load,
            changes=parsed,
            seed=seed,
            data=None if data is None else str(Path(data).resolve()),
        )
        for case, part in resolved:
            if weights is not None and part.by_hand is None:
                case = recipes.with_weights(case, str(Path(weights).resolve()))
                inputs.of(case)  # refused here, not in a worker
            cases.append(case)
            by_hand[case.name] = part.by_hand

    folder = _folder(out, "+".join(dict.fromkeys(names)), resume=resume)
    cases = [_fix_weights(case, by_hand[case.name], folder) for case in cases]
    _describe(
        folder,
        crewed,
        resume=resume,
        kind="compare",
        cases=[case.plain() for case in cases],
        datasets={
            d.name: {"sha256": d.sha256, "description": d.description}
            for d in known.values()
        },
        data=None if data is None else str(Path(data).resolve()),
        seed=seed,
    )
    job = _Job(folder, crewed, cases)
    with crewed:
        job.record()
        rows = job.parity_rows()
        job.write_accuracy({dataset.name: dataset for dataset in known.values()})
        job.write_samples()
        if speed:
            bench.quick(job, rows)
            job.write_samples()
        else:
            files.write_text(folder / "speed.csv", ",".join(bench.COLUMNS) + "\n")
    from nn_parity import pictures

    pictures.draw(Run(folder))
    return Run(folder)


def parity(
    networks: str | Sequence[str] | None = None,
    *,
    frameworks: str | Sequence[str] | None = None,
    dtype: str = "both",
    out: str | Path | None = None,
    timeout: float = crew.TIMEOUT,
    say: Say = _silent,
) -> Run:
    """Compare implementations at tiny, pairwise different sizes: agreement only.

    Parameters as in `compare`; ``networks`` defaults to all. Returns a `Run` whose
    ``parity`` holds a row for each tensor.
    """
    if networks is None:
        networks = registry.networks()
    names = [networks] if isinstance(networks, str) else list(networks)
    cases = [case for name in names for case in registry.spec(name).cases]
    crewed = _Crew.assemble(frameworks, dtype, threads=1, timeout=timeout, say=say)
    folder = _folder(out, "parity")
    _describe(folder, crewed, kind="parity", cases=[case.plain() for case in cases])
    job = _Job(folder, crewed, cases)
    with crewed:
        job.record()
    job.parity_rows()
    job.write_samples()
    return Run(folder)


# -- its parts -------------------------------------------------------------------------


@dataclass
class _Crew:
    """The workers of a run, and the frameworks that have none, with the reason."""

    frameworks: tuple[str, ...]
    dtypes: tuple[str, ...]
    absent: dict[str, str]
    asked_for: tuple[str, ...]  # by name
    threads: int
    timeout: float
    say: Say
    workers: dict[tuple[str, str], Worker] = field(default_factory=dict)

    @classmethod
    def assemble(
        cls,
        frameworks: str | Sequence[str] | None,
        dtype: str,
        *,
        threads: int,
        timeout: float,
        say: Say,
    ) -> _Crew:
        if dtype not in (*DTYPES, "both"):
            raise Refusal(
                "E007", f"no dtype '{dtype}'", "--dtype", "float64, float32 or both"
            )
        if not 1 <= threads <= environment.cores():
            raise Refusal(
                "E305",
                f"{threads} threads asked for",
                f"{environment.cores()} cores are available",
                "choose --threads within that",
            )
        given = frameworks if not isinstance(frameworks, Sequence) else frameworks
        wanted = registry.canonical(given if given is None else _flat(given))
        wanted = tuple(dict.fromkeys(("scratch", *wanted)))
        present, absent = crew.available(wanted)
        asked_for = () if frameworks is None else wanted
        dtypes = DTYPES if dtype == "both" else (dtype,)
        return cls(wanted, dtypes, absent, asked_for, threads, timeout, say)

    @property
    def present(self) -> tuple[str, ...]:
        return tuple(f for f in self.frameworks if f not in self.absent)

    def worker(self, framework: str, dtype: str, folder: Path) -> Worker:
        key = framework, dtype
        if key not in self.workers:
            self.workers[key] = Worker(
                framework,
                dtype,
                folder=folder,
                threads=self.threads,
                timeout=self.timeout,
            )
        return self.workers[key]

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker; none is started again."""
        for worker in self.workers.values():
            worker.close()


def _flat(names: str | Iterable[str]) -> str:
    return names if isinstance(names, str) else ",".join(names)


class _Job:
    """One run in the making: cases x frameworks x dtypes in a folder."""

    def __init__(self, folder: Path, crewed: _Crew, cases: list[Case]) -> None:
        self.folder, self.crew, self.cases = folder, crewed, cases
        self.failed: dict[tuple[str, str, str], Failure] = {}  # framework dtype network
        self.samples: list[dict[str, Any]] = []
        self._transcripts: dict[tuple[str, str, str], Transcript] = {}
        self._lock = threading.Lock()

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(case.network for case in self.cases))

    def path(self, framework: str, dtype: str, network: str) -> Path:
        """Where a transcript lies."""
        return self.folder / "transcripts" / dtype / framework / f"{network}.npz"

    def record(self) -> None:
        """Have every worker write its transcripts, as many at once as there are cores."""
        order = ("keras", "jax", "torch", "scratch")  # the longest start first
        jobs = [
            (framework, dtype)
            for framework in order
            if framework in self.crew.present
            for dtype in self.crew.dtypes
        ]
        slots = max(1, environment.cores() // self.crew.threads)
        with ThreadPoolExecutor(slots) as pool:
            try:
                for done in [pool.submit(self._record, *job) for job in jobs]:
                    done.result()
            except BaseException:  # Ctrl-C, a full disk: nobody waits for the others
                pool.shutdown(wait=False, cancel_futures=True)
                self.crew.close()
                raise

    def _record(self, framework: str, dtype: str) -> None:
        worker = self.crew.worker(framework, dtype, self.folder)
        for network in self.networks:
            cases = [c.plain() for c in self.cases if c.network == network]
            path = self.path(framework, dtype, network)
            if path.exists():  # --resume: it was written whole, or not at all
                self.crew.say(framework, dtype, f"{network}: recorded before")
                continue
            self.crew.say(framework, dtype, "starting")
            try:
                worker.run(
                    {"op": "record", "cases": cases, "out": str(path.resolve())},
                    lambda text: self.crew.say(framework, dtype, text),
                )
            except Failure as failure:
                with self._lock:
                    self.failed[framework, dtype, network] = failure
                self.crew.say(framework, dtype, f"{failure.status}: {failure.reason}")
            else:
                self.crew.say(framework, dtype, "recorded")

    def transcript(self, case: Case, framework: str, dtype: str) -> Transcript | None:
        """Return what a worker wrote of one case, if it did."""
        key = framework, dtype, case.network
        if key not in self._transcripts:
            path = self.path(*key)
            if framework in self.crew.absent or not path.exists():
                return None
            with np.load(path, allow_pickle=False) as stored:
                self._transcripts[key] = {name: stored[name] for name in stored.files}
        prefix = f"{case.name}:"
        return {
            name.removeprefix(prefix): array
            for name, array in self._transcripts[key].items()
            if name.startswith(prefix)
        }

    def why_absent(self, case: Case, framework: str, dtype: str) -> tuple[str, str]:
        """Status and reason of a cell without a transcript."""
        if framework in self.crew.absent:
            return "not installed", self.crew.absent[framework]
        failure = self.failed.get((framework, dtype, case.network))
        return (failure.status, failure.reason) if failure else ("crashed", "no result")

    def cells(self) -> Iterable[Cell]:
        """Every framework and dtype on every case, in table order."""
        return (
            Cell(case, framework, dtype)
            for case in self.cases
            for dtype in self.crew.dtypes
            for framework in self.crew.frameworks
        )

    def parity_rows(self) -> list[Row]:
        """Compare all transcripts and write parity.csv."""
        rows: list[Row] = []
        for cell in self.cells():
            ours = self.transcript(cell.case, cell.framework, cell.dtype)
            scratch = self.transcript(cell.case, "scratch", cell.dtype)
            if ours is None:
                rows += agreement.absent(
                    cell, *self.why_absent(cell.case, cell.framework, cell.dtype)
                )
            elif scratch is None:
                rows += agreement.absent(
                    cell, "withheld", "the reference has no result"
                )
            elif cell.framework == "scratch":
                rows += agreement.compare(cell, _short(ours), agreement.truth(ours))
            else:
                rows += agreement.compare(cell, ours, scratch)
        self.samples += [{"record": "parity", **row} for row in rows]
        _write_csv(self.folder / "parity.csv", agreement.COLUMNS, rows)
        return rows

    def write_accuracy(self, known: Mapping[str, Any]) -> None:
        """Write accuracy.csv: one row for each framework, dtype and trained case."""
        from nn_parity import accuracy

        rows = []
        for cell in self.cells():
            ours = self.transcript(cell.case, cell.framework, cell.dtype)
            scratch = self.transcript(cell.case, "scratch", cell.dtype)
            if ours is None:
                status = self.why_absent(cell.case, cell.framework, cell.dtype)
                row = accuracy.absent(cell, *status)
            else:
                row = accuracy.row(cell, ours, scratch, known[cell.case.dataset])
                self.samples.append(accuracy.sample(cell, ours))
            rows.append(row)
        _write_csv(self.folder / "accuracy.csv", accuracy.COLUMNS, rows)

    def write_samples(self) -> None:
        """Write samples.jsonl: every raw value that the tables are made of."""
        lines = "".join(json.dumps(sample) + "\n" for sample in self.samples)
        files.write_text(self.folder / "samples.jsonl", lines)
        status = "complete"
        files.write_text(self.folder / "status", status + "\n")


def _short(transcript: Transcript) -> Transcript:
    """Return scratch's transcript without the long training, which has no truth."""
    return {
        key: value
        for key, value in transcript.items()
        if not key.endswith("@end") and not key.startswith("truth/")
    }


def _check_seed(seed: Any) -> None:
    whole = isinstance(seed, int) and not isinstance(seed, bool)
    if not (whole and 0 <= seed < 2**32):
        raise Refusal(
            "E010",
            f"seed {seed!r}",
            "--seed",
            "give a whole number from 0 to 4294967295",
        )


def _folder(out: str | Path | None, name: str, *, resume: bool = False) -> Path:
    if resume and (out is None or not (Path(out) / "environment.json").exists()):
        raise Refusal(
            "E017",
            "nothing to resume",
            str(out or "--out is missing"),
            "give --out the folder of an interrupted run",
        )
    if out is None:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        path = RUNS / f"{now}-{name}"
        if path.exists():
            path = RUNS / f"{now}-{os.getpid()}-{name}"
    else:
        path = Path(out)
    if (path / "environment.json").exists() and not resume:
        raise Refusal(
            "E011",
            "this folder holds a run already",
            str(path),
            "choose another, or --resume",
        )
    return files.writable_folder(path)


def _fix_weights(case: Case, by_hand: Mapping[str, Any] | None, folder: Path) -> Case:
    """Write a case's initial weights into the run; every worker reads that one file.

    A user's weights are rounded to float32 here, so that both dtypes start equal.
    """
    from nn_parity import weight_files

    path = folder / "initial" / f"{case.name.replace('/', '-')}.npz"
    spec = registry.spec(case.network)
    params, state = inputs.initial(spec, case, case.seeds[0])
    if path.exists():  # --resume: `_same_request` compares its hash
        return replace(case, weights=str(path.resolve()))
    if by_hand is not None:
        params = {name: np.asarray(by_hand[name], np.float64) for name in params}
    params = {
        name: initial_weights.representable(value) for name, value in params.items()
    }
    path.parent.mkdir(exist_ok=True)
    origin = {"experiment": case.experiment, "seed": case.seeds[0], "point": "initial"}
    weight_files.write(
        path,
        params,
        state,
        network=case.network,
        sizes=case.sizes,
        origin=origin | ({"file": Path(case.weights).name} if case.weights else {}),
    )
    return replace(case, weights=str(path.resolve()))


def _describe(
    folder: Path, crewed: _Crew, *, resume: bool = False, **request: Any
) -> None:
    import hashlib

    for case in request["cases"]:
        if case["weights"]:
            content = Path(case["weights"]).read_bytes()
            case["weights_sha256"] = hashlib.sha256(content).hexdigest()
            case["weights"] = str(Path(case["weights"]).relative_to(folder.resolve()))
        if case["data"]:
            case["data"] = Path(case["data"]).name
    child = crew.environment(crewed.threads, Path("logs/keras"))
    settings = {k: v for k, v in child.items() if k in crew.SETTINGS}
    text = environment.describe(
        frameworks=list(crewed.frameworks),
        absent=crewed.absent,
        asked_for=list(crewed.asked_for),
        dtypes=list(crewed.dtypes),
        threads=crewed.threads,
        settings=settings,
        **request,
    )
    if resume:
        _same_request(folder, text)
        return
    files.write_text(folder / "environment.json", json.dumps(text, indent=1) + "\n")


def _same_request(folder: Path, now: dict[str, Any]) -> None:
    """Refuse to go on with another request, or with other versions."""
    then = Run(folder).environment
    now = json.loads(json.dumps(now))
    for key in ("cases", "frameworks", "dtypes", "threads", "versions", "datasets"):
        if then.get(key) != now.get(key):
            raise Refusal(
                "E018",
                f"the interrupted run has other {key}",
                str(folder),
                "repeat its command exactly, or start a new run",
            )


def _write_csv(path: Path, columns: Sequence[str], rows: list[Row]) -> None:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(columns))
    files.write_text(path, frame.to_csv(index=False, lineterminator="\n"))
