"""The tests: as many processes as there are cores, so each keeps to one thread."""

import os

for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before NumPy is imported
    os.environ.setdefault(_pool, "1")
