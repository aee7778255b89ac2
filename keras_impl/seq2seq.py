"""Sequence to sequence in Keras: two LSTM layers, the second begins where the first ends.

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

import keras
from keras import layers, ops

from keras_impl import losses
from keras_impl.model import Network
from keras_impl.padding import blank
from keras_impl.weights import GIVEN, Weight

INPUTS = ()  # token ids have no derivative


def embedding(sizes, name):
    return layers.Embedding(
        sizes["V"],
        sizes["M"],
        embeddings_initializer="zeros",
        mask_zero=False,    # token 0 is a token like the others
        name=name,
    )


def lstm(sizes, name):
    return layers.LSTM(
        sizes["H"],
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        unit_forget_bias=False,
        **GIVEN,
        recurrent_initializer="zeros",
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=0,             # never used, but None would draw one
        return_sequences=True,
        return_state=True,
        go_backwards=False,
        stateful=False,
        unroll=True,
        use_cudnn=False,
        zero_output_for_mask=False,  # see blank: an unrolled loop on JAX ignores True
        name=name,
    )


def build_model(sizes, recipe):
    embed_x, encoder = embedding(sizes, "embed_x"), lstm(sizes, "encoder")
    embed_y, decoder = embedding(sizes, "embed_y"), lstm(sizes, "decoder")
    dense = layers.Dense(
        sizes["V"], activation=None, use_bias=True, **GIVEN, name="logits"
    )

    x = keras.Input(shape=(sizes["S"],), dtype="int64", name="x")          # (B, S)
    mask = keras.Input(shape=(sizes["S"],), name="mask")                   # (B, S)
    y_in = keras.Input(shape=(sizes["T"],), dtype="int64", name="y_in")    # (B, T)
    padded = {"mask": ops.not_equal(mask, 0)} if recipe.get("padded") else {}
    read, h, c = encoder(embed_x(x), **padded)                             # (1), (2)
    said, _, _ = decoder(embed_y(y_in), initial_state=[h, c])              # (3), (4)
    logits = dense(said)                                                   # (B, T, V)  (5)

    inputs = {"x": x, "y_in": y_in}
    if padded:
        inputs["mask"] = mask
        read = blank(read, mask)                                           # (B, S, H)
    outputs = {}
    outputs["h_e"] = read                                                  # (B, S, H)
    outputs["c_e"] = c                                                     # (B, H)
    outputs["h_d"] = said                                                  # (B, T, H)
    outputs["prediction"] = logits                                         # (B, T, V)
    return Network(inputs, outputs, loss=loss, recipe=recipe, name="seq2seq")


loss = losses.of_tokens


def generate(model, batch, sizes):
    """The most likely token, then the next one that follows on it, ...: equation (6)."""
    embed_x, encoder = model.get_layer("embed_x"), model.get_layer("encoder")
    embed_y, decoder = model.get_layer("embed_y"), model.get_layer("decoder")
    dense = model.get_layer("logits")
    x = batch["x"]                                                         # (B, S)
    padded = {"mask": ops.not_equal(batch["mask"], 0)} if "mask" in batch else {}
    _, h, c = encoder(embed_x(x), **padded)                                # (1), (2)
    y, ys = ops.full_like(x[:, :1], sizes["V"] - 1), []                    # (B, 1)
    for _ in range(sizes["T"]):
        said, h, c = decoder(embed_y(y), initial_state=[h, c])             # (B, 1, H)
        y = ops.cast(ops.argmax(dense(said), axis=2), x.dtype)             # (B, 1)     (6)
        ys.append(y)
    return ops.concatenate(ys, axis=1)


WEIGHTS = (
    Weight("embed_x/embeddings", ("E_x",)),
    Weight("encoder/lstm_cell/kernel", ("W_ex",)),
    Weight("encoder/lstm_cell/recurrent_kernel", ("W_eh",)),
    Weight("encoder/lstm_cell/bias", ("b_e",)),
    Weight("embed_y/embeddings", ("E_y",)),
    Weight("decoder/lstm_cell/kernel", ("W_dx",)),
    Weight("decoder/lstm_cell/recurrent_kernel", ("W_dh",)),
    Weight("decoder/lstm_cell/bias", ("b_d",)),
    Weight("logits/kernel", ("W_y",)),
    Weight("logits/bias", ("b_y",)),
)
