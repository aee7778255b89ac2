"""Which figures a run gets, drawn from its transcripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nn_parity import (
    datasets,
    figures,
    files,
    inputs,
    keys,
    metrics,
    registry,
    tolerances,
)
from nn_parity.errors import Refusal
from nn_parity.protocol import Case
from nn_parity.results import Run
from nn_parity.suggest import nearest
from nn_parity.transcripts import GATED_STEPS, Transcript

Figure = Any
SMALL = 12  # units of a layer that a diagram can show


def draw(
    run: Run,
    folder: Path | None = None,
    kind: str | None = None,
    *,
    failed: Callable[[str, Exception], None] | None = None,
) -> list[Path]:
    """Draw the figures of a run, or those of one kind, as SVG and PNG; return the files.

    A figure that cannot be drawn is told to ``failed``, and the next one is drawn; without
    it, and where the folder cannot take files (`Refusal`), the error is the caller's.
    """
    folder = files.writable_folder(run.path / "figures" if folder is None else folder)
    drawn: list[Path] = []
    for name, make in _all(run):
        if kind is None or name == kind or name.startswith(f"{kind}-"):
            try:
                drawn += figures.save(make(), folder / name)
            except Exception as error:
                if failed is None or isinstance(error, Refusal):
                    raise
                failed(name, error)
    if kind is not None and not drawn:
        raise _no_figure(run, kind)
    return drawn


def kinds(run: Run) -> list[str]:
    """Names of the figures that this run can draw."""
    return [name for name, _ in _all(run)]


def figure(run: Run, kind: str) -> Figure:
    """Return one figure; ``kind`` is a name of `kinds`, or its beginning."""
    for name, make in _all(run):
        if name == kind or name.startswith(f"{kind}-"):
            return make()
    raise _no_figure(run, kind)


def _no_figure(run: Run, kind: str) -> Refusal:
    return Refusal(
        "E015",
        f"no figure '{kind}' in this run",
        f"there are {', '.join(kinds(run)) or 'none'}",
        nearest(kind, kinds(run)) or "run compare first",
    )


def _all(run: Run) -> Iterator[tuple[str, Callable[[], Figure]]]:
    for case in run.first_cases:
        if case.dataset in inputs.TINY_SETS:
            continue
        label = case.name.replace("/", "-")
        for dtype in run.environment["dtypes"]:
            transcripts = _recorded(run, case, dtype)
            for kind, make in _of_case(run, case, dtype, transcripts):
                yield f"{kind}-{label}-{dtype}", make
    for experiment in dict.fromkeys(case.experiment for case in run.first_cases):
        trained = [
            c for c in run.first_cases if c.experiment == experiment and c.trains
        ]
        if len(trained) > 1:
            yield f"parts-{experiment}", partial(_parts, run, experiment, trained)
    yield from _of_timings(run)


_TIMINGS = {  # figure: its table, what it cannot be drawn without, drawn by, headline
    "speed": ("speed", "status", figures.speed_ratios, "time against scratch"),
    "scaling": (
        "scaling",
        "ratio_to_scratch",
        figures.scaling_curves,
        "time over size",
    ),
    "memory": ("memory", "peak_mib", figures.memory_bars, "memory of a process"),
    "roofline": ("speed", "peak_share", figures.roofline, "share of the peak"),
}


def _of_timings(run: Run) -> Iterator[tuple[str, Callable[[], Figure]]]:
    for figure, (table, needed, make, says) in _TIMINGS.items():
        quick = figure == "roofline" and run.environment["kind"] == "compare"
        if quick or not run.has(table):
            continue
        for name, rows in run.frame(table).groupby("experiment", sort=False):
            if needed in rows and rows[needed].notna().any():
                title = f"{_with_part(str(name), rows)}: {says}"
                yield f"{figure}-{name}", partial(make, rows, title=title)


def _with_part(experiment: str, rows: Any) -> str:
    """Return the experiment's name and, where one part of it was timed, the part's."""
    parts = {part for part in rows["part"] if part}
    return f"{experiment}/{parts.pop()}" if len(parts) == 1 else experiment


def _recorded(run: Run, case: Case, dtype: str) -> dict[str, Transcript]:
    """Transcripts of the frameworks that finished this case."""
    found = {f: run.transcript(case, f, dtype) for f in run.environment["frameworks"]}
    return {f: t for f, t in found.items() if "prediction/test@end" in t}


def _of_case(
    run: Run, case: Case, dtype: str, transcripts: Mapping[str, Transcript]
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    if "scratch" not in transcripts:
        return
    if case.recipe["epochs"]:
        yield "loss", lambda: _loss(case, dtype, transcripts)
    if dtype != run.environment["dtypes"][0]:
        return  # one dtype shows what the network has learned
    yield from _of_network(case, transcripts, _data(run, case))


def _of_network(
    case: Case, transcripts: Mapping[str, Transcript], data: datasets.Dataset | None
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    scratch = transcripts["scratch"]
    params = _params(scratch)
    layered = registry.spec(case.network).layered
    if layered and max(a.shape[0] for a in params.values()) <= SMALL:
        yield (
            "network",
            lambda: figures.network_diagram(
                params, case.recipe["activations"], title=f"{case.name}: the weights"
            ),
        )
    if "activation/dY_dX" in scratch:
        yield "jacobians", lambda: _jacobians(case, transcripts)
    if data is None:
        return
    if "activation/attention_1" in scratch:
        yield "attention", lambda: _attention(case, scratch, data)
    if data.classes is not None and data.y_test.ndim == 1:
        yield "confusion", lambda: _confusion(case, scratch, data)
    if data.classes is not None and data.x_test[0].size == np.prod(
        data.image_shape or 0
    ):
        yield "misclassified", lambda: _misclassified(case, transcripts, data)
    if data.image_shape and data.y_test.shape[1:] == (np.prod(data.image_shape),):
        yield "reconstructions", lambda: _reconstructions(case, transcripts, data)
    if layered and "W_1" in params and data.image_shape is not None:
        yield "first-layer", lambda: _first_layer(case, params, data)
    if data.x_train.shape[1:] == (2,) and not data.vocabulary:
        yield "region", lambda: _region(case, params, data)
    if data.x_train.shape[1:] == (1,):
        yield (
            "line",
            lambda: figures.line_fit(
                data.x_test,
                data.y_test,
                {f: t["prediction/test@end"] for f, t in transcripts.items()},
                title=f"{case.name}: what the network has learned",
            ),
        )


def _data(run: Run, case: Case) -> datasets.Dataset | None:
    """Return the case's data, if the folder it came from is still there."""
    given = run.environment.get("data")
    folder = None if given is None else Path(given).expanduser()
    if folder is not None and not folder.is_dir():
        return None
    return datasets.load(case.dataset, data=folder)


