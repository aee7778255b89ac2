"""Print the address if it answers within three seconds and is needed, else nothing.

Only Linux's default PyTorch build is the large one; elsewhere nothing is printed.
"""

import sys
import urllib.request

if sys.platform.startswith("linux"):
    try:
        with urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=3) as page:
            if b"torch-" in page.read(1_000_000):
                print(sys.argv[1])
    except (OSError, ValueError):
        pass
