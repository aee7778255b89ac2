"""Names with a setting in parentheses: "huber(0.5)" is one choice of "huber(delta)"."""

import math
import re
from functools import partial


def choose(table, what, name):
    """Return the entry of a table that a name stands for, its setting filled in.

    Parameters
    ----------
    table : mapping
        ``"tanh"`` -> f(z), ``"leaky_relu(alpha)"`` -> f(z, alpha=...).
    what : str
        What the table holds, for the message.
    name : str
        ``"tanh"``, ``"leaky_relu(0.1)"``.

    Raises
    ------
    ValueError
        For an unknown name, a missing or superfluous setting, one that is no finite
        number.
    """
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", name)
    kind, setting = match.groups() if match else (name, None)
    if setting is None and name in table:
        return table[name]
    known = [entry for entry in table if entry.partition("(")[0] == kind]
    for entry in known:
        key, value = entry[len(kind) + 1 : -1], _finite(setting)
        if key and value is not None:
            return partial(table[entry], **{key: value})
    expected = " or ".join(known) or f"one of {', '.join(table)}"
    raise ValueError(f"{what} {name!r}, expected {expected} -> write it like that")


def _finite(setting):
    """The number that a text says, or None."""
    try:
        value = float(setting)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
