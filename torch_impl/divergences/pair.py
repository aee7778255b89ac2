"""Two ways of one row: as one would write it, and with the setting that makes sides agree."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Pair(NamedTuple):
    """What happens here, in a few words, and two functions of the row's arrays.

    Both return an array, a number or a dict of them; ``aligned`` is None where no setting
    makes this side agree with the others.
    """

    does: str
    naive: Callable[[dict], Any]
    aligned: Callable[[dict], Any] | None
