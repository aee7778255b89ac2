"""What a network with two inputs answers everywhere in the plane."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import number, settle
from nn_parity.figures.style import BLUE, GREEN, INK, ORANGE, PURPLE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GRID = 181
_SHADES = ("#F0BC5E", "#FAE6C2", "#FFFFFF", "#D3E7F4", "#7DB8E0")  # p = 0 to p = 1
_CLASSES = (
    ("o", ORANGE),
    ("s", BLUE),
    ("^", GREEN),
    ("D", PURPLE),
    ("v", VERMILLION),
    ("P", INK),
)

Predict = Callable[[NDArray[np.float64]], ArrayLike]
Extent = tuple[float, float, float, float]


@styled
def decision_region(
    predict: Predict | ArrayLike,
    points: ArrayLike,
    labels: ArrayLike,
    queries: Mapping[str, ArrayLike] | ArrayLike,
    *,
    title: str,
    extent: Extent,
    x_label: str = "x₁ (dimensionless)",
    y_label: str = "x₂ (dimensionless)",
    p_label: str = "prediction p (probability of class 1)",
    classes: Sequence[object] | None = None,
) -> "Figure":
    """Draw the prediction p over the plane, its 0.5 line, the data and some queries.

    Parameters
    ----------
    predict : callable or array (rows, columns)
        A function from (N, 2) to (N,) or (N, 1), or its values on a regular grid
        over ``extent``, first row at the lower edge. Between the values of a grid
        the p of a query is interpolated, and written with ≈.
    points : array (N, 2)
        Training points.
    labels : array (N,)
        Their classes; each has a marker and a colour.
    queries : mapping of name to (2,), or array (Q, 2)
        Points labelled with their p.
    title : str
        Headline.
    extent : (left, right, bottom, top)
        The part of the plane that is drawn.
    x_label, y_label, p_label : str
        Labels of the axes and the colour bar, with units.
    classes : sequence, optional
        Names of the classes, in sorted order of the labels.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Wrong shapes, an empty extent, more than six classes, or p not finite.
    """
    data, groups = np.asarray(points, dtype=np.float64), np.asarray(labels).ravel()
    if data.ndim != 2 or data.shape[1] != 2 or len(groups) != len(data):
        raise ValueError(
            f"points {data.shape} and labels {groups.shape} do not belong together, "
            "expected (N, 2) and (N,)"
        )
    if not (extent[0] < extent[1] and extent[2] < extent[3]):
        raise ValueError(
            f"extent {extent} is empty, expected left < right, bottom < top"
        )
    asked, places = _named(queries)
    field, answers = _evaluate(predict, places, extent)
    sign = "=" if callable(predict) else "≈"

    figure = page(title, 10.0, 7.8)
    ax = figure.subplots()
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel=x_label, ylabel=y_label)
    line = _draw_field(ax, field, extent, p_label)
    handles = _draw_points(ax, data, groups, classes) + line
    if asked:
        handles += _draw_stars(ax, places, data)
    figure.legend(
        handles=handles, loc="outside lower left", ncols=len(handles), frameon=False
    )
    figure.draw_without_rendering()
    words = [
        f"{name}\np {sign} {number(p, 3)}"
        for name, p in zip(asked, answers, strict=True)
    ]
    _write_answers(ax, words, places, data)
    return figure


def _named(
    queries: Mapping[str, ArrayLike] | ArrayLike,
) -> tuple[list[str], NDArray[np.float64]]:
    """Names and positions (Q, 2) of the queries; a bare point is named by its place."""
    if isinstance(queries, Mapping):
        names = [str(name) for name in queries]
        places = np.array(list(queries.values()), dtype=np.float64)
    else:
        places = np.asarray(queries, dtype=np.float64)
        names = []
    if places.size == 0:
        return [], np.empty((0, 2))
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(f"queries have shape {places.shape}, expected (Q, 2)")
    return names or [f"({x:g}, {y:g})".replace("-", "−") for x, y in places], places


def _evaluate(
    predict: Predict | ArrayLike, places: NDArray[np.float64], extent: Extent
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return p on a grid (rows, columns) and p of the queries (Q,)."""
    if callable(predict):
        x, y = np.linspace(*extent[:2], _GRID), np.linspace(*extent[2:], _GRID)
        plane = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # (N, 2)
        every = np.concatenate([plane, places])
        p = np.asarray(predict(every), dtype=np.float64)
        if p.size != len(every):
            raise ValueError(
                f"predict returned shape {p.shape} for inputs {every.shape}, "
                f"expected ({len(every)},)"
            )
        p = p.ravel()
        field, answers = p[: len(plane)].reshape(_GRID, _GRID), p[len(plane) :]
    else:
        field = np.asarray(predict, dtype=np.float64)
        if field.ndim != 2 or min(field.shape) < 2:
            raise ValueError(
                f"grid values have shape {field.shape}, expected (rows, columns)"
            )
        answers = np.array([_interpolate(field, at, extent) for at in places])
    if not np.isfinite(field).all():
        raise ValueError("p is not finite everywhere in the extent")
    return field, answers


