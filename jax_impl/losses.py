"""Losses: optax's own, one value per example or element, and the mean we take of them.

``logits`` are what the last layer says before softmax or sigmoid. K classes or outputs, B
examples. ``weight`` (B,), where it is given, weighs the examples: the loss is then
sum_i w_i l_i / sum_i w_i.
"""

from functools import cache

import jax
import jax.numpy as jnp
import optax

from jax_impl.names import choose


def softmax_cross_entropy(logits, y, weight=None):
    """Mean over the batch of -log softmax(logits)[y]; y (B,) holds class indices."""
    if logits.shape[:-1] != y.shape:
        raise ValueError(f"logits {logits.shape} and labels {y.shape} do not fit")
    return _mean(optax.softmax_cross_entropy_with_integer_labels(logits, y), weight)


def softmax_cross_entropy_one_hot(logits, y, weight=None):
    """The same where rows of y (B, K) are probabilities."""
    _same_shape(logits, y)
    return _mean(optax.softmax_cross_entropy(logits, y), weight)


def kl_divergence(logits, y, weight=None):
    """Sum over classes of y (log y - log softmax(logits)), where 0 log 0 is 0."""
    _same_shape(logits, y)
    return _mean(optax.kl_divergence(jax.nn.log_softmax(logits), y), weight)


def multiclass_hinge(scores, y, weight=None):
    """Weston & Watkins: 1/K sum over the wrong classes j of max(0, 1 - s_y + s_j).

    optax.multiclass_hinge_loss is another one, Crammer & Singer's: its worst class only.
    """
    true = jnp.take_along_axis(scores, y[:, None], axis=1)  # (B, 1)
    margin = jax.nn.relu(1 - true + scores)                 # (B, K)
    wrong = y[:, None] != jnp.arange(scores.shape[1])       # (B, K)
    return _mean(jnp.where(wrong, margin, 0), weight)


def binary_cross_entropy(logits, y, weight=None):
    """Mean of -y log p - (1 - y) log(1 - p) at p = sigmoid(logits)."""
    _same_shape(logits, y)
    return _mean(optax.sigmoid_binary_cross_entropy(logits, y), weight)


def hinge(scores, y, weight=None):
    """Mean of max(0, 1 - y s); y is -1 or +1.

    optax.hinge_loss says jnp.maximum, whose derivative at the kink is 1/2; relu's is 0.
    """
    _same_shape(scores, y)
    return _mean(jax.nn.relu(1 - y * scores), weight)


def mse(p, y, weight=None):
    """Mean over all elements of (p - y)^2."""
    _same_shape(p, y)
    return _mean(optax.squared_error(p, y), weight)


def squared_error(p, y, weight=None):
    """(p - y)^2 as the courses write it: summed over the outputs, mean over the examples."""
    _same_shape(p, y)
    return _mean(_sum(optax.squared_error(p, y)), weight)


def half_squared_error(p, y, weight=None):
    """1/2 (p - y)^2: its gradient is the plain error, which makes SGD the delta rule."""
    _same_shape(p, y)
    return _mean(_sum(optax.l2_loss(p, y)), weight)  # optax's l2_loss has the 1/2 in it


def huber(p, y, weight=None, *, delta):
    """Mean of r^2/2 where |r| <= delta, else delta (|r| - delta/2), at r = p - y."""
    _same_shape(p, y)
    return _mean(optax.huber_loss(p, y, delta=delta), weight)


def _same_shape(p, y):
    if p.shape != y.shape:  # JAX would broadcast (N, 1) and (N,) to (N, N)
        raise ValueError(f"prediction {p.shape} and target {y.shape} differ in shape")


def _mean(losses, weight):
    """Mean over everything; with weights each example's mean counts by its weight."""
    if weight is None:
        return losses.mean()
    return jnp.average(losses.reshape(len(losses), -1).mean(axis=1), weights=weight)


def _sum(losses):
    """The sum over the outputs of each example."""
    return losses.reshape(len(losses), -1).sum(axis=1)


# canonical name -> loss, those of a setting as loss(prediction, y, weight, setting=...)
LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "softmax_cross_entropy_one_hot": softmax_cross_entropy_one_hot,
    "kl_divergence": kl_divergence,
    "multiclass_hinge": multiclass_hinge,
    "binary_cross_entropy": binary_cross_entropy,
    "hinge": hinge,
    "mse": mse,
    "squared_error": squared_error,
    "half_squared_error": half_squared_error,
    "huber(delta)": huber,
}


@cache
def loss_function(name):
    """The loss of a name such as "mse" or "huber(1.5)"; anything else is a ValueError."""
    return choose(LOSSES, "loss", name)


def of_prediction(outputs, batch, recipe):
    """The loss of most networks: recipe["loss"] between the prediction and batch["y"].

    batch["weight"], if it is there, weighs the examples.
    """
    loss = loss_function(recipe["loss"])
    return loss(outputs["prediction"], batch["y"], batch.get("weight"))


def of_tokens(outputs, batch, recipe):
    """The same where the prediction (B, T, V) names a token at every position: y is (B, T).

    The mean is over all tokens, or with batch["y_mask"] (B, T) of ones and zeros over the
    real ones: for the loss a token is an example, and what stands in the padding counts 0.
    """
    prediction, y, mask = outputs["prediction"], batch["y"], batch.get("y_mask")
    loss = loss_function(recipe["loss"])
    flat = prediction.reshape(y.size, -1)                 # (N, V)  N tokens
    return loss(flat, y.ravel(), None if mask is None else mask.ravel())
