"""The main job: same initial weights everywhere, compared, trained, timed, tabulated.

``compare``, ``parity`` and ``bench`` are the Python API; the command line is a thin layer
over them. A run is a folder (`Run`), complete or readable as far as it got.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nn_parity import crew, files, inputs, manifest, preparing, recipes, registry
from nn_parity.blocks import blocks as all_blocks
from nn_parity.errors import Refusal
from nn_parity.experiments import DEFAULT
from nn_parity.jobs import Job, Say, Team, silent
from nn_parity.protocol import VARIANT, Case
from nn_parity.results import Run


def compare(
    experiments: str | Sequence[str] = DEFAULT,
    *,
    frameworks: str | Sequence[str] | None = None,
    dtype: str = "both",
    data: str | Path | None = None,
    weights: str | Path | None = None,
    epochs: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    speed: bool = True,
    threads: int = 1,
    timeout: float = crew.TIMEOUT,
    say: Say = silent,
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
    seeds : int
        Train from so many seeds: ``seed`` with everything that is compared, the next
        ones for their whole training only (curve, trained weights, predictions).
    settings : mapping, optional
        What `--set` takes: ``{"hidden": "8", "lr": 0.1}``.
    out : path, optional
        Folder of the run; a new one under results/runs by default.
    resume : bool
        Go on with the interrupted run in ``out``: what is recorded is not repeated.
        Refused if the request, a version or an implementation's code is another one.
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
    from nn_parity import benching
    from nn_parity.benching import journal, running

    names = preparing.named(experiments, "compare")
    changes = dict(settings or {})
    if epochs is not None:
        changes["epochs"] = epochs
    team = Team.assemble(frameworks, dtype, threads=threads, timeout=timeout, say=say)
    preparing.check_seeds(seed, seeds, weights)

    sources = preparing.Sources(data)
    cases: list[Case] = []
    by_hand: dict[str, Mapping[str, Any] | None] = {}
    for name in names:
        for case, part in recipes.cases(
            name, changes=changes, seed=seed, data=data, load=sources.load
        ):
            if weights is not None and part.by_hand is None:
                case = recipes.with_weights(case, str(Path(weights).resolve()))
                inputs.of(case)  # refused here, not in a worker
            cases.append(case)
            by_hand[case.name] = part.by_hand
    drawn = [case for case in cases if by_hand[case.name] is None and case.trains]
    for further in range(seed + 1, seed + seeds):
        cases += [recipes.again(case, further) for case in drawn]

    folder = preparing.new_folder(out, "+".join(names), resume=resume)
    with files.alone(folder):
        cases = [
            preparing.fix_weights(case, by_hand.get(case.name), folder)
            for case in cases
        ]
        preparing.describe(
            folder,
            team,
            resume=resume,
            kind="compare",
            cases=[case.plain() for case in cases],
            **sources.described(),
            seed=seed,
            seeds=list(range(seed, seed + seeds)),
        )
        job = Job(folder, team, cases)
        timed = journal.measured(folder) if resume else []
        with team:
            job.record()
            rows = job.parity_rows()
            job.write_accuracy({d.name: d for d in sources.loaded.values()})
            job.write_samples()
            if speed:
                asked = running.Asked(running.QUICK)
                running.Benchmark(job, rows, asked, timed).run()
            else:
                files.write_text(
                    folder / "speed.csv", ",".join(benching.COLUMNS) + "\n"
                )
        _draw(Run(folder))
        manifest.write(folder)
    return Run(folder)


def parity(
    networks: str | Sequence[str] | None = None,
    *,
    blocks: bool = False,
    short: bool = False,
    optimized: bool = False,
    frameworks: str | Sequence[str] | None = None,
    dtype: str = "both",
    out: str | Path | None = None,
    timeout: float = crew.TIMEOUT,
    say: Say = silent,
) -> Run:
    """Compare implementations at tiny, pairwise different sizes: agreement only.

    Parameters as in `compare`; ``networks`` defaults to all. With ``blocks`` the building
    blocks are compared: activations, layers, losses, penalties and optimizers. A ``short``
    run has float32 only in whole numbers and for the first steps of training. XLA compiles
    JAX's functions in haste, without making them fast, unless they are to be ``optimized``
    as in `compare`: a third of the time. Returns a `Run` whose ``parity`` holds a row for
    each tensor.
    """
    if networks is None:
        networks = () if blocks else registry.networks()
    names = [networks] if isinstance(networks, str) else list(networks)
    cases = [_sparing(case) for name in names for case in registry.spec(name).cases]
    if blocks:
        cases += all_blocks()
    if short:
        cases = [_short(case) for case in cases]
    settings = crew.compiled_once()
    if not optimized:
        settings |= crew.compiled_in_haste()
    team = Team.assemble(
        frameworks, dtype, threads=1, timeout=timeout, say=say, settings=settings
    )
    folder = preparing.new_folder(out, "parity")
    with files.alone(folder):
        plain = [case.plain() for case in cases]
        preparing.describe(folder, team, kind="parity", blocks=blocks, cases=plain)
        job = Job(folder, team, cases)
        with team:
            job.record()
        job.parity_rows()
        job.write_samples()
        manifest.write(folder)
    return Run(folder)


def bench(
    experiments: str | Sequence[str] = DEFAULT,
    *,
    part: str | None = None,
    frameworks: str | Sequence[str] | None = None,
    dtype: str = "float32",
    variants: str | Sequence[str] | None = None,
    scaling: str | Sequence[str] | None = None,
    launches: int = 5,
    rounds: int = 31,
    quick: bool = False,
    data: str | Path | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    threads: int = 1,
    timeout: float = crew.TIMEOUT,
    say: Say = silent,
) -> Run:
    """Time implementations on experiments, as docs/benchmarking.md says.

    Timed are steps, whole epochs and predictions. Before that, outputs, gradients and first
    training steps are compared, and what fails there gets no times.

    Parameters
    ----------
    experiments, frameworks, data, seed, settings, out, threads, timeout
        As in `compare`.
    part : str, optional
        Of an experiment with several parts, such as "gru" of digits-rows; by default the
        first that is trained.
    dtype : {"float32", "float64", "both"}
    variants : str or sequence of str, optional
        Further ways to run an epoch, which compile for long: "torch-compile",
        "keras-jit" or "all".
    scaling : str or sequence of str, optional
        Also time epochs over "batch_size", "hidden" and "length", with 1 and 2 threads,
        or over "all" of them.
    launches, rounds : int
        Generations of processes, and slices of each cell in one.
    quick : bool
        One launch in processes that did other work before, for some seconds: what
        `compare` does.
    resume : bool
        Go on with the interrupted run in ``out``; no slice is lost.

    Returns
    -------
    Run
        ``run.speed`` is a DataFrame; ``run.frame("memory")`` and, with ``scaling``,
        ``run.frame("scaling")`` are two more.

    Raises
    ------
    Refusal
        As in `compare`; E050 to E052 for what only this function takes.
    """
    from nn_parity.benching import entries, journal, running
    from nn_parity.benching.scaling import dimensions

    names = preparing.named(experiments, "bench")
    changes = dict(settings or {})
    plan = running.plan(launches, rounds, quick=quick)
    asked_variants = entries.chosen_variants(variants)
    asked_scaling = dimensions(scaling)
    if quick and (asked_variants or asked_scaling):
        raise Refusal(
            "E053", "variants and scaling are not quick", "--quick", "leave out one"
        )
    team = Team.assemble(frameworks, dtype, threads=threads, timeout=timeout, say=say)
    preparing.check_seeds(seed, 1, None)
    sources = preparing.Sources(data)
    cases = []
    for name in names:
        case, chosen = recipes.chosen_part(
            recipes.cases(
                name, changes=changes, seed=seed, data=data, load=sources.load
            ),
            part,
        )
        if chosen.by_hand is not None:
            raise Refusal("E019", f"part '{part}' is not trained", name, "name another")
        recipe = {key: v for key, v in case.recipe.items() if key != "epochs"}
        cases.append(replace(case, recipe=recipe, tiers=("initial", "steps")))
    folder = preparing.new_folder(out, "+".join(names), resume=resume)
    with files.alone(folder):
        cases = [preparing.fix_weights(case, None, folder) for case in cases]
        preparing.describe(
            folder,
            team,
            resume=resume,
            kind="bench",
            cases=[case.plain() for case in cases],
            **sources.described(),
            seed=seed,
            launches=plan.launches,
            rounds=plan.rounds,
            quick=quick,
            variants=sorted(asked_variants),
            scaling=list(asked_scaling),
        )
        job = Job(folder, team, cases)
        timed = journal.measured(folder) if resume else []
        asked = running.Asked(
            plan, asked_variants, asked_scaling, changes, sources.load
        )
        with team:
            job.record()
            rows = job.parity_rows()
            running.Benchmark(job, rows, asked, timed).run()
        _draw(Run(folder))
        manifest.write(folder)
    return Run(folder)


def _sparing(case: Case) -> Case:
    """Leave out of float32 what only asks whether two formulas are the same one."""
    if case.tiers == VARIANT and case.dataset == "random":
        return replace(case, dtypes=("float64",))
    return case


def _short(case: Case) -> Case:
    trained = "steps" in case.tiers and case in registry.spec(case.network).cases
    if trained or case.dataset in ("integers", "saturated"):
        return case
    return replace(case, dtypes=("float64",))


def _draw(run: Run) -> None:
    """Draw the figures; one that cannot be drawn is a line on standard error.

    The numbers are complete without it, and the exit code is about them. A disk that is
    full stays a refusal.
    """
    from nn_parity import pictures

    def tell(name: str, error: Exception) -> None:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"no figure {name}: {why}", file=sys.stderr)

    pictures.draw(run, failed=tell)
