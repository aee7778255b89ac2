"""Recurrent layers, embedding and attention."""

import random

import numpy as np
import tensorflow as tf
from keras import layers, ops, optimizers

from keras_impl.divergences.loading import loaded
from keras_impl.divergences.pair import Pair

RATE = 0.125  # exact in float32, where Keras keeps it

# -- LSTM --------------------------------------------------------------------------------


def lstm_blocks_as_they_come(given):
    x, *weights = given.values()
    return loaded(layers.LSTM(5), x, *weights)(x)


def lstm_blocks_by_name(given):
    x, *weights = given.values()
    return loaded(layers.LSTM(5), x, *map(from_onnx, weights))(x)


def from_onnx(blocks):
    i, o, f, g = np.split(blocks, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)


def lstm_of_two_biases_naive(given):
    x, W_x, W_h, b, _ = given.values()
    return loaded(layers.LSTM(5), x, W_x, W_h, b)(x)


def lstm_of_two_biases_aligned(given):
    x, W_x, W_h, b, b_h = given.values()
    return loaded(layers.LSTM(5), x, W_x, W_h, b + b_h)(x)


def bias_moves(given):
    x, W_x, W_h, b = given.values()
    layer = loaded(layers.LSTM(5), x, W_x, W_h, b)
    with tf.GradientTape() as tape:
        loss = ops.sum(layer(x) ** 2)
    grads = tape.gradient(loss, layer.trainable_variables)
    optimizers.SGD(RATE).apply(grads, layer.trainable_variables)
    return layer.get_weights()[2] - b


def forget_bias_naive(given):
    layer = layers.LSTM(5)
    layer.build(given["x"].shape)
    return layer.get_weights()[2][5:10]


def forget_bias_aligned(given):
    x, *weights = given.values()
    return loaded(layers.LSTM(5), x, *weights).get_weights()[2][5:10]


def lstm_backwards_naive(given):
    x, *weights = given.values()
    layer = layers.LSTM(5, return_sequences=True, go_backwards=True)
    return loaded(layer, x, *weights)(x)


def lstm_backwards_aligned(given):
    return ops.flip(lstm_backwards_naive(given), axis=1)


def lstm_both_ways(given):
    x, *weights = given.values()
    layer = layers.Bidirectional(layers.LSTM(5), merge_mode="concat")
    return loaded(layer, x, *weights, *weights)(x)


def draws_from_python_naive(given):
    before = random.getstate()
    layers.LSTM(5, kernel_initializer="zeros", recurrent_initializer="zeros")
    return float(random.getstate() != before)


def draws_from_python_aligned(given):
    before = random.getstate()
    layers.LSTM(5, kernel_initializer="zeros", recurrent_initializer="zeros", seed=0)
    return float(random.getstate() != before)


# -- GRU ---------------------------------------------------------------------------------


def gru_blocks_as_they_come(given):
    x, W_x, W_h, b_x, b_h = given.values()
    return loaded(layers.GRU(5), x, W_x, W_h, np.stack([b_x, b_h]))(x)


def gru_blocks_by_name(given):
    x, *weights = given.values()
    W_x, W_h, b_x, b_h = map(to_zrh, weights)
    layer = layers.GRU(5, reset_after=True)
    return loaded(layer, x, W_x, W_h, np.stack([b_x, b_h]))(x)


def to_zrh(blocks):
    r, z, n = np.split(blocks, 3, axis=-1)
    return np.concatenate([z, r, n], axis=-1)


# -- embedding ---------------------------------------------------------------------------


def initial_deviation(given):
    layer = layers.Embedding(1000, 16)
    layer.build()
    return ops.std(layer.embeddings)


def loaded_deviation(given):
    layer = layers.Embedding(1000, 16, weights=[given["table"]])
    layer.build()
    return ops.std(layer.embeddings)


