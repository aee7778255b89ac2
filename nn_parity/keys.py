"""The keys of a transcript: ``<quantity>/<tensor>[@<point>]``, as in ``grad/W_1@upstream``.

The quantities are those of parity.csv. ``meta/...`` is what is not compared,
``truth/<key>`` is what extended precision finds for a key, and ``nudged/<key>`` what a
training finds from weights that are a rounding error away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from nn_parity.transcripts import Transcript

_LOADED = "loaded/"


class Key(NamedTuple):
    """The parts of a key; a tensor may itself have parts, as in ``m/W_1``."""

    quantity: str
    tensor: str
    point: str = ""

    @classmethod
    def parse(cls, text: str) -> Key:
        """Take a key apart."""
        quantity, _, named = text.partition("/")
        tensor, _, point = named.partition("@")
        return cls(quantity, tensor, point)

    @property
    def text(self) -> str:
        """The key as it stands in a transcript."""
        return f"{self.quantity}/{self.named}"

    @property
    def named(self) -> str:
        """Tensor and point: the column "tensor" of parity.csv."""
        return f"{self.tensor}@{self.point}" if self.point else self.tensor

    @property
    def parameter(self) -> str:
        """The parameter it is about: "W_1" of ``state/m/W_1@30 steps``."""
        return self.tensor.rpartition("/")[2]

    @property
    def kind(self) -> str:
        """What of the parameter: "m" of ``state/m/W_1``; "" is the parameter itself."""
        return self.tensor.rpartition("/")[0]

    @property
    def loaded(self) -> bool:
        """Whether it is a weight as it was loaded."""
        return self.quantity == "state" and self.tensor.startswith(_LOADED)


def select(
    transcript: Transcript, quantity: str, point: str = ""
) -> dict[str, np.ndarray]:
    """Return the arrays of one quantity at one point, by tensor."""
    found = ((Key.parse(text), array) for text, array in transcript.items())
    return {
        key.tensor: array
        for key, array in found
        if (key.quantity, key.point) == (quantity, point)
    }


def loaded(transcript: Transcript) -> dict[str, np.ndarray]:
    """Return weights and state as they were loaded, by name."""
    return {
        tensor.removeprefix(_LOADED): array
        for tensor, array in select(transcript, "state").items()
        if tensor.startswith(_LOADED)
    }


def truth(transcript: Transcript) -> Transcript:
    """Return what extended precision finds, of scratch's transcript."""
    return _under("truth", transcript)


def nudged(transcript: Transcript) -> Transcript:
    """Return what a training finds from weights a rounding error away, of scratch's."""
    return _under("nudged", transcript)


def _under(word: str, transcript: Transcript) -> Transcript:
    found = ((Key.parse(text), array) for text, array in transcript.items())
    return {key.named: array for key, array in found if key.quantity == word}


def own(transcript: Transcript) -> Transcript:
    """Return a transcript without its truth and what was nudged."""
    return {
        text: array
        for text, array in transcript.items()
        if Key.parse(text).quantity not in ("truth", "nudged")
    }
