"""The transformer beyond the tiers: who may look where, its text, its scale, its pictures."""

import itertools

import numpy as np
import pytest

from nn_parity import datasets, figures, inputs, metrics, recipes, registry, tolerances
from nn_parity.batches import order
from nn_parity.datasets import characters
from nn_parity.errors import Refusal
from parity_tests.test_figures import texts, words
from scratch.attention import attention_forward, bias, heads

B, T, E, N = 3, 6, 15, 5


def case(name):
    return next(c for c in registry.spec("transformer").cases if c.name == name)


def built(name):
    chosen = case(name)
    given = inputs.of(chosen)
    adapter = registry.build("scratch", chosen, dtype="float64")
    adapter.load(given.params, {})
    return adapter, given


# -- who may look where --------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_shares_add_up_to_one_and_what_is_closed_gets_exactly_none(causal, padded):
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, B, T, E)) * 30
    mask = (np.arange(T) < np.array([[6], [1], [4]])).astype(float) if padded else None
    closed = bias(T, mask, causal=causal, dtype=q.dtype)
    c, shares, _ = attention_forward(q, k, v, N, closed)
    np.testing.assert_allclose(shares.sum(axis=3), 1, rtol=1e-14)
    if causal:
        assert (np.triu(shares, k=1) == 0).all()
        assert (shares[:, :, np.arange(T), np.arange(T)] > 0).any()
    if padded:
        assert (shares.swapaxes(1, 3)[mask == 0] == 0).all()
    joined = (shares @ v.reshape(B, T, N, -1).swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_allclose(c, joined.reshape(B, T, E), rtol=1e-12, atol=1e-12)


def test_heads_are_views():
    x = np.zeros((B, T, E))
    assert heads(x, N).shape == (B, N, T, E // N)
    assert np.shares_memory(heads(x, N), x)


def test_no_letter_sees_a_later_one():
    adapter, given = built("causal")
    x = given.train["x"]
    before = adapter.forward({"x": x}, train=False)["prediction"]
    for t in range(1, x.shape[1]):
        other = np.where(np.arange(x.shape[1]) < t, x, (x + 1) % 10)
        after = adapter.forward({"x": other}, train=False)["prediction"]
        assert (after[:, :t] == before[:, :t]).all()
        assert (after[:, t:] != before[:, t:]).any()


def test_without_positions_the_order_of_the_rows_would_not_matter(monkeypatch):
    """With them it does: what a mean over time forgets, the positions keep."""
    adapter, given = built("sgd")
    x = given.train["x"]

    def moved():
        one, other = (
            adapter.forward({"x": a}, train=False)["prediction"]
            for a in (x, x[:, ::-1])
        )
        return np.abs(one - other).max()

    assert moved() > 0.1
    monkeypatch.setattr(adapter.network, "positions", lambda T, E: np.zeros((T, E)))
    assert moved() < 1e-12


# -- the scale of Keras --------------------------------------------------------------------


def test_only_keras_in_float64_has_the_looser_gate_and_only_where_it_must():
    def why(name, framework, dtype):
        where = framework, dtype
        return tolerances.gate("grad", "W_y", "", case(name), where).why

    assert "N18" in why("heads-of-three", "keras", "float64")
    for name, framework, dtype in (
        ("heads-of-three-exact", "keras", "float64"),
        ("sgd", "keras", "float64"),
        ("heads-of-three", "keras", "float32"),
        ("heads-of-three", "torch", "float64"),
        ("heads-of-three", "jax", "float64"),
    ):
        assert "N18" not in why(name, framework, dtype)


def test_the_experiments_have_a_scale_that_float32_holds():
    for name in ("digits-rows", "characters"):
        for made, _ in recipes.cases(name, changes={}, seed=0):
            if made.network == "transformer":
                columns = made.sizes["E"] // made.recipe["heads"]
                assert float(np.float32(columns**-0.5)) == columns**-0.5


# -- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"heads": "3"}, ["32 columns", "3 heads"]),
        ({"hidden": "8,8"}, ["2 hidden layers"]),
        ({"heads": "0"}, ["heads"]),
    ],
)
def test_heads_that_cannot_be_are_refused(changes, words):
    with pytest.raises(Refusal) as refused:
        recipes.cases("characters", changes=changes, seed=0)
    assert refused.value.code == "E006"
    for word in words:
        assert word in str(refused.value)


# -- the text ------------------------------------------------------------------------------


def test_answers_are_the_letters_one_further_on_and_tested_letters_are_new():
    data = datasets.load("characters")
    written = characters.text()
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert (x[:, 1:] == y[:, :-1]).all()
        for row, after in zip(x, y, strict=True):
            window = "".join(data.vocabulary[i] for i in [*row, after[-1]])
            assert window in written
    start = written.index("".join(data.vocabulary[i] for i in data.x_test[0]))
    assert start == len(written) - characters.TESTED
    last = "".join(
        data.vocabulary[i] for i in [*data.x_train[-1], data.y_train[-1, -1]]
    )
    assert written.index(last) + len(last) <= start