def _params(transcript: Transcript) -> dict[str, np.ndarray]:
    """Return the final weights; the initial ones where nothing was trained."""
    return keys.select(transcript, "trained", "end") or keys.loaded(transcript)


def _loss(case: Case, dtype: str, transcripts: Mapping[str, Transcript]) -> Figure:
    curves = {f: t["curve/loss@end"] for f, t in transcripts.items()}
    gates = [
        tolerances.gate("curve", "loss", "", case, (f, dtype)).value for f in curves
    ]
    gate = max((g for g in gates if g is not None), default=None)  # one line for all
    largest = float(np.abs(curves["scratch"]).max())
    return figures.loss_curves(
        curves,
        title=f"{case.name}, {dtype}: training loss",
        gate=None if gate is None else gate * largest,
        gated_steps=None if dtype == "float64" else GATED_STEPS[dtype],
    )


def _parts(run: Run, experiment: str, cases: list[Case]) -> Figure:
    """Compare the parts of an experiment with each other, all trained by scratch."""
    dtype = run.environment["dtypes"][0]
    found = {c.label: run.transcript(c, "scratch", dtype) for c in cases}
    losses, watched = (
        {label: t[key] for label, t in found.items() if key in t}
        for key in ("meta/epoch_losses", "curve/test@end")
    )
    return figures.compared_trainings(
        losses, watched, title=f"{experiment}: its parts (scratch, {dtype})"
    )


def _jacobians(case: Case, transcripts: Mapping[str, Transcript]) -> Figure:
    shapes = {
        framework: {n: a.shape for n, a in keys.select(t, "activation").items()}
        for framework, t in transcripts.items()
    }
    course = {
        name.removeprefix("course/"): shape
        for name, shape in shapes["scratch"].items()
        if name.startswith("course/")
    }
    return figures.jacobian_table(
        course, shapes, title=f"{case.name}: nine derivatives, in two layouts"
    )


