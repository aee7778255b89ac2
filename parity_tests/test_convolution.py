"""Convolution and pooling in scratch, against SciPy and by hand; what is refused."""

import re

import numpy as np
import pytest
from scipy.signal import correlate

from nn_parity import datasets, images, recipes, registry
from nn_parity.errors import Refusal
from scratch import convolution
from scratch.workspace import Pictures

RNG = np.random.default_rng(0)
SHAPES = {  # height, width, kernel
    "square": (7, 7, (3, 3)),
    "wide": (5, 8, (2, 3)),
    "one pixel": (4, 3, (1, 1)),
    "all of it": (4, 5, (4, 5)),
    "larger than the picture": (3, 2, (5, 4)),
}


def by_scipy(x, W, stride, padding):
    """Each example and kernel by itself; "same" as TensorFlow documents it."""
    B, H, width, _ = x.shape
    F, G, _, N = W.shape
    frame = [(0, 0), (0, 0)]
    if padding == "same":
        for axis, (pixels, size) in enumerate(((H, F), (width, G))):
            rest = pixels % stride or stride
            missing = max(size - rest, 0)
            frame[axis] = (missing // 2, missing - missing // 2)
    x = np.pad(x, ((0, 0), *frame, (0, 0)))
    found = [
        [
            correlate(x[b], W[..., n], mode="valid")[::stride, ::stride, 0]
            for n in range(N)
        ]
        for b in range(B)
    ]
    return np.moveaxis(np.array(found), 1, -1)


@pytest.mark.parametrize("what", SHAPES)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_convolution_is_scipys_correlation(what, stride, padding):
    H, W, size = SHAPES[what]
    x, kernels = RNG.normal(size=(2, H, W, 3)), RNG.normal(size=(*size, 3, 4))
    if padding == "valid" and what == "larger than the picture":
        with pytest.raises(ValueError, match="do not fit"):
            convolution.conv_forward(x, kernels, 0, stride=stride, padding=padding)
        return
    h, _ = convolution.conv_forward(x, kernels, 0, stride=stride, padding=padding)
    expected = by_scipy(x, kernels, stride, padding)
    np.testing.assert_allclose(h, expected, rtol=0, atol=1e-13)
    moves = {"size": size, "stride": stride, "padding": padding}
    assert convolution.outputs_of((H, W, 3), **moves) == h.shape[1:3]
    assert images.outputs_of((H, W, 3), **moves) == h.shape[1:3]


POOL = {"size": (2, 2), "stride": 2, "padding": "valid"}


def test_of_equal_pixels_the_first_one_learns():
    """Row by row, as in the frameworks: not the last one, and no two of them."""
    x = np.array([[1, 3], [3, 3]], float).reshape(1, 2, 2, 1)
    _, cache = convolution.max_pool_forward(x, **POOL)
    dx = convolution.max_pool_backward(np.full((1, 1, 1, 1), 5.0), cache)
    assert dx[0, :, :, 0].tolist() == [[0, 5], [0, 0]]


def test_overlapping_windows_add_up_what_they_say_about_a_pixel():
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1, 0] = 1
    moves = {"size": (2, 2), "stride": 1, "padding": "valid"}
    h, cache = convolution.max_pool_forward(x, **moves)
    assert (h == 1).all()
    dx = convolution.max_pool_backward(np.arange(4.0).reshape(1, 2, 2, 1), cache)
    assert dx.sum() == dx[0, 1, 1, 0] == 6


def test_the_frame_of_a_max_pool_is_never_the_largest():
    """Zeros around would be, over negative pixels."""
    x = -1 - RNG.random((2, 3, 3, 2))
    moves = {"size": (3, 3), "stride": 2, "padding": "same"}
    h, cache = convolution.max_pool_forward(x, **moves)
    assert h.max() < 0
    dh = RNG.normal(size=h.shape)
    dx = convolution.max_pool_backward(dh, cache)
    assert dx.shape == x.shape
    assert dx.sum() == pytest.approx(dh.sum())  # nothing was lost in the frame


def test_the_frame_of_an_average_pool_does_not_count():
    moves = {"size": (2, 3), "stride": 2, "padding": "same"}
    h, cache = convolution.avg_pool_forward(np.ones((1, 5, 4, 2)), **moves)
    assert (h == 1).all()
    dh = RNG.normal(size=h.shape)
    dx = convolution.avg_pool_backward(dh, cache)
    assert dx.sum() == pytest.approx(dh.sum())


@pytest.mark.parametrize("order", ["batch first", "batch last"])
def test_the_order_of_memory_changes_nothing(order):
    """Whatever memory a picture has; with memory that is used again, or without."""
    x, W = RNG.normal(size=(5, 6, 7, 2)), RNG.normal(size=(3, 2, 2, 4))
    moves = {"stride": 2, "padding": "same"}
    h, cache = convolution.conv_forward(x, W, np.ones(4), **moves)
    dh = RNG.normal(size=h.shape)
    expected = (h, *convolution.conv_backward(dh, cache))
    if order == "batch last":
        x, dh = (
            np.copy(a.transpose(3, 1, 2, 0)).transpose(3, 1, 2, 0) for a in (x, dh)
        )
    w = Pictures(x.dtype, np.empty_like(W), np.empty(4))
    for _ in range(2):  # the second time the memory holds what the first one left
        h, cache = convolution.conv_forward(x, W, np.ones(4), w, **moves)
        found = (h, *convolution.conv_backward(dh, cache, w))
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_picture_that_is_too_small_is_refused_before_any_framework(monkeypatch):
    def nothing_is_built(*_, **__):
        raise AssertionError

    monkeypatch.setattr(registry, "build", nothing_is_built)
    shrunk = datasets.load("digits-8x8")
    with pytest.raises(
        Refusal, match=re.escape("(5, 5) pixels does not fit on")
    ) as said:
        recipes.cases("digits-lenet", changes={}, seed=0, load=lambda name: shrunk)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("data", "changes", "says"),
    [
        ("hiring", {"loss": "binary_cross_entropy"}, "'hiring' has no pictures"),
        ("digits", {"augment": "shift+flip"}, "nothing that lenet does"),
    ],
)
def test_what_lenet_cannot_use_is_refused(data, changes, says):
    with pytest.raises(Refusal, match=re.escape(says)):
        recipes.cases(
            "digits-lenet",
            changes=changes,
            seed=0,
            load=lambda name: datasets.load(data),
        )


def test_layers_on_pictures_refuse_what_is_no_picture():
    from scratch import sequential

    conv = {
        "channels": 2,
        "kernel": (3, 3),
        "stride": 1,
        "padding": "valid",
        "bias": True,
    }
    recipe = {"layers": ({"name": "conv"} | conv,)}
    with pytest.raises(ValueError, match="expected \\(H, W, C\\), got \\(5,\\)"):
        sequential.shapes({"shape": (5,)}, recipe)
    with pytest.raises(ValueError, match="do not fit on 2"):
        sequential.shapes({"shape": (2, 5, 1)}, recipe)