def pairs(ids, V):
    """Chances of each letter after each other, every pair counted once more."""
    counts = np.ones((V, V))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    return counts / counts.sum(axis=1, keepdims=True)


@pytest.mark.thorough
def test_it_reads_better_than_a_table_of_pairs_of_letters():
    """Measured: 2.25 nats and 31 % from the pairs, 1.92 and 44 % from the transformer."""
    ((made, _),) = recipes.cases("characters", changes={}, seed=0)
    data, given = datasets.load("characters"), inputs.of(made)
    written = np.array([data.vocabulary.index(c) for c in characters.text()])
    chance = pairs(written[: -characters.TESTED], len(data.vocabulary))[data.x_test]
    of_true = np.take_along_axis(chance, data.y_test[:, :, None], axis=2)
    table_loss = -np.log(of_true).mean()
    table_right = (chance.argmax(axis=2) == data.y_test).mean()
    adapter = registry.build("scratch", made, dtype="float32")
    adapter.load(given.params, {})
    n = len(data.x_train)
    for epoch in range(made.recipe["epochs"]):
        shuffled = order(n, seed=0, epoch=epoch, shuffle=True)
        adapter.run_epoch(given.train, shuffled, {}, made.recipe["lr"], variant="lean")
    prediction = adapter.forward(given.test, train=False)["prediction"]
    loss = metrics.loss("softmax_cross_entropy", prediction, data.y_test)
    right = (prediction.argmax(axis=2) == data.y_test).mean()
    assert 2.2 < table_loss < 2.3
    assert 0.3 < table_right < 0.33
    assert loss < table_loss - 0.3
    assert right > table_right + 0.1


# -- pictures ------------------------------------------------------------------------------


def maps(heads, T, seed=0):
    drawn = np.random.default_rng(seed).random((heads, T, T)) ** 4
    return drawn / drawn.sum(axis=2, keepdims=True)


def of_rows():
    picture = np.random.default_rng(1).random((8, 6))
    return figures.attention_of_rows(maps(2, 8), picture, title="rows")


def of_letters():
    letters = "a letter looks at those before."
    shares = maps(3, len(letters))
    return figures.attention_of_letters(shares, letters, title="letters")


@pytest.mark.parametrize("draw", [of_rows, of_letters])
def test_words_of_an_attention_map_are_large_and_do_not_collide(draw):
    from matplotlib.text import Text

    figure = draw()
    assert min(t.get_fontsize() for t in figure.findobj(Text) if t.get_text()) >= 11
    drawn = words(figure)
    for (one, a), (other, b) in itertools.combinations(drawn, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (one, other)
    for text, box in drawn:
        assert figure.bbox.padded(1).contains(*box.min), text
        assert figure.bbox.padded(1).contains(*box.max), text


@pytest.mark.parametrize("draw", [of_rows, of_letters])
def test_attention_maps_repeat_to_the_byte(draw, tmp_path):
    first = [p.read_bytes() for p in figures.save(draw(), tmp_path / "a")]
    again = [p.read_bytes() for p in figures.save(draw(), tmp_path / "b")]
    assert first == again


def test_a_row_of_a_map_stands_beside_the_row_of_the_picture():
    figure = of_rows()
    upper, lower = figure.axes[:3], figure.axes[3:6]
    drawn = [ax.images[0].get_array() for ax in upper]
    np.testing.assert_array_equal(drawn[1:], maps(2, 8))
    assert len({ax.images[0].get_clim() for ax in upper[1:]}) == 1  # one scale
    edges = [
        (ax.get_position().y0, ax.get_position().y1, *ax.get_ylim()) for ax in upper
    ]
    assert np.ptp(edges, axis=0).max() < 1e-9
    for above, below in zip(upper[1:], lower[1:], strict=True):
        np.testing.assert_array_equal(below.images[0].get_array(), drawn[0].T[::-1])
        assert above.get_xlim() == below.get_xlim()
        assert abs(above.get_position().x0 - below.get_position().x0) < 1e-9
    assert {"head 1", "head 2", "row that looks", "row it looks at"} <= set(
        texts(figure)
    )


def test_a_space_is_a_sign_that_can_be_seen():
    names = [label.get_text() for label in of_letters().axes[0].get_yticklabels()]
    assert "".join(names) == "a␣letter␣looks␣at␣those␣before."


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.attention_of_rows(maps(2, 8), np.ones((7, 8)), title=""),
        lambda: figures.attention_of_rows(2 * maps(2, 8), np.ones((8, 8)), title=""),
        lambda: figures.attention_of_letters(maps(2, 8), "abc", title=""),
        lambda: figures.attention_of_letters(maps(2, 8)[0], "abcdefgh", title=""),
    ],
)
def test_maps_that_do_not_fit_are_refused(draw):
    with pytest.raises(ValueError, match="expected|add up"):
        draw()
