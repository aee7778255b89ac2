"""The tests: as many processes as there are cores, so each keeps to one thread."""

import os
import signal

for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before NumPy is imported
    os.environ.setdefault(_pool, "1")

# a shell that runs the tests in the background ignores Ctrl-C, and children inherit that
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
