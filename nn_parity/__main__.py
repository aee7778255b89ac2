"""``python -m nn_parity`` is the command line."""

from nn_parity.cli import main

main()
