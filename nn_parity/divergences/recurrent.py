"""Recurrent layers, embedding and attention: rows of the atlas.

LSTM weights are W_x (D, 4H), W_h (H, 4H), b (4H), gates in the order i f g o unless the
item says otherwise; GRU weights are (.., 3H) in the order r z n with a bias at each
product. Attention has two heads of four.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from nn_parity.divergences.row import Row, normal

row = partial(Row, topic="recurrent")

B, T, D, H = 2, 4, 3, 5


def layer(
    seed: int, *, x: tuple[int, ...], **weights: tuple[int, ...]
) -> Callable[[], dict[str, np.ndarray]]:
    """Return inputs: x is normal, weights are so small that nothing saturates."""

    def draw() -> dict[str, np.ndarray]:
        given = normal(seed, x=x, **weights)()
        return {"x": given.pop("x")} | {name: 0.4 * a for name, a in given.items()}

    return draw


lstm = partial(layer, x=(B, T, D), W_x=(D, 4 * H), W_h=(H, 4 * H), b=(4 * H,))
gru = partial(
    layer,
    x=(B, T, D),
    W_x=(D, 3 * H),
    W_h=(H, 3 * H),
    b_x=(3 * H,),
    b_h=(3 * H,),
)
heads = partial(layer, x=(B, T, 8), W_q=(8, 8), W_k=(8, 8), W_v=(8, 8), W_o=(8, 8))


def masked_heads(seed: int, *, closed: bool) -> dict[str, np.ndarray]:
    """Return attention with a mask (T, T), true where attending is allowed.

    Each position sees itself and the next; if closed, the first sees nothing.
    """
    mask = np.eye(T, dtype=bool) | np.roll(np.eye(T, dtype=bool), 1, axis=1)
    mask[0] &= not closed
    return heads(seed)() | {"mask": mask}


def ids(*chosen: int) -> dict[str, np.ndarray]:
    """Return a table of five rows and the rows to take."""
    table = np.random.default_rng(52).standard_normal((5, 3))
    return {"table": table, "ids": np.array(chosen)}


ROWS: tuple[Row, ...] = (
    row(
        id="L10a",
        item="LSTM: weights in ONNX's order i o f g",
        inputs=lstm(41),
        setting="permute the four blocks by name",
        published=0.59,
    ),
    row(
        id="L10c",
        item="LSTM: weights with two biases",
        inputs=lstm(42, b_h=(4 * H,)),
        setting="where there is one bias, it is b + b_h",
        published=0.115,
    ),
    row(
        id="L10d",
        item="LSTM: how far SGD moves the bias in one step",
        inputs=lstm(43),
        setting="torch: bias_hh zero and frozen",
        published=0.026,
    ),
    row(
        id="L10e",
        item="LSTM: initial bias of the forget gate",
        inputs=lstm(44),
        setting="load the bias",
        published=None,
    ),
    row(
        id="L11",
        item="GRU: order of gates",
        inputs=gru(45),
        setting="keras: z r h, biases stacked",
        published=0.29,
    ),
    row(
        id="L11b",
        item="GRU: reset before or after the product",
        inputs=gru(46),
        setting="reset after it: keras reset_after=True",
        published=0.10,
    ),
    row(
        id="L21",
        item="LSTM backwards: order of the outputs",
        inputs=lstm(47),
        setting="keras: flip the time axis of the outputs",
        published=0.30,
    ),
    row(
        id="L21b",
        item="bidirectional LSTM: the last output",
        inputs=lstm(48),
        setting="torch: join out[:, -1, :H] and out[:, 0, H:]",
        published=0.30,
    ),
    row(
        id="N06",
        item="LSTM without dropout: does it draw from Python's random",
        inputs=lstm(49),
        setting="keras: seed=0",
        published=None,
    ),
    row(
        id="L13a",
        item="embedding: deviation of the initial table, 16 columns",
        inputs=normal(51, table=(1000, 16)),
        setting="load the table",
        published=0.97,
    ),
    row(
        id="L13b",
        item="embedding: id beyond the table",
        inputs=partial(ids, 1, 7),
        setting="refuse it in the loader",
        published=None,
    ),
    row(
        id="L13b2",
        item="embedding: id -1",
        inputs=partial(ids, 1, -1),
        setting="refuse it in the loader",
        published=None,
    ),
    row(
        id="L13c",
        item="embedding: gradient of the padding's row",
        inputs=partial(ids, 0, 3, 0),
        setting="set the gradient of row 0 to zero",
        published=None,
    ),
    row(
        id="L14a",
        item="multi-head attention: weights",
        inputs=heads(54),
        setting="torch: in_proj of W.T; keras: reshape to (E, heads, d), (heads, d, E)",
        published=0.51,
        why="published for other weights; grows with the product of W_v and W_o",
    ),
    row(
        id="L14b",
        item="multi-head attention: boolean mask",
        inputs=partial(masked_heads, 55, closed=False),
        setting="nn.MultiheadAttention: ~mask",
        published=1.09,
        why="published for other weights; grows with the product of W_v and W_o",
    ),
    row(
        id="L14c",
        item="multi-head attention: a row that may see nothing",
        inputs=partial(masked_heads, 56, closed=True),
        setting="refuse it in the loader",
        published=None,
    ),
    row(
        id="L14d",
        item="attention layer: scale",
        inputs=normal(57, q=(B, T, 4), k=(B, T, 4), v=(B, T, 4)),
        setting="torch, jax: scale=1.0",
        published=0.51,
    ),
    row(
        id="L14e",
        item="attention function: axes",
        inputs=normal(58, q=(B, T, T, 4), k=(B, T, T, 4), v=(B, T, T, 4)),
        setting="torch: transpose positions and heads",
        published=0.85,
        gate=1e-6,
        why="jax.nn.dot_product_attention has a float32 softmax; naive grows with v: "
        "published for other arrays",
    ),
    row(
        id="L17",
        item="PReLU: alpha",
        inputs=normal(59, x=(2, 3, 3, 2), alpha=(2,)),
        setting="load one alpha for each channel; keras: shared_axes=[1, 2]",
        published=None,
    ),
)
