"""Recurrent layers, embedding and attention. JAX has no layers: flax's are by formula."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

from jax_impl.divergences.pair import Pair

RATE = 0.125  # exact in float32, where Keras keeps it

# -- LSTM --------------------------------------------------------------------------------


@partial(jax.jit, static_argnames="reverse")
def lstm(x, W_x, W_h, b, *, reverse=False):
    """All hidden states (B, T, H)."""

    def step(carry, x_t):
        h, c = carry
        i, f, g, o = jnp.split(x_t @ W_x + h @ W_h + b, 4, axis=1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.zeros((len(x), len(W_h)))
    _, hs = lax.scan(step, (start, start), jnp.swapaxes(x, 0, 1), reverse=reverse)
    return jnp.swapaxes(hs, 0, 1)


def lstm_of_two_biases_naive(given):
    x, W_x, W_h, b, _ = map(jnp.asarray, given.values())
    return lstm(x, W_x, W_h, b)[:, -1]


def lstm_of_two_biases_aligned(given):
    x, W_x, W_h, b, b_h = map(jnp.asarray, given.values())
    return lstm(x, W_x, W_h, b + b_h)[:, -1]


def bias_moves(given):
    x, W_x, W_h, b = map(jnp.asarray, given.values())
    gradient = jax.grad(lambda b: jnp.sum(lstm(x, W_x, W_h, b)[:, -1] ** 2))
    return -RATE * gradient(b)


def forget_bias_naive(given):
    return nn.initializers.zeros(jax.random.key(0), (5,))


def forget_bias_aligned(given):
    return jnp.asarray(given["b"])[5:10]


def lstm_backwards(given):
    x, *weights = map(jnp.asarray, given.values())
    return lstm(x, *weights, reverse=True)


def lstm_both_ways(given):
    x, *weights = map(jnp.asarray, given.values())
    ahead, back = lstm(x, *weights), lstm(x, *weights, reverse=True)
    return jnp.concatenate([ahead[:, -1], back[:, 0]], axis=1)


# -- GRU ---------------------------------------------------------------------------------


def gru(given):
    return last_of_gru(*map(jnp.asarray, given.values()))


@jax.jit
def last_of_gru(x, W_x, W_h, b_x, b_h):
    def step(h, x_t):
        a_r, a_z, a_n = jnp.split(x_t @ W_x + b_x, 3, axis=1)
        u_r, u_z, u_n = jnp.split(h @ W_h + b_h, 3, axis=1)
        r, z = nn.sigmoid(a_r + u_r), nn.sigmoid(a_z + u_z)
        return (1 - z) * jnp.tanh(a_n + r * u_n) + z * h, None

    h, _ = lax.scan(step, jnp.zeros((len(x), len(W_h))), jnp.swapaxes(x, 0, 1))
    return h


# -- embedding ---------------------------------------------------------------------------


def initial_deviation(given):
    draw = nn.initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=0)
    return jnp.std(draw(jax.random.key(0), (1000, 16)))


def loaded_deviation(given):
    return jnp.std(jnp.asarray(given["table"]))


def rows_naive(given):
    table, ids = map(jnp.asarray, given.values())
    return table[ids]


def rows_aligned(given):
    """Return NaN for a refusal."""
    table, ids = map(jnp.asarray, given.values())
    return table[ids] if ((ids >= 0) & (ids < len(table))).all() else np.nan


def table_gradient_naive(given):
    table, ids = map(jnp.asarray, given.values())
    return jax.grad(lambda table: table[ids].sum())(table)


def table_gradient_aligned(given):
    return table_gradient_naive(given).at[0].set(0.0)


# -- attention ---------------------------------------------------------------------------


def attention(q, k, v, scale, mask=True):
    """Softmax of q k' scale, times v; axes are batch, positions, heads, features."""
    scores = jnp.einsum("bthd,bshd->bhts", q, k) * scale
    scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    return jnp.einsum("bhts,bshd->bthd", nn.softmax(scores), v)


def multi_head(given):
    x, W_q, W_k, W_v, W_o, *mask = map(jnp.asarray, given.values())
    q, k, v = (jnp.einsum("bte,ehd->bthd", x, W.reshape(8, 2, 4)) for W in (W_q, W_k, W_v))
    y = attention(q, k, v, 0.5, *mask)
    return jnp.einsum("bthd,hde->bte", y, W_o.reshape(2, 4, 8))


def multi_head_checked(given):
    """Return NaN for a refusal."""
    return multi_head(given) if given["mask"].any(-1).all() else np.nan


def one_head(given, scale):
    q, k, v = (jnp.asarray(a)[:, :, None] for a in given.values())
    return attention(q, k, v, scale)[:, :, 0]


def attention_naive(given):
    return one_head(given, scale=0.5)


def attention_aligned(given):
    return one_head(given, scale=1.0)


def axes(given):
    q, k, v = map(jnp.asarray, given.values())
    return nn.dot_product_attention(q, k, v, scale=0.5)


# -- PReLU -------------------------------------------------------------------------------


def prelu_naive(given):
    return nn.leaky_relu(jnp.asarray(given["x"]), 0.01)


def prelu_aligned(given):
    x, alpha = map(jnp.asarray, given.values())
    return jnp.where(x > 0, x, alpha * x)


ROWS = {
    "L10c": Pair("flax: one bias", lstm_of_two_biases_naive, lstm_of_two_biases_aligned),
    "L10d": Pair("one bias", bias_moves, bias_moves),
    "L10e": Pair("flax: 0", forget_bias_naive, forget_bias_aligned),
    "L11": Pair("flax: r z n", gru, gru),
    "L11b": Pair("flax: after", gru, gru),
    "L21": Pair("scan: where the inputs were", lstm_backwards, lstm_backwards),
    "L21b": Pair("where each direction ended", lstm_both_ways, lstm_both_ways),
    "L13a": Pair("flax: 1 / sqrt(16)", initial_deviation, loaded_deviation),
    "L13b": Pair("clamps to the last row", rows_naive, rows_aligned),
    "L13b2": Pair("the last row", rows_naive, rows_aligned),
    "L13c": Pair("no padding: the row trains", table_gradient_naive, table_gradient_aligned),
    "L14a": Pair("flax: (E, heads, d), (heads, d, E)", multi_head, multi_head),
    "L14b": Pair("flax: true: attend", multi_head, multi_head),
    "L14c": Pair("flax: uniform", multi_head, multi_head_checked),
    "L14d": Pair("1 / sqrt(d)", attention_naive, attention_aligned),
    "L14e": Pair("positions, heads", axes, axes),
    "L17": Pair("flax: one, 0.01", prelu_naive, prelu_aligned),
}
