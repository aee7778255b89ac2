"""Memory of this process, in MiB.

Not `resource.getrusage`: on Linux a child inherits the peak of the process that started
it, so that a small worker of a large parent would look large.
"""

from __future__ import annotations

import sys
from pathlib import Path

MIB = 2**20
_STATUS = Path("/proc/self/status")


def now() -> float:
    """Return the resident memory."""
    if _STATUS.exists():
        return _of_status("VmRSS")
    import psutil

    return psutil.Process().memory_info().rss / MIB


def peak() -> float:
    """Return the largest resident memory so far."""
    if _STATUS.exists():
        return _of_status("VmHWM")
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / MIB
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage / (MIB if sys.platform == "darwin" else 2**10)


def _of_status(name: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 2**10
    raise OSError(f"{_STATUS} has no {name}")