def _interpolate(field: NDArray, at: NDArray, extent: Extent) -> float:
    """Bilinear value of a grid at one point; outside, the value at the edge."""
    rows, columns = field.shape
    x = np.clip((at[0] - extent[0]) / (extent[1] - extent[0]), 0, 1) * (columns - 1)
    y = np.clip((at[1] - extent[2]) / (extent[3] - extent[2]), 0, 1) * (rows - 1)
    i, j = min(int(y), rows - 2), min(int(x), columns - 2)
    u, v = y - i, x - j
    low = field[i, j] * (1 - v) + field[i, j + 1] * v
    high = field[i + 1, j] * (1 - v) + field[i + 1, j + 1] * v
    return float(low * (1 - u) + high * u)


def _draw_field(
    ax: "Axes", field: NDArray, extent: Extent, p_label: str
) -> "list[Artist]":
    """Fill the plane, add the colour bar; return the 0.5 line's legend entry, if any."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.lines import Line2D

    x = np.linspace(*extent[:2], field.shape[1])
    y = np.linspace(*extent[2:], field.shape[0])
    shades = LinearSegmentedColormap.from_list("p", _SHADES)
    levels = np.linspace(0, 1, 11)
    # Clipped: a unit without a squashing activation answers below 0 or above 1.
    inside = np.clip(field, 0, 1)
    filled = ax.contourf(x, y, inside, levels, cmap=shades, zorder=0)
    bar = ax.figure.colorbar(filled, ax=ax, fraction=0.05, pad=0.02, ticks=levels[::2])
    bar.set_label(p_label)
    bar.outline.set_visible(False)
    if not field.min() < 0.5 < field.max():
        return []
    ax.contour(x, y, field, [0.5], colors=[INK], linewidths=2.6, zorder=1)
    return [Line2D([], [], color=INK, lw=2.6, label="p = 0.5")]


def _draw_points(
    ax: "Axes", data: NDArray, groups: NDArray, classes: Sequence[object] | None
) -> "list[Artist]":
    kinds = np.unique(groups)
    if len(kinds) > len(_CLASSES):
        raise ValueError(
            f"{len(kinds)} classes are too many to tell apart; draw {len(_CLASSES)}"
        )
    if classes is not None and len(classes) != len(kinds):
        raise ValueError(f"classes has {len(classes)} names, expected {len(kinds)}")
    size = 13 if len(data) <= 40 else 7
    handles: list[Artist] = []
    for k, kind in enumerate(kinds):
        marker, colour = _CLASSES[k]
        name = classes[k] if classes is not None else f"class {kind:g}"
        handles += ax.plot(
            *data[groups == kind].T,
            linestyle="none",
            marker=marker,
            ms=size,
            color=colour,
            mec=INK,
            mew=1.2,
            label=str(name),
            clip_on=False,
            zorder=3,
        )
    return handles


def _draw_stars(ax: "Axes", places: NDArray, data: NDArray) -> "list[Artist]":
    """Mark the queries; one that is also a training point gets a star inside it."""
    look: dict[str, Any] = {
        "linestyle": "none",
        "color": "white",
        "mec": INK,
        "marker": "*",
    }
    inside = (places[:, None] == data[None]).all(axis=-1).any(axis=-1)
    ax.plot(*places[~inside].T, ms=22, mew=1.6, zorder=4, **look)
    ax.plot(*places[inside].T, ms=11, mew=0.8, zorder=4, **look)
    return [*ax.plot([], [], ms=18, mew=1.4, label="query", **look)]


def _write_answers(
    ax: "Axes", words: list[str], places: NDArray, data: NDArray
) -> None:
    """Write each p beside its star where it covers no point and no other p."""
    from matplotlib.transforms import Bbox

    if not words:
        return
    spots = ax.transData.transform(np.concatenate([places, data]))
    reach = 0.11 * ax.figure.dpi  # half a marker, in pixels
    taken = [Bbox([spot - reach, spot + reach]) for spot in spots]
    backing = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": "none", "alpha": 0.85}
    for text, place in zip(words, places, strict=True):
        label = ax.annotate(
            text,
            place,
            (0, 0),
            textcoords="offset points",
            bbox=backing,
            arrowprops={"arrowstyle": "-", "color": INK, "lw": 1.0, "shrinkB": 9},
            fontweight="bold",
            zorder=5,
        )
        settle(ax, label, taken, away=13)
