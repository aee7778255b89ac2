"""Losses: optax's own, one value per example or element, and the mean we take of them.

``logits`` are what the last layer says before softmax or sigmoid. K classes, B examples.
"""

import optax


def softmax_cross_entropy(logits, y):
    """Mean over the batch of -log softmax(logits)[y]; y (B,) holds class indices."""
    if logits.shape[:-1] != y.shape:
        raise ValueError(f"logits {logits.shape} and labels {y.shape} do not fit")
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def binary_cross_entropy(logits, y):
    """Mean of -y log p - (1 - y) log(1 - p) at p = sigmoid(logits)."""
    _same_shape(logits, y)
    return optax.sigmoid_binary_cross_entropy(logits, y).mean()


def mse(p, y):
    """Mean over all elements of (p - y)^2."""
    _same_shape(p, y)
    return optax.squared_error(p, y).mean()


def squared_error(p, y):
    """(p - y)^2 as the courses write it: summed over the outputs, mean over the examples."""
    _same_shape(p, y)
    return optax.squared_error(p, y).sum() / len(p)


def half_squared_error(p, y):
    """1/2 (p - y)^2: its gradient is the plain error, which makes SGD the delta rule."""
    _same_shape(p, y)
    return optax.l2_loss(p, y).sum() / len(p)  # optax's l2_loss has the 1/2 in it


def _same_shape(p, y):
    if p.shape != y.shape:  # JAX would broadcast (N, 1) and (N,) to (N, N)
        raise ValueError(f"prediction {p.shape} and target {y.shape} differ in shape")


# canonical name -> loss
LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
    "squared_error": squared_error,
    "half_squared_error": half_squared_error,
}


def of_prediction(outputs, batch, recipe):
    """The loss of most networks: recipe["loss"] between the prediction and batch["y"]."""
    return LOSSES[recipe["loss"]](outputs["prediction"], batch["y"])
