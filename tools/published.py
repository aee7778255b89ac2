"""Make results/published: every experiment from five seeds, and the benchmarks.

    make published ARGS="--data FOLDER_OF_MNIST [NAME ...]"

Hours on two cores; nothing else should run during a bench-... An interrupted one goes on
where it was, a finished one is not run again. The index (README.md) is made anew of all
published folders.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from nn_parity import manifest, overview
from nn_parity.experiments import EXPERIMENTS

RUNS, TO = Path("results/runs/published"), Path("results/published")
SEEDS = "--seeds 5 --no-speed"
CHANGED = {  # what the experiment says and five courses do: ten epochs, not three
    "mnist": "--epochs 10",
    "mnist-lenet": "--dtype float32",  # convolutions in float64 take too long
}
TIMED = {
    "bench-digits": "digits --scaling all",
    "bench-digits-again": "digits",
    "bench-mnist-relu": "mnist-relu",
    "bench-lenet": "digits-lenet",
    "bench-lstm": "digits-rows --part lstm",
    "bench-gru": "digits-rows --part gru",
    "bench-transformer": "digits-rows --part transformer",
    "bench-reverse": "reverse",
    "bench-characters": "characters",
}
COMMANDS = {
    name: f"compare {name} {SEEDS} {CHANGED.get(name, '')}" for name in EXPERIMENTS
} | {name: f"bench {words}" for name, words in TIMED.items()}


def run(name: str, data: str | None) -> None:
    """Run one command, or go on with it, and publish what it made."""
    folder, words = RUNS / name, COMMANDS[name].split()
    if "mnist" in name and data:
        words += ["--data", data]
    if not (folder / manifest.FILE).exists():
        resume = ["--resume"] if (folder / "environment.json").exists() else []
        ask([*words, "--out", str(folder), *resume], codes=(0, 1))
    ask(["publish", str(folder), "--to", str(TO / name), "--force"])


def ask(words: list[str], codes: tuple[int, ...] = (0,)) -> None:
    """Run nn-parity; stop if it ends otherwise than with these codes."""
    print("nn-parity", *words, flush=True)
    done = subprocess.run([sys.executable, "-m", "nn_parity", *words], check=False)
    if done.returncode not in codes:
        sys.exit(done.returncode)


def main() -> None:
    """Read the command line."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("names", nargs="*", choices=[*COMMANDS, []], metavar="NAME")
    asked.add_argument("--data", help="folder of MNIST's four files")
    given = asked.parse_args()
    for name in given.names or COMMANDS:
        run(name, given.data)
    overview.write(TO)


if __name__ == "__main__":
    main()
