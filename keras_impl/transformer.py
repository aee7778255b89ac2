"""Transformer encoder in Keras: a functional model around MultiHeadAttention layers.

Source
------
Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762. Departures: pre-norm,
that is layer norm inside the residual branches and once more at the end (Xiong et al.
2020, On layer normalization in the transformer architecture, arXiv:2002.04745); only an
encoder; embeddings are not multiplied by sqrt(E); no dropout. GELU where a recipe asks.

Equations
---------
::

    h = x W_e + b_e + P    of token ids: the rows of W_e they name, no b_e    (1)
        P_tj = sin(t / 10000^(j/E)) for even j, cos(t / 10000^((j-1)/E)) for odd j
    in each block:
    n = LN(h)              the mean 0, the variance 1, times gamma_a + beta_a (2)
    q = n W_q + b_q        and k, v alike; each of N heads has E/N columns    (3)
    a = softmax(q k^T / sqrt(E/N))     where a step may look: a row sums to 1 (4)
    h = h + a v W_o + b_o  the heads side by side                             (5)
    n = LN(h)              gamma_f, beta_f                                    (6)
    h = h + f(n W_u + b_u) W_d + b_d   each step alone; f: ReLU or GELU       (7)
    after the last block:
    n = LN(h)              gamma, beta                                        (8)
    prediction = mean_t(n) W_y + b_y   over the real steps; or, for a         (9)
                 prediction at each step, n W_y + b_y

Shapes
------
B batch, T time steps, D inputs or a vocabulary of V tokens, E model width, N heads,
F hidden units of a block, K classes.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_impl import losses
from keras_impl.activations import activation
from keras_impl.model import Network
from keras_impl.regularizers import layer_norm
from keras_impl.weights import GIVEN, Weight

INPUTS = ("x",)  # where it is numbers; nobody differentiates by token ids


def positions(T, E):
    """The table P (T, E) of equation (1); as float32 it is the same in every dtype."""
    t, j = np.arange(T)[:, None], np.arange(E)
    angle = t / 10000 ** ((j - j % 2) / E)                       # (T, E)
    return np.where(j % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)


class ExactAttention(layers.MultiHeadAttention):
    """Keras rounds its scale, a Python number, to float32; it keeps one of NumPy's."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._inverse_sqrt_key_dim = np.float64(self._inverse_sqrt_key_dim)


ATTENTION = {"native": layers.MultiHeadAttention, "exact": ExactAttention}


def block(hidden, padding, sizes, recipe, number):
    """Equations (2)-(7); returns the attention maps, too."""
    E, N = sizes["E"], recipe["heads"]
    attention = ATTENTION[recipe["attention"]](
        num_heads=N,
        key_dim=E // N,
        value_dim=E // N,
        dropout=0.0,
        use_bias=True,
        output_shape=E,
        attention_axes=1,
        flash_attention=False,
        **GIVEN,
        seed=0,             # never used, but None would draw one
        name=f"attention_{number}",
    )
    up = layers.Dense(
        sizes["F"], activation=None, use_bias=True, **GIVEN, name=f"up_{number}"
    )
    down = layers.Dense(E, activation=None, use_bias=True, **GIVEN, name=f"down_{number}")
    activate = layers.Activation(activation(recipe["activation"]))

    n = layer_norm(eps=recipe["eps"], name=f"norm_a_{number}")(hidden)  # (B, T, E)  (2)
    context, maps = attention(                                   # (B, T, E), (B, N, T, T)  (4)
        n, n,
        attention_mask=padding,                                  # 1: a key to attend to
        use_causal_mask=recipe["causal"],
        return_attention_scores=True,
    )
    hidden = layers.Add()([hidden, context])                     # (B, T, E)  (5)
    n = layer_norm(eps=recipe["eps"], name=f"norm_f_{number}")(hidden)  # (B, T, E)  (6)
    wide = activate(up(n))                                       # (B, T, F)
    hidden = layers.Add()([hidden, down(wide)])                  # (B, T, E)  (7)
    return hidden, maps


