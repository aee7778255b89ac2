"""Losses and metrics."""

import math

import keras
from keras import losses, ops

from keras_impl.divergences.activations import derivative, pair, same


def cross_entropy(logits, y, **settings):
    return losses.SparseCategoricalCrossentropy(from_logits=True, **settings)(y, logits)


def cross_entropy_of_probabilities(logits, y):
    e = ops.exp(logits)  # not ops.softmax: Keras would remember the logits, and use them
    p = e / ops.sum(e, axis=1, keepdims=True)
    return losses.SparseCategoricalCrossentropy()(y, p)


def weighted(logits, y, w, **settings):
    """Cross-entropy where an example weighs as much as its class."""
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, **settings)
    return loss(y, logits, sample_weight=ops.take(w, y))


def smoothed(logits, y, w=None, **settings):
    """Cross-entropy with label smoothing 0.1; with w, an example weighs as its class."""
    loss = losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, **settings)
    one_hot = ops.one_hot(y, logits.shape[1])
    return loss(one_hot, logits, sample_weight=None if w is None else ops.take(w, y))


def categorical_hinge(s, y):
    return losses.CategoricalHinge()(ops.one_hot(y, s.shape[1]), s)


def crammer_singer(s, y):
    """1 + the largest other score - the true score."""
    true = ops.one_hot(y, s.shape[1]) > 0
    largest_other = ops.max(ops.where(true, -math.inf, s), axis=1)
    true_score = ops.sum(ops.where(true, s, 0.0), axis=1)
    return ops.mean(ops.relu(1 + largest_other - true_score))


def pull(w, l2):
    """Where w is after a step with rate 1 and no gradient but that of the penalty."""
    return w - derivative(keras.regularizers.L2(l2), w)


def epoch(x, y, w, *, lr, **settings):
    """A linear unit after an epoch of fit, and the loss that fit reports."""
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([w])
    model.compile(keras.optimizers.SGD(lr), loss="mean_squared_error", run_eagerly=True)
    history = model.fit(x, y, batch_size=4, verbose=0, **settings)
    return model, history.history["loss"][0]


def reported_at_rest(x, y, w):
    _, loss = epoch(x, y, w, lr=0.0, shuffle=False)
    return loss


def reported(x, y, w):
    _, loss = epoch(x, y, w, lr=0.1, shuffle=False)
    return loss


def evaluated(x, y, w):
    model, _ = epoch(x, y, w, lr=0.1, shuffle=False)
    return model.evaluate(x, y, batch_size=4, verbose=0)


def weights_after_epoch(x, y, w, **settings):
    model, _ = epoch(x, y, w, lr=0.1, **settings)
    return model.get_weights()[0]


def area_under_curve(s, y):
    metric = keras.metrics.AUC()
    metric.update_state(y, ops.sigmoid(s))
    return metric.result()


def rank_statistic(s, y):
    """How often an example of class 1 scores higher than one of class 0."""
    higher = ops.expand_dims(s, 1) > ops.expand_dims(s, 0)
    mixed = ops.outer(y, 1 - y)
    return ops.sum(ops.where(higher, mixed, 0.0)) / ops.sum(mixed)


ROWS = {
    "S01a": pair(
        "class: mean over all; function: mean of each row",
        naive=lambda p, y: losses.MeanSquaredError()(y, p),
        aligned=lambda p, y: ops.mean(losses.mean_squared_error(y, p)),
    ),
    "S02a": pair(
        "probabilities: from_logits=False",
        naive=lambda logits, y, w: losses.SparseCategoricalCrossentropy()(y, logits),
        aligned=lambda logits, y, w: cross_entropy(logits, y),
    ),
    "S02b": pair(
        "16.118 = -log 1e-7, gradient 0; 60 after its own softmax",
        naive=lambda logits, y: {
            "loss": cross_entropy_of_probabilities(logits, y),
            "gradient": derivative(
                lambda logits: cross_entropy_of_probabilities(logits, y), logits
            ),
        },
        aligned=lambda logits, y: {
            "loss": cross_entropy(logits, y),
            "gradient": derivative(lambda logits: cross_entropy(logits, y), logits),
        },
    ),
    "S03": pair(
        "16.118 = -log 1e-7; gradient 0",
        naive=lambda p, logits, y: losses.BinaryCrossentropy()(y, p),
        aligned=lambda p, logits, y: losses.BinaryCrossentropy(from_logits=True)(
            ops.repeat(y, 2), logits
        ),
    ),
    "S04": same("y (1 - a) + a / K", lambda logits, y, w: smoothed(logits, y)),
    "S04b": pair(
        "weights by the true class, over the examples",
        naive=lambda logits, y, w: smoothed(logits, y, w),
        aligned=lambda logits, y, w: smoothed(
            logits, y, w, reduction="mean_with_sample_weight"
        ),
    ),
    "S11": pair(
        "divides by the number of examples",
        naive=lambda logits, y, w: weighted(logits, y, w),
        aligned=lambda logits, y, w: weighted(
            logits, y, w, reduction="mean_with_sample_weight"
        ),
    ),
    "S12": same(
        "mean over the others",
        lambda logits, y, w: cross_entropy(logits, y, ignore_class=2),
    ),
    "S05a": pair(
        "makes -1 and 1 of 0 and 1",
        naive=lambda s, y: losses.Hinge()(y, s),
        aligned=lambda s, y: losses.Hinge()(2 * y - 1, s),
    ),
    "S05b": pair("Crammer-Singer", naive=categorical_hinge, aligned=crammer_singer),
    "S05c": pair(
        "the zero at the true class counts as a score",
        naive=categorical_hinge,
        aligned=crammer_singer,
    ),
    "S06": same(
        "mean over the examples; probabilities above 1e-7",
        lambda p, q: losses.KLDivergence()(p, q),
    ),
    "S07": same("Huber", lambda p, y: losses.Huber(delta=2.0)(y, p)),
    "S08": same("expects the rate; eps 1e-7", lambda rate, y: losses.Poisson()(y, rate)),
    "S09": pair(
        "-cos",
        naive=lambda p, y, ones: losses.CosineSimilarity()(y, p),
        aligned=lambda p, y, ones: 1 + losses.CosineSimilarity(axis=-1)(y, p),
    ),
    "S15": same("L2(l) is l w^2: its gradient is 2 l w", lambda w: pull(w, l2=1 / 128)),
    "O15a": same("mean over the examples", reported_at_rest),
    "O15b": pair(
        "running, while the weights still move",
        naive=reported,
        aligned=evaluated,
    ),
    "N20": pair("200 thresholds", naive=area_under_curve, aligned=rank_statistic),
    "N15": pair(
        "fit shuffles",
        naive=lambda x, y, w: weights_after_epoch(x, y, w),
        aligned=lambda x, y, w: weights_after_epoch(x, y, w, shuffle=False),
    ),
}
