"""The same weights in every framework, asked about inputs that the user gives."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity import (
    batches,
    crew,
    datasets,
    inputs,
    metrics,
    recipes,
    registry,
    transcripts,
    weight_files,
)
from nn_parity.crew import Failure, Worker
from nn_parity.errors import Refusal
from nn_parity.experiments import Part
from nn_parity.protocol import Case

if TYPE_CHECKING:
    import pandas as pd


def predict(
    experiment: str,
    given: Sequence[str | Sequence[float]],
    *,
    weights: str | Path | None = None,
    frameworks: str | Sequence[str] | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    say: Callable[[str, str, str], None] = lambda framework, dtype, text: None,
) -> pd.DataFrame:
    """Predict with one set of weights in float64, a column for each framework.

    Parameters
    ----------
    experiment : str
        Fixes network, sizes and recipe; where it has several parts, the first that is
        trained.
    given : sequence
        Rows of numbers, or of tokens, "x1,x2,..."; or "test:17" for a row of the test
        set.
    weights : path, optional
        A weight file; without one scratch trains the experiment on the spot.

    Returns
    -------
    DataFrame
        One row for each input: the input, then each framework's prediction, as a class
        where there are classes, as the tokens of a network that generates, and as a
        number otherwise.
    """
    import pandas as pd

    case, part = recipes.chosen_part(
        recipes.cases(experiment, changes=settings or {}, seed=seed, data=data)
    )
    known = datasets.load(case.dataset, data=case.data)
    x = np.stack([_row(text, case, known) for text in given])
    wanted = registry.canonical(frameworks)
    present, absent = crew.available(wanted)
    if frameworks is not None and absent:
        raise Refusal("E301", next(iter(absent.values())), "--frameworks", "install it")
    columns = {"input": [_shown(text) for text in given]}
    with tempfile.TemporaryDirectory() as scratch_folder:
        case = _weighted(case, part, weights, Path(scratch_folder), say)
        for framework in present:
            worker = Worker(framework, "float64", folder=Path(scratch_folder))
            say(framework, "float64", "predicting")
            try:
                answer = worker.run(
                    {"op": "forward", "case": case.plain(), "x": x.tolist()}
                )
                columns[framework] = (
                    [_written(tokens, known) for tokens in answer["tokens"]]
                    if "tokens" in answer
                    else _answers(case, np.array(answer["prediction"]))
                )
            except Failure as failure:
                columns[framework] = [f"{failure.status}: {failure.reason}"] * len(x)
            finally:
                worker.stop()
    for framework, reason in absent.items():
        columns[framework] = [f"not installed: {reason}"] * len(x)
    return pd.DataFrame(columns)


def _weighted(
    case: Case,
    part: Part,
    weights: str | Path | None,
    folder: Path,
    say: Callable[[str, str, str], None],
) -> Case:
    """Return the case with trained weights: the file's, or trained here by scratch."""
    if weights is not None:
        case = replace(case, weights=str(Path(weights).resolve()))
        inputs.of(case)
        return case
    adapter = registry.build("scratch", case, dtype="float64")
    arrays = inputs.of(case)
    params = arrays.params
    if part.by_hand is not None:
        params = {n: np.asarray(v, np.float64) for n, v in part.by_hand.items()}
    adapter.load(params, arrays.state)
    made = transcripts.train(
        adapter, case, arrays, lambda text: say("scratch", "float64", text)
    )
    if "meta/diverged" in made:
        raise Refusal(
            "E402",
            f"training diverged at step {int(made['meta/diverged'])}",
            case.name,
            "choose a smaller --set lr",
        )
    params, state = adapter.export()
    path = folder / "trained.npz"
    weight_files.write(
        path, params, state, network=case.network, sizes=case.sizes, origin={}
    )
    return replace(case, weights=str(path))


def _row(text: str | Sequence[float], case: Case, data: datasets.Dataset) -> np.ndarray:
    test = inputs.arranged(case, data.x_test)["x"]
    if isinstance(text, str) and text.startswith("test:"):
        number = text.removeprefix("test:")
        if not number.isdecimal() or int(number) >= len(test):
            raise Refusal(
                "E016",
                f"no test row '{number}'",
                f"{data.name} has {len(test)}",
                f"give test:0 to test:{len(test) - 1}",
            )
        row = test[int(number)]
        return row if data.vocabulary else row.astype(np.float64)
    shape = test.shape[1:]
    if data.vocabulary:
        return _tokens(text, shape[0], data)
    try:
        parts = text.split(",") if isinstance(text, str) else text
        values = np.array([float(part) for part in parts])
        row = batches.finite(values).reshape(shape)
    except ValueError:
        raise Refusal(
            "E016",
            f"'{text}' is no input",
            "--input",
            f"give {int(np.prod(shape))} finite numbers, comma between, or test:ROW",
        ) from None
    return row


def _tokens(
    text: str | Sequence[float], length: int, data: datasets.Dataset
) -> np.ndarray:
    """Return the ids of tokens, those that the data's x is made of."""
    known = [data.vocabulary[i] for i in np.unique(data.x_train)]
    parts = text.split(",") if isinstance(text, str) else text
    named = [str(part).strip() for part in parts]
    strange = next((part for part in named if part not in known), None)
    if strange is not None or len(named) != length:
        wrong = f"'{strange}'" if strange is not None else f"{len(named)} tokens"
        raise Refusal(
            "E016",
            f"'{_shown(text)}' is no input: {wrong}",
            "--input",
            f"give {length} of {' '.join(known)}, comma between, or test:ROW",
        )
    return np.array([data.vocabulary.index(part) for part in named])


def _written(tokens: Sequence[int], data: datasets.Dataset) -> str:
    return ",".join(data.vocabulary[token] for token in tokens)


def _shown(text: str | Sequence[float]) -> str:
    shown = text if isinstance(text, str) else ",".join(map(str, text))
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _answers(case: Case, prediction: np.ndarray) -> list[Any]:
    loss = case.recipe["loss"]
    if loss in batches.INDEX_LOSSES:
        return metrics.decisions(loss, prediction).tolist()
    return metrics.probability(loss, prediction).tolist()
