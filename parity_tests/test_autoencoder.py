"""The autoencoder: ties, baselines, the pictures that are their own targets."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from nn_parity import (
    accuracy,
    datasets,
    figures,
    inputs,
    recipes,
    registry,
    transcripts,
)
from nn_parity.errors import Refusal
from nn_parity.figures.reconstructions import _from_best_to_worst
from nn_parity.specs.autoencoder import SPEC

CASES = {case.name: case for case in SPEC.cases}


def scratch(case, dtype="float64"):
    return registry.build("scratch", case, dtype=dtype)


def test_a_tied_weight_learns_from_both_of_its_uses():
    """Two networks of the same function, one with four weights and one with two."""
    given = inputs.of(CASES["tied"])
    tied, untied = scratch(CASES["tied"]), scratch(CASES["sgd"])
    tied.load(given.params, {})
    mirrored = {"W_3": given.params["W_2"].T, "W_4": given.params["W_1"].T}
    untied.load(given.params | mirrored, {})
    loss, grads = tied.losses_and_grads(given.train)
    same, apart = untied.losses_and_grads(given.train)
    assert loss["loss"] == pytest.approx(same["loss"], rel=1e-15)
    for encoder, decoder in (("W_1", "W_4"), ("W_2", "W_3")):
        both = apart[encoder] + apart[decoder].T
        np.testing.assert_allclose(grads[encoder], both, rtol=1e-12, atol=1e-15)
        assert np.abs(apart[decoder]).max() > 0.1 * np.abs(grads[encoder]).max()


def principal_components(x_train, x_test, count):
    """Mean squared error a picture, summed over pixels, of the best linear code."""
    mean = x_train.mean(axis=0)
    _, _, axes = np.linalg.svd(x_train - mean, full_matrices=False)
    code = (x_test - mean) @ axes[:count].T
    return (((x_test - mean) - code @ axes[:count]) ** 2).sum(axis=1).mean()


@pytest.mark.thorough
def test_the_codes_are_far_better_than_a_mean_and_at_8_numbers_than_a_linear_code():
    """With 32 numbers the linear code wins: these pictures have 64 pixels, resampled."""
    data = datasets.load("digits-pictures")
    x_train, x_test = (x.astype(np.float64) for x in (data.x_train, data.x_test))
    linear = {n: principal_components(x_train, x_test, n) for n in (8, 32)}
    mean = principal_components(x_train, x_test, 0)
    loss = {}
    for case, _ in recipes.cases("digits-autoencoder", changes={}, seed=0):
        made = transcripts.whole_training(
            scratch(case, "float32"), case, inputs.of(case), lambda text: None
        )
        loss[case.label] = float(made["meta/test_loss"])
    assert linear[32] < loss["tied"] < mean / 10
    assert linear[32] < loss["untied"] < mean / 10
    assert loss["code-of-8"] < 0.8 * linear[8]


def test_pictures_are_their_own_targets_and_no_classes():
    pictures, digits = datasets.load("digits-pictures"), datasets.load("digits")
    for part in ("train", "test"):
        x = getattr(pictures, f"x_{part}")
        np.testing.assert_array_equal(x, getattr(digits, f"x_{part}"))
        np.testing.assert_array_equal(x, getattr(pictures, f"y_{part}"))
    assert pictures.classes is None
    assert not accuracy.is_classification(pictures)


def test_what_has_no_code_or_other_targets_is_refused():
    with pytest.raises(Refusal, match="no code"):
        recipes.cases("digits-autoencoder", changes={"hidden": ""}, seed=0)
    settings = {"hidden": (3,), "activation": "relu", "tied": False, "init": "normal"}
    with pytest.raises(Refusal, match="other targets"):
        SPEC.resolve(settings, datasets.load("spiral"))
    with pytest.raises(Refusal, match="tied"):
        recipes.cases("digits", changes={"tied": "true"}, seed=0)


def drawn():
    rng = np.random.default_rng(0)
    images = rng.random((30, 6, 5))
    steps = rng.permutation(30).reshape(30, 1, 1) / 100
    made = dict.fromkeys(("scratch", "torch"), images + steps)
    return images, made, figures.reconstructions(images, made, title="drawn", limit=6)


def test_reconstructions_go_from_the_best_to_the_worst():
    images, made, figure = drawn()
    shown = _from_best_to_worst(((made["scratch"] - images) ** 2).sum((1, 2)), 6)
    panels = np.array([ax for ax in figure.axes if ax.images][: 4 * 6]).reshape(4, 6)
    rows = [images, made["scratch"], made["torch"], made["scratch"] - images]
    for row, stack in zip(panels, rows, strict=True):
        for ax, picture in zip(row, stack[shown], strict=True):
            np.testing.assert_array_equal(ax.images[0].get_array(), picture)
    low, high = panels[-1, 0].images[0].get_clim()
    assert -low == high == np.abs(rows[-1][shown]).max()
    errors = np.abs(rows[-1]).max((1, 2))
    assert errors[shown[0]] == errors.min()
    assert errors[shown[-1]] == errors.max()
    assert (np.diff(errors[shown]) > 0).all()


def test_reconstructions_repeat_to_the_byte_and_words_keep_apart(tmp_path):
    _, _, figure = drawn()
    one, other = (
        [path.read_bytes() for path in figures.save(each, tmp_path / name)]
        for each, name in ((figure, "a"), (drawn()[2], "b"))
    )
    assert one == other
    texts = [t for t in figure.findobj(Text) if t.get_text().strip()]
    boxes = [t.get_window_extent() for t in texts if t.get_visible()]
    assert boxes
    assert all(figure.bbox.padded(1).containsx(box.x0) for box in boxes)
    titles = [ax.title.get_window_extent() for ax in figure.axes[:6]]
    for a, b in itertools.pairwise(titles):
        assert not a.overlaps(b)


@pytest.mark.parametrize(
    ("made", "limit"),
    [
        ({}, 3),
        ({"scratch": np.zeros((2, 3, 4))}, 0),
        ({"scratch": np.zeros((2, 4, 3))}, 3),
        ({"scratch": np.full((2, 3, 4), np.nan)}, 3),
    ],
)
def test_reconstructions_that_cannot_be_drawn_are_refused(made, limit):
    with pytest.raises(ValueError, match="reconstructions"):
        figures.reconstructions(np.zeros((2, 3, 4)), made, title="no", limit=limit)