def _confusion(case: Case, scratch: Transcript, data: datasets.Dataset) -> Figure:
    said = metrics.decisions(case.recipe["loss"], scratch["prediction/test@end"])
    right = float((said == data.y_test).mean())
    return figures.confusion_matrix(
        data.y_test,
        said,
        range(data.classes or 0),
        title=f"{case.name}: {right:.1%} of {len(said)} test examples right (scratch)",
    )


def _misclassified(
    case: Case, transcripts: Mapping[str, Transcript], data: datasets.Dataset
) -> Figure:
    loss = case.recipe["loss"]
    said = {
        f: metrics.decisions(loss, t["prediction/test@end"])
        for f, t in transcripts.items()
    }
    rows, columns = data.image_shape or (0, 0)
    return figures.misclassified(
        data.x_test.reshape(-1, rows, columns),
        data.y_test,
        said,
        title=f"{case.name}: what the networks got wrong",
    )


def _reconstructions(
    case: Case, transcripts: Mapping[str, Transcript], data: datasets.Dataset
) -> Figure:
    shape = (-1, *(data.image_shape or (0, 0)))
    loss = case.recipe["loss"]
    drawn = {
        f: metrics.probability(loss, t["prediction/test@end"]).reshape(shape)
        for f, t in transcripts.items()
    }
    return figures.reconstructions(
        data.y_test.reshape(shape),
        drawn,
        title=f"{case.name}: pictures drawn again from their codes",
    )


def _first_layer(
    case: Case, params: dict[str, np.ndarray], data: datasets.Dataset
) -> Figure:
    return figures.first_layer_weights(
        params["W_1"],
        data.image_shape or (0, 0),
        title=f"{case.name}: what each hidden unit looks for",
    )


def _attention(case: Case, scratch: Transcript, data: datasets.Dataset) -> Figure:
    """Draw what the trained network attends to, in the first test example it gets right.

    Of a text that is any; the maps of the last block are drawn.
    """
    last = max(n for n in keys.select(scratch, "activation") if "attention" in n)
    said = metrics.decisions(case.recipe["loss"], scratch["prediction/test@end"])
    right = (said == data.y_test).reshape(len(said), -1).mean(axis=1)
    first = int(right.argmax())
    adapter = registry.build("scratch", case, dtype="float64")
    adapter.load({n: a.astype(np.float64) for n, a in _params(scratch).items()}, {})
    batch = inputs.arranged(case, data.x_test[first : first + 1])
    maps = adapter.forward(batch, train=False)[last][0]
    if data.vocabulary:
        letters = [data.vocabulary[i] for i in data.x_test[first]]
        return figures.attention_of_letters(
            maps, letters, title=f"{case.name}: where each letter looks"
        )
    digit = data.y_test[first]
    return figures.attention_of_rows(
        maps, batch["x"][0], title=f"{case.name}: where each row of a {digit} looks"
    )


def _region(
    case: Case, params: dict[str, np.ndarray], data: datasets.Dataset
) -> Figure:
    scratch = registry.build("scratch", case, dtype="float64")
    scratch.load({n: a.astype(np.float64) for n, a in params.items()}, {})

    def predict(points: np.ndarray) -> np.ndarray:
        outputs = scratch.forward({"x": np.asarray(points, np.float64)}, train=False)
        return metrics.probability(case.recipe["loss"], outputs["prediction"])

    everything = np.vstack([data.x_train, data.x_test])
    low, high = everything.min(axis=0), everything.max(axis=0)
    edge = 0.25 * (high - low)
    names = data.labels[len(data.x_train) :]
    new = names and len(data.x_test) < len(data.x_train)
    return figures.decision_region(
        predict,
        data.x_train,
        data.y_train[:, 0],
        dict(zip(names, data.x_test, strict=True)) if new else {},
        title=f"{case.name}: where the network says yes",
        extent=(
            float(low[0] - edge[0]),
            float(high[0] + edge[0]),
            float(low[1] - edge[1]),
            float(high[1] + edge[1]),
        ),
    )
