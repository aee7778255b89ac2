"""A small network as circles and lines, every number written on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_parity.figures.canvas import page, styled
from nn_parity.figures.labels import number
from nn_parity.figures.style import FAINT, INK, NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_UNITS = 12

# Inches. The drawing is made in inches, so text keeps its distance at every size.
_RADIUS = 0.33
_ROW = 1.15
_COLUMN = 0.95  # room for the numbers on the lines into one unit
_HEAD = 1.15  # the layers' names
_SIDE = 0.5
_LETTER = 0.135


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
    """Draw a neuron or a small mlp with its weights on the lines, biases under the units.

    Blue solid lines are positive weights, orange dashed ones negative; the width
    grows with the size of the weight. The numbers on the lines into one unit stand
    in one column, so that they never cover each other.

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
    widths = [layers[0].W.shape[0], *(layer.W.shape[1] for layer in layers)]
    if max(widths) > MOST_UNITS:
        raise ValueError(
            f"layers of {'-'.join(map(str, widths))} units cannot be read as a diagram, "
            f"expected at most {MOST_UNITS}; draw first_layer_weights instead"
        )
    ins = _names(input_names, widths[0], "x", "input_names")
    outs = _names(output_names, widths[-1], "p", "output_names")
    left = _SIDE + _LETTER * max(map(len, ins)) + _RADIUS
    x = [left]
    for layer in layers:
        x.append(x[-1] + 2 * _RADIUS + _COLUMN * max(2.2, layer.W.shape[1] + 1.2))
    width = max(7.5, x[-1] + _RADIUS + _SIDE + _LETTER * max(map(len, outs)))
    tall = _ROW * max(widths)
    figure = page(title, width, tall + _HEAD + 1.5)
    ax = figure.subplots()
    ax.axis("off")
    ax.set(xlim=(0, width), ylim=(-0.75, tall + _HEAD), aspect="equal")
    shift = (width - x[-1] - left) / 2 if width == 7.5 else 0.0
    x = [at + shift for at in x]
    rows = [tall / 2 + _ROW * ((n - 1) / 2 - np.arange(n)) for n in widths]
    largest = max(float(np.abs(layer.W).max()) for layer in layers) or 1.0
    for k, layer in enumerate(layers):
        _draw_lines(ax, layer.W, x[k], x[k + 1], rows[k], rows[k + 1], largest)
        biases = layer.b if layer.b is not None else [None] * len(rows[k + 1])
        for j, (y, b) in enumerate(zip(rows[k + 1], biases, strict=True)):
            last = k + 1 == len(layers)
            name = f"h{j + 1}" if not last else "p" if widths[-1] == 1 else f"p{j + 1}"
            _draw_unit(ax, x[k + 1], y, name, b)
        depth = "output" if k + 1 == len(layers) else f"layer {k + 1}"
        head = f"{depth}\n{layer.activation}"
        ax.text(x[k + 1], tall + 0.55, head, ha="center", va="center", fontsize=14)
    for y, name in zip(rows[0], ins, strict=True):
        ax.plot(x[0], y, "o", color=INK, ms=9, zorder=3)
        ax.text(x[0] - 0.2, y, name, ha="right", va="center", fontweight="bold")
    ax.text(x[0], tall + 0.55, "inputs\n", ha="center", va="center", fontsize=14)
    if output_names is not None:
        for y, name in zip(rows[-1], outs, strict=True):
            ax.text(x[-1] + _RADIUS + 0.15, y, name, va="center", fontweight="bold")
    _write_key(ax, width)
    return figure


def _layers(
    params: Mapping[str, ArrayLike], activations: Sequence[str]
) -> list[Layer]:
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
            raise ValueError(f"W_{k} has shape {W.shape}, expected ({before or 'D'}, N)")
        if b is not None and b.shape != W.shape[1:]:
            raise ValueError(f"b_{k} has shape {b.shape}, expected {W.shape[1:]}")
        layers.append(Layer(W, b, str(activation)))
    return layers


def _names(
    given: Sequence[str] | None, count: int, letter: str, argument: str
) -> list[str]:
    if given is None:
        return [letter + (str(k + 1) if count > 1 else "") for k in range(count)]
    if len(given) != count:
        raise ValueError(f"{argument} has {len(given)} names, expected {count}")
    return [str(name) for name in given]


def _draw_lines(
    ax: "Axes",
    W: NDArray,
    left: float,
    right: float,
    sources: NDArray,
    targets: NDArray,
    largest: float,
) -> None:
    for (i, j), weight in np.ndenumerate(W):
        size = abs(weight) / largest
        colour = POSITIVE if weight > 0 else NEGATIVE if weight < 0 else FAINT
        dash = "solid" if weight > 0 else (0, (2.5, 1.0)) if weight < 0 else (0, (1, 2))
        ax.plot(
            [left, right],
            [sources[i], targets[j]],
            color=colour,
            lw=0.8 + 5.0 * size,
            linestyle=dash,
            alpha=0.75,
            solid_capstyle="butt",
            zorder=1,
        )
        # Near the sources the lines into one target are still far apart.
        share = 0.2 + 0.4 * (j + 0.5) / W.shape[1]
        ax.text(
            left + share * (right - left),
            sources[i] + share * (targets[j] - sources[i]),
            number(float(weight)),
            ha="center",
            va="center",
            color=INK,
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": colour, "lw": 1.2},
            fontsize=12.5,
            zorder=4,
        )


def _draw_unit(ax: "Axes", x: float, y: float, name: str, bias: float | None) -> None:
    from matplotlib.patches import Circle

    circle = Circle((x, y), _RADIUS, fc="#F4F4F4", ec=INK, lw=1.8, zorder=3)
    ax.add_patch(circle)
    ax.text(x, y, name, ha="center", va="center", fontweight="bold", zorder=5)
    if bias is not None:
        ax.text(
            x,
            y - _RADIUS - 0.19,
            f"b = {number(float(bias))}",
            ha="center",
            va="center",
            fontsize=12.5,
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none"},
            zorder=5,
        )


def _write_key(ax: "Axes", width: float) -> None:
    """Say below the drawing what the two kinds of lines mean."""
    middle = width / 2
    words = {"va": "center", "fontsize": 13, "color": FAINT}
    for start, colour, dash, text in (
        (middle - 3.3, POSITIVE, "solid", "positive weight"),
        (middle + 0.2, NEGATIVE, (0, (2.5, 1.0)), "negative weight"),
    ):
        ax.plot([start, start + 0.7], [-0.5, -0.5], color=colour, lw=4, linestyle=dash)
        ax.text(start + 0.85, -0.5, text, **words)
