"""All rows of the atlas, and those that were asked for."""

from __future__ import annotations

from nn_parity.divergences import (
    activations,
    initialization,
    layout,
    losses,
    normalization,
    optimizers,
    precision,
    recurrent,
    textbook,
)
from nn_parity.divergences.row import Row
from nn_parity.errors import Refusal
from nn_parity.suggest import nearest

_TOPICS = (
    layout,
    normalization,
    recurrent,
    activations,
    losses,
    optimizers,
    precision,
    initialization,
    textbook,
)
TOPICS = tuple(module.__name__.rpartition(".")[2] for module in _TOPICS)
ROWS: tuple[Row, ...] = tuple(row for module in _TOPICS for row in module.ROWS)


def rows(topic: str | None = None) -> tuple[Row, ...]:
    """Return the rows of a topic, the one row of an id, or all of them.

    Raises
    ------
    Refusal
        E020 if there is neither a topic nor a row of that name.
    """
    if topic is None:
        return ROWS
    wanted = topic.lower()
    chosen = tuple(row for row in ROWS if wanted in (row.topic, row.id.lower()))
    if not chosen:
        raise Refusal(
            "E020",
            f"no topic or row '{topic}'",
            f"topics are {', '.join(TOPICS)}",
            nearest(wanted, TOPICS) or "nn-parity atlas prints all rows with their ids",
        )
    return chosen