def rows_naive(given):
    table, ids = given.values()
    try:
        return loaded(layers.Embedding(5, 3), ids, table)(ids)
    except tf.errors.InvalidArgumentError:
        return np.nan


def rows_aligned(given):
    """Return NaN for a refusal."""
    ids = given["ids"]
    return rows_naive(given) if ((ids >= 0) & (ids < 5)).all() else np.nan


def table_gradient_naive(given):
    table, ids = given.values()
    layer = loaded(layers.Embedding(5, 3, mask_zero=True), ids, table)
    with tf.GradientTape() as tape:
        total = ops.sum(layer(ids))
    return tf.convert_to_tensor(tape.gradient(total, layer.embeddings.value))


def table_gradient_aligned(given):
    padding = np.array([[0.0], [1.0], [1.0], [1.0], [1.0]])
    return table_gradient_naive(given) * padding


# -- attention ---------------------------------------------------------------------------


def multi_head(given):
    x, W_q, W_k, W_v, W_o, *mask = given.values()
    layer = layers.MultiHeadAttention(num_heads=2, key_dim=4, use_bias=False)
    layer.build(x.shape, x.shape)
    into = [W.reshape(8, 2, 4) for W in (W_q, W_k, W_v)]
    layer.set_weights([*into, W_o.reshape(2, 4, 8)])
    return layer(x, x, attention_mask=mask[0][None] if mask else None)


def multi_head_checked(given):
    """Return NaN for a refusal."""
    return multi_head(given) if given["mask"].any(-1).all() else np.nan


def attention_naive(given):
    q, k, v = given.values()
    return layers.Attention()([q, v, k])


def attention_aligned(given):
    q, k, v = given.values()
    return layers.Attention(use_scale=False, score_mode="dot", dropout=0.0)([q, v, k])


def axes(given):
    q, k, v = map(ops.convert_to_tensor, given.values())
    return ops.dot_product_attention(q, k, v, scale=0.5)


# -- PReLU -------------------------------------------------------------------------------


def prelu_naive(given):
    return layers.PReLU()(given["x"])


def prelu_aligned(given):
    x, alpha = given.values()
    return loaded(layers.PReLU(shared_axes=[1, 2]), x, alpha[None, None])(x)


ROWS = {
    "L10a": Pair("i f c o, c as g", lstm_blocks_as_they_come, lstm_blocks_by_name),
    "L10c": Pair("one bias: b", lstm_of_two_biases_naive, lstm_of_two_biases_aligned),
    "L10d": Pair("one bias", bias_moves, bias_moves),
    "L10e": Pair("1", forget_bias_naive, forget_bias_aligned),
    "L11": Pair("z r h", gru_blocks_as_they_come, gru_blocks_by_name),
    "L11b": Pair("reset_after=True", gru_blocks_by_name, gru_blocks_by_name),
    "L21": Pair("in the order of reading", lstm_backwards_naive, lstm_backwards_aligned),
    "L21b": Pair("where each direction ended", lstm_both_ways, lstm_both_ways),
    "N06": Pair("seed=None: yes", draws_from_python_naive, draws_from_python_aligned),
    "L13a": Pair("uniform, +-0.05: 0.029", initial_deviation, loaded_deviation),
    "L13b": Pair("InvalidArgumentError", rows_naive, rows_aligned),
    "L13b2": Pair("the last row", rows_naive, rows_aligned),
    "L13c": Pair("mask_zero: the row trains", table_gradient_naive, table_gradient_aligned),
    "L14a": Pair("(E, heads, d), (heads, d, E)", multi_head, multi_head),
    "L14b": Pair("true: attend", multi_head, multi_head),
    "L14c": Pair("uniform", multi_head, multi_head_checked),
    "L14d": Pair("no scale", attention_naive, attention_aligned),
    "L14e": Pair("positions, heads", axes, axes),
    "L17": Pair("one for each element, 0", prelu_naive, prelu_aligned),
}
