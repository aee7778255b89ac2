"""Say in one line that this Python will not do; runs on any Python 3."""

import sys

if not (3, 11) <= sys.version_info[:2] < (3, 14):
    text = "error[E319]: Python {}.{} ({}) -> use 3.11, 3.12 or 3.13: make PYTHON=python3.12"
    sys.exit(text.format(sys.version_info[0], sys.version_info[1], sys.executable))
