"""What a network that looks at pictures takes from the data, and its layers' shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nn_parity.errors import Refusal

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset


def picture(data: Dataset) -> tuple[int, int, int]:
    """(H, W, C) of a data set's pictures; `Refusal` E008 if it has none."""
    if data.image_shape is None:
        raise Refusal(
            "E008",
            f"'{data.name}' has no pictures",
            "the data of this experiment",
            "use a data set of pictures",
        )
    H, W = data.image_shape
    return H, W, data.x_train[0].size // (H * W)


def outputs_of(
    shape: Sequence[int], *, size: Sequence[int], stride: int, padding: str
) -> tuple[int, int]:
    """(P, Q) of a kernel or a pool's window of this size on pictures (H, W, C).

    Raises
    ------
    Refusal
        E008 if the window is larger than the picture and nothing pads it.
    """
    H, W = shape[:2]
    if padding == "same":
        return -(-H // stride), -(-W // stride)
    if size[0] > H or size[1] > W:
        raise Refusal(
            "E008",
            f"a window of {tuple(size)} pixels does not fit on a picture of {(H, W)}",
            "the shape of the pictures",
            "use larger pictures, a smaller window or padding 'same'",
        )
    return (H - size[0]) // stride + 1, (W - size[1]) // stride + 1
