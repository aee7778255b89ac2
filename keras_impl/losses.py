"""Losses: canonical name -> function of (y, prediction), the mean over the batch.

Keras' own functions return one value per example; ``ops.mean`` makes the scalar. They
are functions and not Loss objects, which would freeze the float type of their birth.
"""

from keras import losses, ops


def softmax_cross_entropy(y, logits):
    """-log softmax(logits)[y] for integer labels y (B,) and logits (B, K)."""
    per_example = losses.sparse_categorical_crossentropy(
        y, logits, from_logits=True, ignore_class=None, axis=-1
    )  # (B,)
    return ops.mean(per_example)


def binary_cross_entropy(y, logits):
    """-y log p - (1 - y) log(1 - p), p = sigmoid(logits); both (B, 1)."""
    same_shape(y, logits)
    per_example = losses.binary_crossentropy(
        y, logits, from_logits=True, label_smoothing=0.0, axis=-1
    )  # (B,)
    return ops.mean(per_example)


def mse(y, prediction):
    """(y - prediction)^2, the mean over all elements."""
    same_shape(y, prediction)
    return ops.mean(losses.mean_squared_error(y, prediction))


def squared_error(y, prediction):
    """(y - prediction)^2, summed over the outputs, the mean over the batch."""
    same_shape(y, prediction)
    return ops.mean(ops.sum(ops.square(y - prediction), axis=-1))


def half_squared_error(y, prediction):
    """Half of squared_error: its gradient is prediction - y."""
    return squared_error(y, prediction) / 2


def same_shape(y, prediction, name="y"):
    """Refuse shapes that Keras would squeeze or broadcast; ValueError."""
    if tuple(y.shape) != tuple(prediction.shape):
        raise ValueError(
            f"{name} has shape {tuple(y.shape)}, the prediction "
            f"{tuple(prediction.shape)}; they must be equal -> reshape {name}"
        )


LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
    "squared_error": squared_error,
    "half_squared_error": half_squared_error,
}
