"""Sequence to sequence with two LSTMs, from scratch.

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

import numpy as np

from scratch import losses
from scratch.layers import (
    blank,
    dense_backward,
    dense_forward,
    embedding_backward,
    embedding_forward,
    last_step_backward,
    last_step_forward,
)
from scratch.lstm import lstm_backward, lstm_forward
from scratch.workspace import NEW, Steps

INPUTS = ()  # token ids have no derivative


def shapes(sizes, recipe):
    V, M, H = sizes["V"], sizes["M"], sizes["H"]
    encoder = {"E_x": (V, M), "W_ex": (M, 4 * H), "W_eh": (H, 4 * H), "b_e": (4 * H,)}
    decoder = {"E_y": (V, M), "W_dx": (M, 4 * H), "W_dh": (H, 4 * H), "b_d": (4 * H,)}
    return encoder | decoder | {"W_y": (H, V), "b_y": (V,)}


def encoder_forward(params, batch, w=NEW):
    """h, c (B, H) at the last token of x, and all h on the way: equations (1), (2)."""
    x, mask = batch["x"], batch.get("mask")           # (B, S)   mask too, or None
    W_x, W_h, b = params["W_ex"], params["W_eh"], params["b_e"]  # not differentiated
    h = np.zeros((len(x), len(W_h)), W_h.dtype)       # (B, H)         not differentiated
    c = np.zeros_like(h)                              # (B, H)         not differentiated
    us, tokens = embedding_forward(x, params["E_x"])  # (B, S, M)      (1)
    hs, cs, steps = lstm_forward(us, h, c, W_x, W_h, b, w)  # (B, S, H), (B, S, H)  (2)
    h, at = last_step_forward(hs, mask)               # (B, H)
    c, _ = last_step_forward(cs, mask)                # (B, H)
    read = blank(hs, mask)                            # (B, S, H)      not differentiated
    return h, c, read, (tokens, steps, at)


def encoder_backward(dh, dc, params, cache, w=NEW):
    tokens, steps, at = cache
    # c, _ = last_step_forward(cs, mask)
    dcs = last_step_backward(dc, at)                  # (B, S, H)
    # h, at = last_step_forward(hs, mask)
    dhs = last_step_backward(dh, at)                  # (B, S, H)
    # hs, cs, steps = lstm_forward(us, h, c, W_x, W_h, b, w)
    dus, _, _, dW_x, dW_h, db = lstm_backward(
        dhs, dcs, steps, params["W_ex"], params["W_eh"], w
    )
    # us, tokens = embedding_forward(x, params["E_x"])
    dE_x = embedding_backward(dus, tokens)            # (V, M)
    # x, mask = batch["x"], batch.get("mask")
    return {"E_x": dE_x, "W_ex": dW_x, "W_eh": dW_h, "b_e": db}


def decoder_forward(params, y, h, c, w=NEW):
    """Predict (B, L, V) from the tokens y (B, L) that stand before: (3)-(5)."""
    W_x, W_h, b = params["W_dx"], params["W_dh"], params["b_d"]  # not differentiated
    B, L = y.shape                                    # not differentiated
    vs, tokens = embedding_forward(y, params["E_y"])  # (B, L, M)      (3)
    hs, cs, steps = lstm_forward(vs, h, c, W_x, W_h, b, w)  # (B, L, H), (B, L, H)  (4)
    rows = hs.reshape(B * L, -1)                      # (B*L, H)
    z, cache = dense_forward(rows, params["W_y"], params["b_y"])  # (B*L, V)  (5)
    prediction = z.reshape(B, L, -1)                  # (B, L, V)
    return prediction, hs, cs, (tokens, steps, cache)


def decoder_backward(dprediction, params, cache, w=NEW):
    tokens, steps, cache = cache
    B, L, V = dprediction.shape
    # prediction = z.reshape(B, L, -1)
    dz = dprediction.reshape(B * L, V)                # a row for each token
    # z, cache = dense_forward(rows, params["W_y"], params["b_y"])
    drows, dW_y, db_y = dense_backward(dz, cache)     # a row for each token, ...
    # rows = hs.reshape(B * L, -1)
    dhs = drows.reshape(B, L, -1)                     # as hs
    # hs, cs, steps = lstm_forward(vs, h, c, W_x, W_h, b, w)
    dvs, dh, dc, dW_x, dW_h, db = lstm_backward(
        dhs, None, steps, params["W_dx"], params["W_dh"], w
    )
    # vs, tokens = embedding_forward(y, params["E_y"])
    dE_y = embedding_backward(dvs, tokens)            # (V, M)
    grads = {"E_y": dE_y, "W_dx": dW_x, "W_dh": dW_h, "b_d": db, "W_y": dW_y, "b_y": db_y}
    return dh, dc, grads


def forward(params, batch, recipe, *, train, w=NEW):
    h, c, read, encoder = encoder_forward(params, batch, w["encoder"])  # (B, H), (B, H)
    prediction, hs, _, decoder = decoder_forward(params, batch["y_in"], h, c, w["decoder"])
    outputs = {"h_e": read, "c_e": c, "h_d": hs, "prediction": prediction}  # not differentiated
    return outputs, (encoder, decoder)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    encoder, decoder = cache
    # prediction, hs, _, decoder = decoder_forward(params, batch["y_in"], h, c, w["decoder"])
    dh, dc, grads = decoder_backward(doutputs["prediction"], params, decoder, w["decoder"])
    # h, c, read, encoder = encoder_forward(params, batch, w["encoder"])
    grads |= encoder_backward(dh, dc, params, encoder, w["encoder"])
    return grads


loss = losses.of_tokens


def generate(params, batch, sizes):
    """The most likely token, then the next one that follows on it, ...: equation (6)."""
    h, c, _, _ = encoder_forward(params, batch)       # (B, H), (B, H)
    y = np.full((len(h), 1), sizes["V"] - 1)          # (B, 1)         the start token
    ys = []
    for _ in range(sizes["T"]):
        prediction, hs, cs, _ = decoder_forward(params, y, h, c)  # (B, 1, V)
        h, c = hs[:, 0], cs[:, 0]                     # (B, H) each
        y = prediction.argmax(axis=2)                 # (B, 1)         (6)
        ys.append(y)
    return np.hstack(ys)


def make_workspace(grads, B):
    """Memory for training steps on B examples; grads are the arrays to be filled."""
    return {
        "encoder": Steps(dW_x=grads["W_ex"], dW_h=grads["W_eh"], db=grads["b_e"]),
        "decoder": Steps(dW_x=grads["W_dx"], dW_h=grads["W_dh"], db=grads["b_d"]),
    }
