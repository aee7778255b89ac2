"""What stands before a run begins: its folder, its data, its initial weights, its request.

All that can be refused is refused here, before anything is trained.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity import crew, environment, files, inputs, manifest, registry
from nn_parity import weights as initial_weights
from nn_parity.errors import Refusal
from nn_parity.jobs import Team
from nn_parity.protocol import Case
from nn_parity.results import Run

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset

RUNS = Path("results/runs")


def named(experiments: str | Sequence[str], command: str) -> list[str]:
    """Return the experiments that are asked for, each once; Refusal E003 if there are none."""
    names = [experiments] if isinstance(experiments, str) else list(experiments)
    if not names:
        raise Refusal("E003", "no experiment named", command, "see nn-parity list")
    return list(dict.fromkeys(names))


def check_seeds(seed: Any, seeds: Any, weights: Any) -> None:
    """Refuse (E010) seeds that are none, and several seeds from the same weights."""
    whole = [isinstance(n, int) and not isinstance(n, bool) for n in (seed, seeds)]
    if not (whole[0] and 0 <= seed < 2**32):
        raise Refusal(
            "E010",
            f"seed {seed!r}",
            "--seed",
            "give a whole number from 0 to 4294967295",
        )
    if not (whole[1] and 1 <= seeds <= 2**32 - seed):
        raise Refusal(
            "E010",
            f"{seeds!r} seeds",
            "--seeds",
            "give how many, from 1; the last seed is at most 4294967295",
        )
    if seeds > 1 and weights is not None:
        raise Refusal(
            "E010",
            f"{seeds} seeds from the same weights would only change the order",
            "--seeds and --weights",
            "leave out one of them",
        )


class Sources:
    """The data sets of a run, each loaded once; the user's folder instead if there is one."""

    def __init__(self, data: str | Path | None) -> None:
        self.data = data
        self.loaded: dict[str, Dataset] = {}

    def load(self, name: str) -> Dataset:
        """Return a data set; `Refusal` if it cannot be had, or is damaged."""
        from nn_parity import datasets

        if name not in self.loaded:
            self.loaded[name] = datasets.load(name, data=self.data)
        return self.loaded[name]

    def described(self) -> dict[str, Any]:
        """Say what environment.json holds of them."""
        folder = None if self.data is None else Path(self.data).resolve()
        return {
            "datasets": {
                d.name: {"sha256": d.sha256, "description": d.description}
                for d in self.loaded.values()
            },
            "data": None if folder is None else environment.without_home(folder),
        }


def new_folder(out: str | Path | None, name: str, *, resume: bool = False) -> Path:
    """Return the folder of a run, which can be written.

    Raises
    ------
    Refusal
        ``E017`` there is nothing to resume, ``E011`` the folder holds a run already; what
        `files.writable_folder` raises.
    """
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
            "choose another; an interrupted compare goes on with --resume",
        )
    return files.writable_folder(path)


def fix_weights(case: Case, by_hand: Mapping[str, Any] | None, folder: Path) -> Case:
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


def describe(folder: Path, team: Team, *, resume: bool = False, **request: Any) -> None:
    """Write environment.json: the request, the versions, the machine.

    With ``resume`` it is there, and the request must be the same one (E018).
    """
    for case in request["cases"]:
        if case["weights"]:
            content = Path(case["weights"]).read_bytes()
            case["weights_sha256"] = hashlib.sha256(content).hexdigest()
            case["weights"] = str(Path(case["weights"]).relative_to(folder.resolve()))
        if case["data"]:
            case["data"] = Path(case["data"]).name
    child = crew.environment(team.threads, Path("logs/keras")) | team.settings
    settings = {k: v for k, v in child.items() if k in crew.SETTINGS}
    text = environment.describe(
        frameworks=list(team.frameworks),
        absent=team.absent,
        asked_for=list(team.asked_for),
        dtypes=list(team.dtypes),
        threads=team.threads,
        settings=settings,
        ignored=crew.ignored(team.threads),
        **request,
    )
    if resume:
        _same_request(folder, text)
        (folder / manifest.FILE).unlink(missing_ok=True)
        return
    files.write_text(folder / "environment.json", json.dumps(text, indent=1) + "\n")


def _same_request(folder: Path, now: dict[str, Any]) -> None:
    """Refuse to go on with another request, with other versions or other code."""
    then = Run(folder).environment
    now = json.loads(json.dumps(now))
    for key in (
        "cases", "frameworks", "dtypes", "threads", "versions", "datasets",
        "source_sha256", "machine",
    ):  # fmt: skip
        if then.get(key) != now.get(key):
            other = "code of the implementations" if key == "source_sha256" else key
            raise Refusal(
                "E018",
                f"the interrupted run has other {other}",
                str(folder),
                "repeat its command exactly, or start a new run",
            )
