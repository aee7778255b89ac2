"""The look: a colour, marker, width and dash for each framework, and the settings.

The colours are those of Okabe & Ito (2008), *Color Universal Design*, which stay
apart under the common forms of colour blindness. Colour never stands alone: each
framework also has a marker, a line width and a name written beside its line.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
INK, FAINT, SHADE = "#1A1A1A", "#6B6B6B", "#EDEDED"

# Positive and negative quantities: the two ends differ in hue and the middle is light.
NEGATIVE, POSITIVE = VERMILLION, BLUE


@dataclass(frozen=True)
class Look:
    """How one framework is drawn; widths fall so that coincident lines all show."""

    colour: str
    marker: str
    width: float
    dash: tuple[float, ...] = ()

    @property
    def line(self) -> str | tuple[float, tuple[float, ...]]:
        """The dash pattern in Matplotlib's form."""
        return (0, self.dash) if self.dash else "solid"


LOOKS = {
    "scratch": Look(BLACK, "o", 10.0),
    "torch": Look(ORANGE, "s", 6.5),
    "keras": Look(BLUE, "^", 3.4),
    "jax": Look(PURPLE, "D", 1.8, (3.0, 1.6)),
    "keras-jax": Look(GREEN, "v", 1.6, (1.0, 1.2)),
    "keras-torch": Look(VERMILLION, "P", 1.4, (5.0, 1.5)),
}
_SPARE = (
    Look(SKY, "X", 1.2, (2.0, 2.0)),
    Look(YELLOW, "*", 1.2),
)

SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # shipped with Matplotlib: the same on every machine
    "font.size": 14.0,
    "axes.titlesize": 14.0,
    "axes.labelsize": 14.0,
    "axes.titlelocation": "left",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.dpi": 150.0,
    "figure.titlesize": 18.0,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "savefig.dpi": "figure",
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a title is a dollar sign
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.pad": 6.0,  # two labels that meet in the corner keep apart
    "xtick.labelsize": 13.0,
    "ytick.labelsize": 13.0,
    "svg.fonttype": "path",  # the reader need not have the font
    "svg.hashsalt": "nn-parity",
    "path.simplify": True,
}


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return the look of each name: fixed for frameworks, the spare ones for others."""
    names = list(names)
    unknown = [name for name in names if name not in LOOKS]
    if len(unknown) > len(_SPARE):
        most = len(LOOKS) + len(_SPARE)
        raise ValueError(
            f"{len(names)} lines would share colours; draw at most {most} in one figure"
        )
    spare = dict(zip(unknown, _SPARE, strict=False))
    return {name: LOOKS.get(name) or spare[name] for name in names}
