"""Sequence to sequence in JAX: pure functions of a dict of arrays, two lax.scan.

Source
------
Sutskever, Vinyals & Le (2014), Advances in Neural Information Processing Systems 27,
3104-3112. One layer of each instead of four; x is not reversed; every answer has T
tokens, so none stands for the end; greedy decoding instead of a beam. The LSTM is that
of lstm, equations (1)-(5) there.

Equations
---------
::

    u_s  = E_x[x_s]                a vector for each token that is read           (1)
    h, c = LSTM_e(u_s, h, c)       encoder, s = 1 ... S, from h = c = 0           (2)
    v_t  = E_y[y_(t-1)]            the token before, which is given; y_0: start   (3)
    h, c = LSTM_d(v_t, h, c)       decoder, t = 1 ... T, from the encoder's end   (4)
    prediction_t = h W_y + b_y     logits                                         (5)
    y_t = argmax prediction_t      generate: its own token goes back into (3)     (6)

Shapes
------
B batch, S steps of x, T steps of y, of which the decoder takes L in one call (all T, or
one in generate), V tokens (the last one is the start), M numbers in a token's vector, H
hidden units. LSTM_e has W_ex, W_eh and b_e, LSTM_d has W_dx, W_dh and b_d.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from jax_impl import losses
from jax_impl.lstm import cell

INPUTS = ()  # token ids have no derivative


def shapes(sizes, recipe):
    V, M, H = sizes["V"], sizes["M"], sizes["H"]
    encoder = {"E_x": (V, M), "W_ex": (M, 4 * H), "W_eh": (H, 4 * H), "b_e": (4 * H,)}
    decoder = {"E_y": (V, M), "W_dx": (M, 4 * H), "W_dh": (H, 4 * H), "b_d": (4 * H,)}
    return encoder | decoder | {"W_y": (H, V), "b_y": (V,)}


def encode(params, batch):
    """The carry (h, c) after the last token of x, and all h on the way: (1), (2)."""
    x, mask = batch["x"], batch.get("mask")                  # (B, S)   mask too, or None
    lstm = {"W_x": params["W_ex"], "W_h": params["W_eh"], "b": params["b_e"]}
    h = jnp.zeros((len(x), len(lstm["W_h"])), lstm["W_h"].dtype)  # (B, H)
    c = jnp.zeros_like(h)                                    # (B, H)
    real = jnp.ones_like(x, bool) if mask is None else mask > 0  # (B, S)
    u = params["E_x"][x]                                     # (B, S, M)  (1)

    def step(carry, now):
        """In the padding h and c stay what they are."""
        u, real = now                                        # (B, M), (B, 1)
        moved, _ = cell(lstm, carry, u)                      # (2)
        h, c = jax.tree.map(partial(jnp.where, real), moved, carry)  # (B, H) each
        return (h, c), jnp.where(real, h, 0)

    xs = jnp.swapaxes(u, 0, 1), real.T[:, :, None]           # scan walks axis 0: S
    carry, hs = lax.scan(step, (h, c), xs)
    return carry, jnp.swapaxes(hs, 0, 1)


def decode(params, y, carry):
    """Predict (B, L, V) from the tokens y (B, L) that stand before: (3)-(5)."""
    lstm = {"W_x": params["W_dx"], "W_h": params["W_dh"], "b": params["b_d"]}
    v = params["E_y"][y]                                     # (B, L, M)  (3)
    carry, hs = lax.scan(partial(cell, lstm), carry, jnp.swapaxes(v, 0, 1))  # (4)
    h = jnp.swapaxes(hs, 0, 1)                               # (B, L, H)
    prediction = h @ params["W_y"] + params["b_y"]           # (B, L, V)  (5)
    return prediction, h, carry


def forward(params, batch, recipe, *, train):
    (h, c), read = encode(params, batch)                     # (B, H), (B, H), (B, S, H)
    prediction, said, _ = decode(params, batch["y_in"], (h, c))  # (B, T, V), (B, T, H)
    return {"h_e": read, "c_e": c, "h_d": said, "prediction": prediction}


loss = losses.of_tokens


def generate(params, batch, sizes):
    """The most likely token, then the next one that follows on it, ...: equation (6)."""
    carry, _ = encode(params, batch)
    start = jnp.full_like(batch["x"][:, 0], sizes["V"] - 1)  # (B,)

    def step(now, _):
        y, carry = now                                       # (B,)
        prediction, _, carry = decode(params, y[:, None], carry)  # (B, 1, V)
        y = prediction[:, 0].argmax(axis=1).astype(y.dtype)  # (B,)       (6)
        return (y, carry), y

    _, ys = lax.scan(step, (start, carry), length=sizes["T"])
    return ys.T
