"""Weights in a file that every implementation can read: ``.npz`` or ``.csv``.

An ``.npz`` holds one ``.npy`` member per tensor (states as ``state/NAME``) and
``manifest.json``; a CSV holds ``tensor,index,value`` rows below one ``#`` line with the
same manifest. Files come from strangers: their bytes are read once, hashed, and parsed
in memory; nothing is allocated, unpickled or unpacked on the word of a header.

Refusals are numbered as the fault catalogue numbers its weight faults (fault W01 is
``E101``), and beyond it: ``E140`` unreadable, ``E141`` malformed manifest, ``E142``
malformed CSV; ``E012`` the file exists, ``E501`` disk full, ``E502`` not writable.
"""

from nn_parity.weight_files.probes import check_probes, probe
from nn_parity.weight_files.reading import check, read
from nn_parity.weight_files.writing import write

__all__ = ["check", "check_probes", "probe", "read", "write"]
