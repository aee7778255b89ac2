"""Refusals: what happened, where, how to fix it, in one line and with an exit code."""

from dataclasses import dataclass

OK, PARITY_FAILED, USAGE, ENVIRONMENT, INTEGRITY, RESOURCES, EDITED = range(7)
INTERRUPTED = 130

_EXIT_BY_SERIES = {
    "0": USAGE,
    "1": INTEGRITY,  # weights
    "2": INTEGRITY,  # data
    "3": ENVIRONMENT,
    "4": PARITY_FAILED,
    "5": RESOURCES,
    "6": EDITED,
}


@dataclass
class Refusal(Exception):  # noqa: N818 - it refuses; it is not a fault of ours
    """A request that is not carried out, and why.

    Parameters
    ----------
    code : str
        ``E0xx`` usage, ``E1xx`` weights, ``E2xx`` data, ``E3xx`` environment,
        ``E4xx`` parity, ``E5xx`` resources, ``E6xx`` results.
    what, where, fix : str
        The three questions an error message answers.
    """

    code: str
    what: str
    where: str
    fix: str

    @property
    def exit_code(self) -> int:
        """Exit code of the command line for this refusal."""
        return _EXIT_BY_SERIES[self.code[1]]

    def __str__(self) -> str:
        """Return the one line that the user reads."""
        line = f"error[{self.code}]: {self.what} ({self.where}) -> {self.fix}"
        return " ".join(line.split())
