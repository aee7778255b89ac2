"""A small network as circles and lines, every number written on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import number
from nn_parity.figures.style import FAINT, INK, NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_UNITS = 12

# Inches: the drawing is made in inches, so text keeps its distance at every size.
_RADIUS = 0.33
_ROW = 1.15
_SIDE = 0.45
_LETTER = 0.13  # of the bold names
_DIGIT, _LINE = 0.115, 0.3  # a number on a line, with its frame
_CLEAR = 0.62  # from a unit's centre: its bias stands there

_POSITIVE_DASH, _NEGATIVE_DASH, _ZERO_DASH = "solid", (0, (2.5, 1.0)), (0, (1, 2))


@dataclass(frozen=True)
class Layer:
    """One layer of weights (M, N) and biases (N,), and what its units compute."""

    W: NDArray[np.float64]
    b: NDArray[np.float64] | None
    activation: str


@styled
def network_diagram(
    params: Mapping[str, ArrayLike],
    activations: Sequence[str],
    *,
    title: str,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> "Figure":
    """Draw a neuron or a small mlp: weights on the lines, biases under the units.

    Blue solid lines are positive weights, orange dashed ones negative; the width
    grows with the size of the weight.

    Parameters
    ----------
    params : mapping
        ``W`` (D, 1) and ``b`` (1,), or ``W_1``, ``b_1``, ``W_2``, ...; W_l is (M, N)
        and b_l is (N,). Biases may be missing.
    activations : sequence of str
        One name for each layer.
    title : str
        Headline.
    input_names, output_names : sequence of str, optional
        Names beside the first and the last units.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        More than 12 units in a layer, shapes that do not follow each other, or names
        that are not those of a neuron or an mlp.
    """
    layers = _layers(params, activations)
    sizes = [layers[0].W.shape[0], *(layer.W.shape[1] for layer in layers)]
    if max(sizes) > MOST_UNITS:
        raise ValueError(
            f"layers of {'-'.join(map(str, sizes))} units cannot be read as a diagram, "
            f"expected at most {MOST_UNITS}; draw first_layer_weights instead"
        )
    ins = _names(input_names, sizes[0], "input_names", "x")
    outs = _names(output_names, sizes[-1], "output_names", "")
    tall = _ROW * max(sizes)
    rows = [tall / 2 + _ROW * ((n - 1) / 2 - np.arange(n)) for n in sizes]
    spots = [
        _place(layer.W, before, after)
        for layer, before, after in zip(layers, rows, rows[1:], strict=False)
    ]
    edge = [_SIDE + _RADIUS + _LETTER * max(map(len, names)) for names in (ins, outs)]
    width = max(8.0, sum(edge) + sum(gap for gap, _ in spots))
    x = [edge[0] + (width - sum(edge) - sum(gap for gap, _ in spots)) / 2]
    for gap, _ in spots:
        x.append(x[-1] + gap)

    figure = page(title, width, tall + 1.9)
    ax = figure.subplots()
    ax.axis("off")
    ax.set(xlim=(0, width), ylim=(-0.6, tall + 0.5), aspect="equal")
    largest = max(float(np.abs(layer.W).max()) for layer in layers) or 1.0
    for k, layer in enumerate(layers):
        _draw_lines(ax, layer.W, x[k : k + 2], rows[k : k + 2], spots[k][1], largest)
        _draw_units(ax, layer, x[k + 1], rows[k + 1], _unit_names(sizes, k + 1))
        depth = "output" if k + 1 == len(layers) else f"layer {k + 1}"
        head: dict[str, Any] = {
            "ha": "center",
            "va": "top",
            "fontsize": 14,
            "color": FAINT,
        }
        ax.text(x[k + 1], tall + 0.42, f"{depth}\n{layer.activation}", **head)
    ax.text(x[0], tall + 0.42, "inputs", **head)
    for y, name in zip(rows[0], ins, strict=True):
        ax.plot(x[0], y, "o", color=INK, ms=9, zorder=3)
        ax.text(x[0] - 0.2, y, name, ha="right", va="center", fontweight="bold")
    for y, name in zip(rows[-1], outs, strict=True):
        ax.text(x[-1] + _RADIUS + 0.15, y, name, va="center", fontweight="bold")
    _write_key(ax, width / 2)
    return figure


def _layers(params: Mapping[str, ArrayLike], activations: Sequence[str]) -> list[Layer]:
    arrays = {name: np.asarray(a, dtype=np.float64) for name, a in params.items()}
    if "W" in arrays:
        arrays = {f"{name}_1": array for name, array in arrays.items()}
    count = len(activations)
    known = {f"{letter}_{k}" for letter in "Wb" for k in range(1, count + 1)}
    missing = [f"W_{k}" for k in range(1, count + 1) if f"W_{k}" not in arrays]
    if missing or set(arrays) - known or not count:
        raise ValueError(
            f"parameters {sorted(params)} are not those of a network with {count} "
            "layers, expected W_1, b_1, ... with one activation for each layer"
        )
    layers: list[Layer] = []
    for k, activation in enumerate(activations, start=1):
        W, b = arrays[f"W_{k}"], arrays.get(f"b_{k}")
        before = layers[-1].W.shape[1] if layers else None
        if W.ndim != 2 or not W.size or before not in (None, W.shape[0]):
            raise ValueError(
                f"W_{k} has shape {W.shape}, expected ({before or 'D'}, N)"
            )
        if b is not None and b.shape != W.shape[1:]:
            raise ValueError(f"b_{k} has shape {b.shape}, expected {W.shape[1:]}")
        if not (np.isfinite(W).all() and (b is None or np.isfinite(b).all())):
            raise ValueError(f"W_{k} or b_{k} is not finite, expected numbers to write")
        layers.append(Layer(W, b, str(activation)))
    return layers


def _names(
    given: Sequence[str] | None, count: int, argument: str, letter: str
) -> list[str]:
    if given is None:
        if not letter:
            return [""] * count
        return [letter + (str(k + 1) if count > 1 else "") for k in range(count)]
    if len(given) != count:
        raise ValueError(f"{argument} has {len(given)} names, expected {count}")
    return [str(name) for name in given]


def _unit_names(sizes: Sequence[int], layer: int) -> list[str]:
    """h1, h2 in one hidden layer; h2.1 is the first unit of the second of several."""
    count = sizes[layer]
    if layer == len(sizes) - 1:
        return ["p"] if count == 1 else [f"p{j}" for j in range(1, count + 1)]
    before = f"h{layer}." if len(sizes) > 3 else "h"
    return [f"{before}{j}" for j in range(1, count + 1)]


def _place(
    W: NDArray, sources: NDArray, targets: NDArray
) -> tuple[float, NDArray[np.float64]]:
    """Find where on its line each weight is written.

    Returns
    -------
    gap : float
        Distance between the two layers in inches, as small as the numbers allow.
    shares : array (M, N)
        Place of each number, 0 at the source and 1 at the target.
    """
    gap = 3.0
    while True:
        shares, covered = _search(W, sources, targets, gap)
        if not covered or gap > 40:
            return gap, shares
        gap *= 1.2


def _search(
    W: NDArray, sources: NDArray, targets: NDArray, gap: float
) -> tuple[NDArray[np.float64], bool]:
    """Place number after number where it covers no other one and fewest other lines."""
    shares = np.empty(W.shape)
    boxes = np.empty((0, 4))  # left, right, low, high of the numbers that are placed
    covered = False
    prefer = 0.45 if W.shape[1] == 1 else 0.3
    slopes = (targets[None, :] - sources[:, None]) / gap  # (M, N)
    for (i, j), weight in np.ndenumerate(W):
        half = _DIGIT * (len(number(float(weight))) + 1) / 2
        start, stop = (_CLEAR + half) / gap, 1 - (_CLEAR + half) / gap
        shift = np.linspace(start, stop, 41)  # (S,)
        at = shift * gap
        y = sources[i] + at * slopes[i, j]
        spots = np.stack([at - half, at + half, y - _LINE / 2, y + _LINE / 2], axis=1)
        apart = (
            (spots[:, None, 0] >= boxes[None, :, 1])
            | (spots[:, None, 1] <= boxes[None, :, 0])
            | (spots[:, None, 2] >= boxes[None, :, 3])
            | (spots[:, None, 3] <= boxes[None, :, 2])
        )
        hits = (~apart).sum(axis=1)
        lines = sources[:, None, None] + slopes[..., None] * at  # (M, N, S)
        near = (np.abs(lines - y) < _LINE / 2 + half * np.abs(slopes[..., None])).sum(
            axis=(0, 1)
        )
        best = int(np.argmin(100 * hits + near + 2 * np.abs(shift - prefer)))
        covered |= bool(hits[best])
        shares[i, j] = shift[best]
        boxes = np.concatenate([boxes, spots[best][None]])
    return shares, covered


def _draw_lines(
    ax: "Axes",
    W: NDArray,
    x: Sequence[float],
    rows: Sequence[NDArray],
    shares: NDArray,
    largest: float,
) -> None:
    for (i, j), weight in np.ndenumerate(W):
        colour = POSITIVE if weight > 0 else NEGATIVE if weight < 0 else FAINT
        dash = _POSITIVE_DASH if weight > 0 else _NEGATIVE_DASH
        ax.plot(
            x,
            [rows[0][i], rows[1][j]],
            color=colour,
            lw=0.8 + 5.0 * abs(weight) / largest,
            linestyle=dash if weight else _ZERO_DASH,
            alpha=0.75,
            solid_capstyle="butt",
            zorder=1,
        )
        ax.text(
            float(x[0] + shares[i, j] * (x[1] - x[0])),
            float(rows[0][i] + shares[i, j] * (rows[1][j] - rows[0][i])),
            number(float(weight)),
            ha="center",
            va="center",
            color=INK,
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": colour, "lw": 1.2},
            fontsize=12.5,
            zorder=4,
        )


def _draw_units(
    ax: "Axes", layer: Layer, x: float, rows: NDArray, names: Sequence[str]
) -> None:
    from matplotlib.patches import Circle

    for y, name in zip(rows, names, strict=True):
        ax.add_patch(Circle((x, y), _RADIUS, fc="#F4F4F4", ec=INK, lw=1.8, zorder=3))
        size = 14 if len(name) < 4 else 11
        bold: dict[str, Any] = {"fontweight": "bold", "fontsize": size, "zorder": 5}
        ax.text(x, y, name, ha="center", va="center", **bold)
    if layer.b is None:
        return
    for y, b in zip(rows, layer.b, strict=True):
        ax.text(
            x,
            y - _RADIUS - 0.19,
            f"b = {number(float(b))}",
            ha="center",
            va="center",
            fontsize=12.5,
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none"},
            zorder=5,
        )


def _write_key(ax: "Axes", middle: float) -> None:
    """Say below the drawing what the two kinds of lines mean."""
    for start, colour, dash, text in (
        (middle - 3.1, POSITIVE, _POSITIVE_DASH, "positive weight"),
        (middle + 0.3, NEGATIVE, _NEGATIVE_DASH, "negative weight"),
    ):
        ax.plot([start, start + 0.7], [-0.4, -0.4], color=colour, lw=4, linestyle=dash)
        ax.text(start + 0.85, -0.4, text, va="center", fontsize=13, color=FAINT)
