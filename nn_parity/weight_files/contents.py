"""What a weight file holds once it is open, and how much of it is believed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]
Manifest = dict[str, Any]

STATE = "state/"  # prefix of batch-norm statistics and memories inside a file
LIMIT = 1 << 30  # bytes of a file, and of all that is unpacked from it
RANK_LIMIT = 8
NAME = re.compile(r"[A-Za-z]\w*(\.\w+)*", re.ASCII)
AGAIN = "get the file again, or write it anew with `nn-parity weights export FILE`"


@dataclass
class Member:
    """One tensor of a file: its header, and how to get its values.

    ``load`` returns a native, C-contiguous array and whether its checksum was right.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    load: Callable[[], tuple[np.ndarray, bool]]


@dataclass
class File:
    """A file: its manifest, if there is one, and its tensors, not yet loaded."""

    path: Path
    kind: str
    size: int
    sha256: str
    manifest: Manifest | None
    members: dict[str, Member]
    notes: list[str] = field(default_factory=list)

    def entry(self, name: str) -> dict[str, Any] | None:
        """Return what the manifest says about a tensor, if there is a manifest."""
        return self.manifest["arrays"][name] if self.manifest else None
