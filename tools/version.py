"""Say in one line that this Python will not do; runs on any Python 3."""

import sys

if not (3, 11) <= sys.version_info[:2] < (3, 14):
    sys.exit(
        "error[E319]: Python %d.%d (%s) -> use 3.11, 3.12 or 3.13: make PYTHON=python3.12"
        % (*sys.version_info[:2], sys.executable)
    )
