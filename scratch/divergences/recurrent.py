"""Recurrent layers, embedding and attention: what the equations say."""

import numpy as np

from scratch.divergences.pair import Pair


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# -- LSTM --------------------------------------------------------------------------------


def lstm(x, W_x, W_h, b, order="ifgo"):
    """All hidden states (B, T, H); gates lie side by side in the order given."""
    h = c = np.zeros((len(x), len(W_h)))
    hs = []
    for x_t in x.swapaxes(0, 1):
        z = dict(zip(order, np.split(x_t @ W_x + h @ W_h + b, 4, axis=1), strict=True))
        c = sigmoid(z["f"]) * c + sigmoid(z["i"]) * np.tanh(z["g"])
        h = sigmoid(z["o"]) * np.tanh(c)
        hs.append(h)
    return np.stack(hs, axis=1)


def lstm_of_onnx(given):
    return lstm(**given, order="iofg")[:, -1]


def lstm_of_two_biases(given):
    x, W_x, W_h, b, b_h = given.values()
    return lstm(x, W_x, W_h, b + b_h)[:, -1]


def backwards(x, *weights):
    """Outputs where the inputs were: the last step of the recurrence comes first."""
    return lstm(x[:, ::-1], *weights)[:, ::-1]


def lstm_backwards(given):
    return backwards(*given.values())


def lstm_both_ways(given):
    """Where each direction ended: forward at the last position, backward at the first."""
    ahead, back = lstm(**given), backwards(*given.values())
    return np.hstack([ahead[:, -1], back[:, 0]])


# -- GRU ---------------------------------------------------------------------------------


def gru(x, W_x, W_h, b_x, b_h, *, reset_after):
    """The last hidden state (B, H); the reset gate acts before or after the product."""
    H = len(W_h)
    h = np.zeros((len(x), H))
    for x_t in x.swapaxes(0, 1):
        a_r, a_z, a_n = np.split(x_t @ W_x + b_x, 3, axis=1)
        u_r, u_z, u_n = np.split(h @ W_h + b_h, 3, axis=1)
        r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
        u_n = r * u_n if reset_after else (r * h) @ W_h[:, 2 * H:] + b_h[2 * H:]
        h = (1 - z) * np.tanh(a_n + u_n) + z * h
    return h


def gru_reset_before(given):
    """Cho et al. (2014), equation (8)."""
    return gru(**given, reset_after=False)


def gru_reset_after(given):
    return gru(**given, reset_after=True)


# -- embedding ---------------------------------------------------------------------------


def rows(given):
    return given["table"][given["ids"]]


def rows_or_error(given):
    try:
        return rows(given)
    except IndexError:
        return np.nan


def rows_checked(given):
    """Return NaN for a refusal."""
    ids, table = given["ids"], given["table"]
    return table[ids] if (ids >= 0).all() and (ids < len(table)).all() else np.nan


# -- attention ---------------------------------------------------------------------------


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(q, k, v, scale, mask=True):
    """Vaswani et al. (2017), equation (1): softmax(q k' scale) v where the mask allows."""
    return softmax(np.where(mask, q @ k.swapaxes(-1, -2) * scale, -np.inf)) @ v


def split_heads(x):
    return x.reshape(*x.shape[:2], 2, 4).swapaxes(1, 2)


def multi_head(x, W_q, W_k, W_v, W_o, mask=True):
    q, k, v = split_heads(x @ W_q), split_heads(x @ W_k), split_heads(x @ W_v)
    joined = attention(q, k, v, 0.5, mask).swapaxes(1, 2).reshape(x.shape)
    return joined @ W_o


def multi_head_attention(given):
    return multi_head(**given)


def multi_head_checked(given):
    """Return NaN for a refusal."""
    return multi_head(**given) if given["mask"].any(-1).all() else np.nan


def multi_head_unchecked(given):
    with np.errstate(invalid="ignore"):  # -inf less -inf
        return multi_head(**given)


def attention_scaled(given):
    return attention(**given, scale=0.5)


def attention_unscaled(given):
    return attention(**given, scale=1.0)


def attention_of_heads(given):
    q, k, v = (a.swapaxes(1, 2) for a in given.values())
    return attention(q, k, v, scale=0.5).swapaxes(1, 2)


# -- PReLU -------------------------------------------------------------------------------


def prelu(given):
    """He et al. (2015), equation (1), one alpha for each channel."""
    x, alpha = given.values()
    return np.where(x > 0, x, alpha * x)


def prelu_initial(given):
    x = given["x"]
    return np.where(x > 0, x, 0.25 * x)


ROWS = {
    "L10a": Pair("blocks read by name", lstm_of_onnx, lstm_of_onnx),
    "L10c": Pair("b + b_h", lstm_of_two_biases, lstm_of_two_biases),
    "L11": Pair("r z n", gru_reset_after, gru_reset_after),
    "L11b": Pair("the paper: before", gru_reset_before, gru_reset_after),
    "L21": Pair("where the inputs were", lstm_backwards, lstm_backwards),
    "L21b": Pair("where each direction ended", lstm_both_ways, lstm_both_ways),
    "L13b": Pair("IndexError", rows_or_error, rows_checked),
    "L13b2": Pair("the last row", rows_or_error, rows_checked),
    "L14a": Pair("x @ W, (in, out)", multi_head_attention, multi_head_attention),
    "L14b": Pair("true: attend", multi_head_attention, multi_head_attention),
    "L14c": Pair("NaN", multi_head_unchecked, multi_head_checked),
    "L14d": Pair("1 / sqrt(d)", attention_scaled, attention_unscaled),
    "L14e": Pair("positions, heads", attention_of_heads, attention_of_heads),
    "L17": Pair("the paper: 0.25", prelu_initial, prelu),
}
