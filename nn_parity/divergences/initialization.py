"""Initial weights and random numbers: rows of the atlas.

Aligned means nearly always: draw in NumPy and load. So every row is given weights.
"""

from functools import partial

from nn_parity.divergences.row import Row, normal

row = partial(Row, topic="initialization")
LOAD = "draw weights in NumPy and load them"
LARGEST = "the largest of 120 000 draws comes as near to the bound"

ROWS: tuple[Row, ...] = (
    row(
        id="I01",
        item="linear layer 400 to 300: deviation of weights, of biases",
        inputs=normal(61, W=(400, 300), b=(300,)),
        setting=LOAD,
        published=0.0245,
    ),
    row(
        id="I02",
        item="Conv2D, 16 to 32 channels, 3 by 3: deviation of weights",
        inputs=normal(62, W=(3, 3, 16, 32)),
        setting=LOAD,
        published=0.0196,
    ),
    row(
        id="I03",
        item="he_normal: largest weight in deviations asked for",
        inputs=normal(63, W=(400, 300)),
        setting="torch: trunc_normal_ at two deviations, these made wider by 1 / 0.8796",
        published=2.23,
        gate=1e-2,
        why=LARGEST,
    ),
    row(
        id="I04",
        item="truncated normal, deviation 0.02: largest weight in deviations",
        inputs=normal(64, W=(400, 300)),
        setting="torch: trunc_normal_(std=0.02, a=-0.04, b=0.04)",
        published=None,
        gate=1e-2,
        why=LARGEST,
    ),
    row(
        id="I05",
        item="LSTM with 64 units: deviation of W_x and W_h",
        inputs=normal(65, W_x=(28, 256), W_h=(64, 256)),
        setting=LOAD,
        published=None,
    ),
    row(
        id="I06",
        item="first normal number after seed 0",
        inputs=normal(0, drawn=()),
        setting="draw everything in NumPy: weights, batches, permutations, masks",
        published=3.32,
    ),
)
