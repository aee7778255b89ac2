"""Text made safe for a format: names and messages come from users, and may be hostile."""

from __future__ import annotations

import html as standard
import unicodedata
from typing import Any

_LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    | {"[": "{[}", "]": "{]}", "*": "{*}"}  # after the end of a row they are options
)
_MARKDOWN = str.maketrans(
    {c: f"\\{c}" for c in "\\|`*["} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
)


def plain(value: Any) -> str:
    """Return text on one line, without what a terminal or a browser would obey."""
    text = " ".join(str(value).split())
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf"))


def latex(value: Any) -> str:
    """Return text that LaTeX prints as it stands, also where a row begins."""
    return plain(value).translate(_LATEX).replace("--", "-{}-")


def bibtex(value: Any) -> str:
    """Return the same for BibTeX, which counts escaped braces as well."""
    text = latex(value).replace(r"\{", r"\textbraceleft{}")
    return text.replace(r"\}", r"\textbraceright{}")


def markdown(value: Any) -> str:
    """Return text that Markdown shows as it stands, in a cell of a table too."""
    return plain(value).translate(_MARKDOWN)


def html(value: Any) -> str:
    """Return text that HTML shows as it stands, in an attribute too."""
    return standard.escape(plain(value), quote=True)
