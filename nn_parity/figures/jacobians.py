"""The table of nine derivatives: how a course lays each out, and how frameworks do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.style import BLUE, FAINT, INK, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Shape = tuple[int, ...]
RESULTS = {"e": "scalar e", "p": "vector p", "Y": "matrix Y"}
VARIABLES = {"s": "scalar s", "v": "vector v", "X": "matrix X"}
# axes of each derivative; m, l are those of Y and n, k those of X
COURSE = {
    "de_ds": "1", "de_dv": "1n", "de_dX": "kn",
    "dp_ds": "m1", "dp_dv": "mn", "dp_dX": "mkn",
    "dY_ds": "ml", "dY_dv": "mln", "dY_dX": "mlkn",
}  # fmt: skip
FRAMEWORKS = {
    "de_ds": "", "de_dv": "n", "de_dX": "nk",
    "dp_ds": "m", "dp_dv": "mn", "dp_dX": "mnk",
    "dY_ds": "ml", "dY_dv": "mln", "dY_dX": "mlnk",
}  # fmt: skip

# Inches: the table is made in inches, so text keeps its distance at every size.
_WIDE, _TALL = 4.1, 2.35  # a cell
_SIDE, _HEAD, _FOOT = 1.55, 0.75, 1.75
_UNIT = 0.15  # one number of a small array


@styled
def jacobian_table(
    course: Mapping[str, Shape],
    frameworks: Mapping[str, Mapping[str, Shape]],
    *,
    title: str,
) -> "Figure":
    """Draw three by three derivatives with both shapes of each.

    A cell says in words, by its frame and by its shade whether the two are the same, differ by
    an axis of length 1, or are transposed.

    Parameters
    ----------
    course : mapping of name to shape
        ``"de_dX"`` -> (3, 4): measured shapes in the layout of the courses.
    frameworks : mapping of framework to mapping of name to shape
        The same derivatives as each framework returns them.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        A derivative is missing, or a shape is not what its layout says.
    """
    sizes = _sizes(frameworks)
    _check("the course", course, COURSE, sizes)
    for framework, shapes in frameworks.items():
        _check(framework, shapes, FRAMEWORKS, sizes)
    width, height = _SIDE + 3 * _WIDE + 0.1, _HEAD + 3 * _TALL + _FOOT
    figure = page(title, width + 0.3, height + 0.4)
    ax = figure.subplots()
    ax.axis("off")
    ax.set(xlim=(0, width), ylim=(-_FOOT, height - _FOOT), aspect="equal")
    top = 3 * _TALL
    bold: dict[str, Any] = {"fontweight": "bold", "ha": "center", "va": "center"}
    for j, (variable, name) in enumerate(VARIABLES.items()):
        x = _SIDE + _WIDE * (j + 0.5)
        ax.text(
            x, top + 0.3, f"by {name} {_axes(FRAMEWORKS[f'de_d{variable}'])}", **bold
        )
        for i, (result, said) in enumerate(RESULTS.items()):
            y = top - _TALL * (i + 1)
            if not j:
                axes = _axes(FRAMEWORKS[f"d{result}_ds"])
                ax.text(_SIDE / 2, y + _TALL / 2, f"{said}\n{axes}", **bold)
            _cell(ax, _SIDE + _WIDE * j, y, f"d{result}_d{variable}", sizes)
    measured = ", ".join(f"{letter} = {size}" for letter, size in sizes.items())
    _explain(ax, ", ".join(frameworks), measured)
    return figure


def _sizes(frameworks: Mapping[str, Mapping[str, Shape]]) -> dict[str, int]:
    """Read m, l, n and k off the largest derivative."""
    if not frameworks:
        raise ValueError("no framework; expected shapes of at least one")
    shape = next(iter(frameworks.values())).get("dY_dX", ())
    if len(shape) != 4:
        raise ValueError(f"dY_dX has shape {shape}, expected (m, l, n, k)")
    return dict(zip("mlnk", shape, strict=True))


def _check(
    who: str, shapes: Mapping[str, Shape], layout: Mapping[str, str], sizes: dict
) -> None:
    for name, axes in layout.items():
        expected = _numbers(axes, sizes)
        if shapes.get(name) != expected:
            raise ValueError(
                f"{name} of {who} has shape {shapes.get(name)}, expected {expected}: "
                f"{_axes(axes)}"
            )


def _numbers(axes: str, sizes: Mapping[str, int]) -> Shape:
    return tuple(1 if axis == "1" else sizes[axis] for axis in axes)


def _axes(axes: str) -> str:
    """Write "mn" as (m, n) and "m" as (m,)."""
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def _difference(name: str) -> str:
    """Say how the two layouts differ; letters decide, so n = k hides nothing."""
    course, framework = COURSE[name], FRAMEWORKS[name]
    if course == framework:
        return "the same"
    if course.replace("1", "") == framework:
        return "one axis of length 1"
    return "transposed"


_FRAMES: dict[str, dict[str, Any]] = {
    "the same": {"ec": FAINT, "lw": 1.0, "fc": "white"},
    "one axis of length 1": {"ec": BLUE, "lw": 2.2, "ls": (0, (4, 2)), "fc": "#EAF4FA"},
    "transposed": {"ec": VERMILLION, "lw": 4.0, "fc": "#FBE9DF"},
}


def _cell(ax: "Axes", x: float, y: float, name: str, sizes: Mapping[str, int]) -> None:
    from matplotlib.patches import Rectangle

    difference = _difference(name)
    inner = 0.08
    frame = (x + inner, y + inner), _WIDE - 2 * inner, _TALL - 2 * inner
    ax.add_patch(Rectangle(*frame, **_FRAMES[difference], zorder=1))
    result, variable = name[1], name[4]
    left: dict[str, Any] = {"va": "center", "zorder": 3}
    ax.text(x + 0.25, y + _TALL - 0.33, f"∂{result} / ∂{variable}", fontsize=16, **left)
    same = difference == "the same"
    ax.text(
        x + _WIDE - 0.25,
        y + _TALL - 0.33,
        difference,
        ha="right",
        color=_FRAMES[difference]["ec"] if not same else FAINT,
        fontweight="normal" if same else "bold",
        fontsize=13,
        **left,
    )
    for k, (who, layout) in enumerate((("course", COURSE), ("frameworks", FRAMEWORKS))):
        middle = x + _WIDE * (0.27 + 0.46 * k)
        shape = _numbers(layout[name], sizes)
        _array(ax, middle, y + 1.38, shape)
        words = f"{who}\n{_axes(layout[name])}"
        ax.text(middle, y + 0.68, words, ha="center", fontsize=13, **left)
        written = str(shape)
        ax.text(
            middle, y + 0.27, written, ha="center", fontsize=12, color=FAINT, **left
        )


def _array(ax: "Axes", x: float, y: float, shape: Shape) -> None:
    """Draw the last two axes of an array as rows and columns around a point.

    One axis alone is a row of separate numbers, since it stands neither upright nor flat.
    """
    from matplotlib.patches import Circle, Rectangle

    look: dict[str, Any] = {"fc": "white", "ec": INK, "lw": 1.0, "zorder": 2}
    if not shape:
        ax.add_patch(Circle((x, y), _UNIT / 2.5, **look))
        return
    rows, columns = shape[-2:] if len(shape) > 1 else (1, shape[0])
    gap = 0.35 if len(shape) == 1 and columns > 1 else 0.0
    before = " · ".join(map(str, shape[:-2]))
    room = 0.8 if before else 1.2
    unit = min(_UNIT, 0.8 / rows, room / (columns * (1 + gap)))
    step = unit * (1 + gap)
    wide, tall = step * columns - unit * gap, unit * rows
    x += 0.36 if before else 0.0
    left, low = x - wide / 2, y - tall / 2
    if unit < _UNIT / 3:  # too many numbers to tell apart
        ax.add_patch(Rectangle((left, low), wide, tall, **look))
    else:
        for i, j in np.ndindex(rows, columns):
            at = left + step * j, low + unit * i
            ax.add_patch(Rectangle(at, unit, unit, **look))
    if before:
        words: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 12}
        ax.text(left - 0.08, y, f"{before} ×", zorder=3, **words)


def _explain(ax: "Axes", who: str, measured: str) -> None:
    """Say below the table what the two layouts are and where the numbers come from."""
    lines = (
        "course: the result as a column, then the variable transposed",
        "frameworks: the shape of the result, then the shape of the variable, as it is",
        f"measured on the arrays of {who}: {measured}",
    )
    for k, line in enumerate(lines):
        ax.text(0.1, -0.35 - 0.34 * k, line, va="center", fontsize=13)
    ax.text(
        0.1,
        -0.35 - 0.34 * len(lines),
        "one axis is drawn as separate numbers: it is neither a row nor a column",
        va="center",
        fontsize=13,
        color=FAINT,
    )
