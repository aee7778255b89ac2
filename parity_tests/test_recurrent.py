"""Recurrent layers: their states, their gates, their padding, and the adding problem."""

import numpy as np
import pytest

from nn_parity import compare, datasets, inputs, registry
from scratch.gru import gru_backward, gru_forward
from scratch.lstm import lstm_backward, lstm_forward
from scratch.rnn import rnn_backward, rnn_forward
from scratch.workspace import NEW, Steps

B, T, D, H = 3, 6, 5, 7
NETWORKS = ("lstm", "rnn", "gru")
SHAPES = {
    "lstm": ((B, T, D), (B, H), (B, H), (D, 4 * H), (H, 4 * H), (4 * H,)),
    "rnn": ((B, T, D), (B, H), (D, H), (H, H), (H,)),
    "gru": ((B, T, D), (B, H), (D, 3 * H), (H, 3 * H), (3 * H,), (3 * H,)),
}


def arguments(layer, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES[layer]]


def run(layer, args, w=NEW):
    """All states, (B, T, H) each, and a cache."""
    if layer == "lstm":
        hs, cs, cache = lstm_forward(*args, w)
        return (hs, cs), cache
    forward = gru_forward if layer == "gru" else rnn_forward
    hs, cache = forward(*args, *(["tanh"] if layer == "rnn" else []), w)
    return (hs,), cache


