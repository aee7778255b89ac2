"""Layout, shape and padding: rows of the atlas.

Images are (batch, height, width, channels), kernels (height, width, in, out), matrices
(in, out): what is given is in the layout of the equations.
"""

from functools import partial

from nn_parity.divergences.row import Row, normal

row = partial(Row, topic="layout")
RESIZED = "ops.image.resize of TensorFlow computes in float32"

ROWS: tuple[Row, ...] = (
    row(
        id="L01",
        item="Linear weight",
        inputs=normal(1, x=(4, 6), W=(6, 6)),
        setting="transpose by the kind of layer, never by shape: a square one loads",
        published=8.3,
    ),
    row(
        id="L02",
        item="Conv2D kernel",
        inputs=normal(2, x=(2, 6, 6, 3), W=(3, 3, 3, 3)),
        setting="torch: W.permute(3, 2, 0, 1)",
        published=22.0,
    ),
    row(
        id="L02b",
        item="Conv2D: convolution or cross-correlation",
        inputs=normal(3, x=(2, 6, 6, 3), W=(3, 3, 3, 2)),
        setting="flip the kernel of a true convolution, and no other",
        published=25.6,
    ),
    row(
        id="L03",
        item="ConvTranspose2D kernel, stride 2",
        inputs=normal(4, x=(2, 4, 4, 3), W=(3, 3, 3, 3)),
        setting="torch: permute(2, 3, 0, 1); keras: swap in, out; jax: flip height, width",
        published=18.4,
    ),
    row(
        id="L03b",
        item="ConvTranspose2D, 'same', stride 2",
        inputs=normal(5, x=(2, 4, 4, 3), W=(3, 3, 3, 2)),
        setting="torch: padding=0, output cropped to [:2H, :2W]",
        published=12.7,
    ),
    row(
        id="L04",
        item="Flatten before a dense layer",
        inputs=normal(6, x=(2, 4, 5, 3), W=(60, 7)),
        setting="torch: rows of W in the order channels, height, width",
        published=18.8,
    ),
    row(
        id="L05",
        item="'same' padding with stride 2",
        inputs=normal(7, x=(2, 6, 6, 3), W=(3, 3, 3, 2)),
        setting="torch: F.pad(x, (0, 1, 0, 1)), then padding=0",
        published=15.7,
    ),
    row(
        id="L06",
        item="max pooling: what is padded",
        inputs=normal(8, x=(2, 6, 6, 3)),
        setting="pad with -inf by hand, then pool without padding",
        published=1.36,
        why="published for other inputs: a 0 wins only where a whole window is negative",
    ),
    row(
        id="L06b",
        item="max pooling, 'same', stride 2",
        inputs=normal(9, x=(2, 6, 6, 3)),
        setting="torch: F.pad(x, (0, 1, 0, 1), value=-inf), then padding=0",
        published=0.20,
        why="published for other inputs: maxima of normal numbers differ by 1 to 3",
    ),
    row(
        id="L07",
        item="average pooling: are pads counted",
        inputs=normal(10, x=(2, 5, 5, 3)),
        setting="torch: count_include_pad=False; jax: divide by the true counts",
        published=0.72,
    ),
    row(
        id="N23",
        item="depthwise and grouped kernels",
        inputs=normal(11, x=(2, 6, 6, 4), depthwise=(3, 3, 4, 2), grouped=(3, 3, 2, 6)),
        setting="torch: permute to (in, mult, h, w) or (out, in/g, h, w), then reshape",
        published=10.5,
    ),
    row(
        id="L18a",
        item="bilinear resize, up",
        inputs=normal(12, x=(1, 4, 4, 2)),
        setting="torch: align_corners=False",
        published=0.69,
        gate=1e-6,
        why=RESIZED,
    ),
    row(
        id="L18b",
        item="bilinear resize, down",
        inputs=normal(13, x=(1, 8, 8, 2)),
        setting="antialias=False",
        published=0.32,
        gate=1e-5,
        why=f"{RESIZED}; naive depends on x: published for other inputs",
    ),
    row(
        id="L18c",
        item="nearest resize",
        inputs=normal(14, x=(1, 5, 5, 2)),
        setting="torch: mode='nearest-exact'",
        published=3.5,
        gate=1e-6,
        why=RESIZED,
    ),
    row(
        id="L18d",
        item="bicubic resize",
        inputs=normal(15, x=(1, 5, 5, 2)),
        setting="",
        published=0.24,
        gate=1e-6,
        why=RESIZED,
    ),
    row(
        id="N30",
        item="local response normalization (AlexNet), float32",
        inputs=normal(16, x=(2, 3, 3, 8)),
        setting="torch: alpha * size; keras: depth_radius=(size - 1) / 2",
        published=3.7,
        gate=1e-6,
        why="TensorFlow has it in float32 only; naive grows with alpha, here 0.5, and with x",
    ),
    row(
        id="S01b",
        item="squared error of (N, 1) and (N,)",
        inputs=normal(17, y=(8,), prediction=(8, 1)),
        setting="assert equal shapes; y.reshape(prediction.shape)",
        published=1.13,
    ),
)
