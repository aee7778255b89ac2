"""Losses: canonical name -> function of (y, prediction, weight), the mean over the batch.

Keras' own functions return one value per example; ``ops.mean`` makes the scalar. They
are functions and not Loss objects, which would freeze the float type of their birth.
With ``weight`` (B,) the mean is sum(w l) / sum(w).
"""

from functools import cache

from keras import losses, ops

from keras_impl.names import choose


def softmax_cross_entropy(y, logits, weight=None):
    """-log softmax(logits)[y] for integer labels y (B,) and logits (B, K)."""
    per_example = losses.sparse_categorical_crossentropy(
        y, logits, from_logits=True, ignore_class=None, axis=-1
    )  # (B,)
    return mean(per_example, weight)


def softmax_cross_entropy_one_hot(y, logits, weight=None):
    """-sum of y log softmax(logits); y (B, K) probabilities, one-hot or smoothed.

    losses.categorical_crossentropy has the gradient softmax(logits) - y, whatever y sums
    to: off by 4e-8 where the probabilities have been rounded to float32.
    """
    same_shape(y, logits)
    log_p = ops.log_softmax(logits, axis=-1)                            # (B, K)
    return mean(-ops.sum(y * log_p, axis=-1), weight)


def binary_cross_entropy(y, logits, weight=None):
    """-y log p - (1 - y) log(1 - p), p = sigmoid(logits); both (B, 1)."""
    same_shape(y, logits)
    per_example = losses.binary_crossentropy(
        y, logits, from_logits=True, label_smoothing=0.0, axis=-1
    )  # (B,)
    return mean(per_example, weight)


def mse(y, prediction, weight=None):
    """(y - prediction)^2, the mean over all elements."""
    same_shape(y, prediction)
    return mean(losses.mean_squared_error(y, prediction), weight)


def squared_error(y, prediction, weight=None):
    """(y - prediction)^2, summed over the outputs, the mean over the batch."""
    same_shape(y, prediction)
    return mean(ops.sum(ops.square(y - prediction), axis=-1), weight)


def half_squared_error(y, prediction, weight=None):
    """Half of squared_error: its gradient is prediction - y."""
    return squared_error(y, prediction, weight) / 2


def hinge(y, scores, weight=None):
    """max(0, 1 - y s); y is -1 or +1, both (B, 1).

    losses.hinge has the same values, but derivative -y at the kink: it takes a maximum.
    """
    same_shape(y, scores)
    return mean(ops.mean(ops.relu(1.0 - y * scores), axis=-1), weight)


def multiclass_hinge(y, scores, weight=None):
    """Mean over k of max(0, 1 - s_y + s_k), 0 for k = y: Weston & Watkins (1999).

    losses.categorical_hinge is Crammer & Singer's, the worst k only, and takes 0 for the
    score of class y there.
    """
    K = scores.shape[-1]
    true = ops.one_hot(y, K, dtype=scores.dtype)                        # (B, K)
    of_true = ops.sum(true * scores, axis=-1, keepdims=True)            # (B, 1)
    margins = (1.0 - true) * ops.relu(1.0 - of_true + scores)           # (B, K)
    return mean(ops.sum(margins, axis=-1) / K, weight)


def huber(y, prediction, weight=None, *, delta):
    """r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2); mean over all elements."""
    same_shape(y, prediction)
    return mean(losses.huber(y, prediction, delta=delta), weight)


def kl_divergence(y, logits, weight=None):
    """Sum of y (log y - log softmax(logits)); y (B, K) probabilities, some perhaps 0.

    losses.kl_divergence wants probabilities and clips them at 1e-7: for logits 120
    apart it says 15.6 instead of 74.4.
    """
    same_shape(y, logits)
    log_y = ops.log(ops.where(y > 0, y, 1.0))                           # (B, K)
    log_p = ops.log_softmax(logits, axis=-1)                            # (B, K)
    return mean(ops.sum(y * (log_y - log_p), axis=-1), weight)


def mean(per_example, weight):
    """Mean of (B,) losses, or their mean weighted by (B,); ValueError if shapes differ."""
    if weight is None:
        return ops.mean(per_example)
    if len(weight.shape) != 1:  # a column would broadcast to (B, B)
        raise ValueError(
            f"weight has shape {tuple(weight.shape)}, expected one number for each "
            "example -> make it (B,)"
        )
    return ops.sum(weight * per_example) / ops.sum(weight)


def same_shape(y, prediction, name="y"):
    """Refuse shapes that Keras would squeeze or broadcast; ValueError."""
    if tuple(y.shape) != tuple(prediction.shape):
        raise ValueError(
            f"{name} has shape {tuple(y.shape)}, the prediction "
            f"{tuple(prediction.shape)}; they must be equal -> reshape {name}"
        )


LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "softmax_cross_entropy_one_hot": softmax_cross_entropy_one_hot,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
    "squared_error": squared_error,
    "half_squared_error": half_squared_error,
    "hinge": hinge,
    "multiclass_hinge": multiclass_hinge,
    "huber(delta)": huber,
    "kl_divergence": kl_divergence,
}


@cache
def loss_function(name):
    """Return the loss of a name such as "mse" or "huber(0.5)"; ValueError for another."""
    return choose(LOSSES, "loss", name)


def of_tokens(outputs, batch, recipe):
    """The loss where the prediction (B, T, V) names a token at every position: y is (B, T).

    The mean is over all tokens, or with batch["y_mask"] (B, T) of ones and zeros over the
    real ones: for the loss a token is an example, and what stands in the padding counts 0.
    """
    prediction, y, mask = outputs["prediction"], batch["y"], batch.get("y_mask")
    loss = loss_function(recipe["loss"])
    flat = ops.reshape(prediction, (-1, prediction.shape[-1]))          # (N, V)  N tokens
    mask = None if mask is None else ops.reshape(mask, (-1,))           # flat, too
    return loss(ops.reshape(y, (-1,)), flat, mask)