def back(layer, upstream, cache, args, w=NEW):
    """Gradients in the order of the arguments."""
    if layer == "lstm":
        return lstm_backward(*upstream, cache, *args[3:5], w)
    backward = gru_backward if layer == "gru" else rnn_backward
    return backward(*upstream, cache, *args[2:4], w)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def by_the_equations(layer, args):
    """The same states one step after the other, as the docstrings have it."""
    x, h = args[:2]
    c, states = args[2], []
    for t in range(T):
        if layer == "lstm":
            W_x, W_h, b = args[3:]
            i, f, g, o = np.split(x[:, t] @ W_x + h @ W_h + b, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif layer == "rnn":
            W_x, W_h, b = args[2:]
            h = np.tanh(x[:, t] @ W_x + h @ W_h + b)
        else:
            W_x, W_h, b_x, b_h = args[2:]
            a_r, a_z, a_n = np.split(x[:, t] @ W_x + b_x, 3, axis=1)
            q_r, q_z, q_n = np.split(h @ W_h + b_h, 3, axis=1)
            z = sigmoid(a_z + q_z)
            h = z * h + (1 - z) * np.tanh(a_n + sigmoid(a_r + q_r) * q_n)
        states.append((h, c) if layer == "lstm" else (h,))
    return [np.stack(values, axis=1) for values in zip(*states, strict=True)]


# -- the layers of scratch ---------------------------------------------------------------


@pytest.mark.parametrize("layer", NETWORKS)
def test_a_layer_says_what_its_equations_say(layer):
    args = arguments(layer)
    states, _ = run(layer, args)
    for state, expected in zip(states, by_the_equations(layer, args), strict=True):
        np.testing.assert_allclose(state, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("layer", NETWORKS)
def test_a_sequence_may_be_read_in_two_parts(layer):
    """From any state on, not only from zero."""
    args = arguments(layer)
    whole, _ = run(layer, args)
    n = 1 + len(whole)
    x, initial, weights = args[0], args[1:n], args[n:]
    first, _ = run(layer, [x[:, :2], *initial, *weights])
    middle = [np.array(state[:, -1]) for state in first]
    second, _ = run(layer, [x[:, 2:], *middle, *weights])
    for one, two, both in zip(first, second, whole, strict=True):
        np.testing.assert_array_equal(np.concatenate([one, two], axis=1), both)


@pytest.mark.parametrize("layer", NETWORKS)
def test_gradients_of_every_argument_are_the_complex_step_derivative(layer):
    """Those of the initial state, too, which no network here asks for."""
    args, rng = arguments(layer), np.random.default_rng(1)
    states, cache = run(layer, args)
    upstream = [rng.normal(size=state.shape) for state in states]
    grads = [np.array(g) for g in back(layer, upstream, cache, args)]
    for k, grad in enumerate(grads):
        direction = rng.normal(size=grad.shape)
        moved = [a.astype(complex) for a in args]
        moved[k] = moved[k] + 1e-30j * direction
        changed, _ = run(layer, moved)
        exact = sum((u * s.imag).sum() for u, s in zip(upstream, changed, strict=True))
        scale = np.abs(grad * direction).sum()
        assert abs((grad * direction).sum() - exact / 1e-30) <= 1e-14 * scale, k


def test_an_lstm_needs_no_gradient_of_its_cells():
    args = arguments("lstm")
    (hs, cs), cache = run("lstm", args)
    zeros = back("lstm", (np.ones_like(hs), np.zeros_like(cs)), cache, args)
    zeros = [np.array(g) for g in zeros]
    for with_zeros, without in zip(
        zeros, back("lstm", (np.ones_like(hs), None), cache, args), strict=True
    ):
        np.testing.assert_array_equal(with_zeros, without)


@pytest.mark.parametrize("layer", NETWORKS)
def test_memory_that_is_used_again_changes_no_bit(layer):
    """Whatever it was used for before: another sequence, a longer one, a larger batch."""
    args, w = arguments(layer), Steps()
    for n, steps in ((B, T), (B, T - 2), (B - 1, T), (B, T)):
        these = [a[:n] if k <= (layer == "lstm") + 1 else a for k, a in enumerate(args)]
        these[0] = these[0][:, :steps]
        results = []
        for memory in (NEW, w):
            states, cache = run(layer, these, memory)
            results.append([np.array(s) for s in states])
            upstream = [np.ones_like(s) for s in states]
            results[-1] += [
                np.array(g) for g in back(layer, upstream, cache, these, memory)
            ]
        for fresh, used in zip(*results, strict=True):
            np.testing.assert_array_equal(fresh, used)


@pytest.mark.parametrize("layer", ["lstm", "gru"])
def test_a_gate_that_is_nearly_shut_keeps_its_digits(layer):
    """(1 + tanh(z/2)) / 2 would be the same function with an error near 1/2."""
    cells = []
    for dtype in (np.float32, np.float64):
        args = [np.zeros(shape, dtype) for shape in SHAPES[layer]]
        if layer == "lstm":  # the input gate writes next to nothing
            args[5][:] = np.repeat([-12, 0, 1, 0], H)
        else:  # z is nearly 0, so that h' - n is z (h - n)
            args[1][:], args[4][:] = 1, np.repeat([0, -12, 0], H)
        states, _ = run(layer, args)
        cells.append(np.float64(states[-1][:, 0]))
    np.testing.assert_allclose(cells[0], cells[1], rtol=1e-6)


@pytest.mark.parametrize("layer", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gates_do_not_overflow(layer, dtype):
    args = [3000 * a for a in arguments(layer, dtype)]
    states, cache = run(layer, args)
    grads = back(layer, [np.ones_like(s) for s in states], cache, args)
    for array in (*states, *grads):
        assert np.isfinite(array).all()


# -- padding -----------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_what_stands_in_the_padding_changes_nothing(network):
    case = next(c for c in registry.spec(network).cases if c.name == "padded")
    given = inputs.of(case)
    adapter = registry.build("scratch", case, dtype="float64")
    adapter.load(given.params, given.state)
    mask = given.train["mask"]
    assert 0 < mask.sum() < mask.size
    other = np.where(mask[:, :, None] > 0, given.train["x"], 1e3)
    before, after = (
        adapter.forward(batch, train=True) | adapter.losses_and_grads(batch)[1]
        for batch in (given.train, given.train | {"x": other})
    )
    for name, value in before.items():
        np.testing.assert_array_equal(value, after[name], err_msg=name)
    for name in ("h", "d/x"):
        assert not before[name][mask == 0].any()
        assert before[name][mask > 0].all()


# -- the adding problem ------------------------------------------------------------------


@pytest.mark.parametrize(("name", "steps"), [("adding", 20), ("adding-50", 50)])
def test_two_marked_numbers_are_to_be_added(name, steps):
    data = datasets.load(name)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        numbers, marks = np.float64(x[:, :, 0]), x[:, :, 1]
        assert x.shape[1:] == (steps, 2)
        assert set(np.unique(marks)) == {0, 1}
        for half in (marks[:, : steps // 2], marks[:, steps // 2 :]):
            assert (half.sum(axis=1) == 1).all()
        np.testing.assert_array_equal((numbers * marks).sum(axis=1), y[:, 0])
        assert numbers.min() >= 0
        assert numbers.max() <= 1
        assert abs(((y - 1) ** 2).mean() - 1 / 6) < 0.01


@pytest.mark.thorough
def test_elman_remembers_20_steps_and_an_lstm_50(tmp_path):
    out, options = tmp_path / "adding", {"dtype": "float32", "speed": False}
    run = compare("adding", frameworks=["scratch"], out=out, **options)
    loss = run.accuracy.set_index("part")["test_loss"]
    assert loss["20-steps"] < 0.02
    assert loss["50-steps"] > 0.1  # 0.167 is what the mean of all sums would give
    assert loss["50-steps-lstm"] < 0.02
