"""Data sets: bundled ones by name, idx files from a folder, the cache or a mirror.

Refusals are numbered as the fault catalogue numbers its data faults (fault D01 is
``E201``), and beyond it:

- ``E213`` not found and not to be had from any mirror,
- ``E228``, ``E229`` the cache cannot be written, is a file,
- ``E230`` a folder that lacks files, a file that cannot be read,
- ``E231`` the name is taken by another set,
- ``E232`` shapes that do not fit together,
- ``E233`` values that float32 does not hold,
- ``E234`` a bundled set that has other bytes than it should,
- ``E501`` disk full, ``E510`` another process keeps the cache locked,
- ``E009`` no data set of that name.
"""

from nn_parity.datasets.catalogue import BUNDLED, import_path, load, status
from nn_parity.datasets.dataset import Dataset, from_arrays

__all__ = ["BUNDLED", "Dataset", "from_arrays", "import_path", "load", "status"]