def build_model(sizes, recipe):
    T, E, K = sizes["T"], sizes["E"], sizes["K"]
    if "D" in sizes:
        x = keras.Input(shape=(T, sizes["D"]), name="x")         # (B, T, D)
        entry = layers.Dense(E, activation=None, use_bias=True, **GIVEN, name="entry")
    else:
        x = keras.Input(shape=(T,), dtype="int64", name="x")     # (B, T)
        entry = layers.Embedding(
            sizes["V"], E, embeddings_initializer="zeros", mask_zero=False, name="embedding"
        )
    inputs, outputs, padding = {"x": x}, {}, None
    hidden = entry(x) + positions(T, E)                          # (B, T, E)  (1)
    if recipe.get("padded"):
        mask = inputs["mask"] = keras.Input(shape=(T,), name="mask")  # (B, T)
        real = ops.reshape(mask, (-1, T, 1)) > 0                 # (B, T, 1)
        hidden = ops.where(real, hidden, ops.zeros_like(hidden))  # (B, T, E)  hide padding
        padding = ops.reshape(mask, (-1, 1, T))                  # (B, 1, T)
    for number in range(1, recipe["blocks"] + 1):
        hidden, maps = block(hidden, padding, sizes, recipe, number)  # (B, T, E), (B, N, T, T)
        outputs |= {f"h_{number}": hidden, f"attention_{number}": maps}
    n = layer_norm(eps=recipe["eps"], name="norm")(hidden)       # (B, T, E)  (8)
    if recipe["each_step"]:
        read = n                                                 # (B, T, E)
    elif padding is None:
        read = ops.mean(n, axis=1)                               # (B, E)
    else:
        read = mean_over_time(n, mask)                           # (B, E)
    logits = layers.Dense(K, activation=None, use_bias=True, **GIVEN, name="logits")
    outputs["prediction"] = logits(read)                         # (9)
    return Network(inputs, outputs, loss=loss, recipe=recipe, name="transformer")


def mean_over_time(n, mask):
    """Of the real steps."""
    mask = ops.expand_dims(mask, axis=2)                         # (B, T, 1)
    return ops.sum(n * mask, axis=1) / ops.sum(mask, axis=1)


def loss(outputs, batch, recipe):
    """Of the one prediction of a sequence, or of one at each step, y (B, T)."""
    if recipe["each_step"]:
        return losses.of_tokens(outputs, batch, recipe)
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return losses.loss_function(recipe["loss"])(y, prediction, weight)


# Keras keeps the columns of each head apart: kernels are (E, N, E/N), biases (N, E/N), and
# the kernel that joins the heads is (N, E/N, E).
HEADS = {"to_native": np.reshape, "shaped": True}
KERNEL = HEADS | {"from_native": lambda W: (W.reshape(len(W), -1),)}
BIAS = HEADS | {"from_native": lambda b: (b.ravel(),)}
JOINING = HEADS | {"from_native": lambda W: (W.reshape(-1, W.shape[-1]),)}

WEIGHTS = (
    Weight("entry/kernel", ("W_e",), optional=True),  # numbers come in
    Weight("entry/bias", ("b_e",), optional=True),
    Weight("embedding/embeddings", ("W_e",), optional=True),  # or token ids
    Weight("norm_a_{l}/gamma", ("gamma_a_{l}",)),
    Weight("norm_a_{l}/beta", ("beta_a_{l}",)),
    Weight("attention_{l}/query/kernel", ("W_q_{l}",), **KERNEL),
    Weight("attention_{l}/query/bias", ("b_q_{l}",), **BIAS),
    Weight("attention_{l}/key/kernel", ("W_k_{l}",), **KERNEL),
    Weight("attention_{l}/key/bias", ("b_k_{l}",), **BIAS),
    Weight("attention_{l}/value/kernel", ("W_v_{l}",), **KERNEL),
    Weight("attention_{l}/value/bias", ("b_v_{l}",), **BIAS),
    Weight("attention_{l}/attention_output/kernel", ("W_o_{l}",), **JOINING),
    Weight("attention_{l}/attention_output/bias", ("b_o_{l}",)),
    Weight("norm_f_{l}/gamma", ("gamma_f_{l}",)),
    Weight("norm_f_{l}/beta", ("beta_f_{l}",)),
    Weight("up_{l}/kernel", ("W_u_{l}",)),
    Weight("up_{l}/bias", ("b_u_{l}",)),
    Weight("down_{l}/kernel", ("W_d_{l}",)),
    Weight("down_{l}/bias", ("b_d_{l}",)),
    Weight("norm/gamma", ("gamma",)),
    Weight("norm/beta", ("beta",)),
    Weight("logits/kernel", ("W_y",)),
    Weight("logits/bias", ("b_y",)),
)
