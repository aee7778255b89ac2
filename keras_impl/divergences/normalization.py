"""Normalization, dropout and modes."""

from keras import layers, ops

from keras_impl.divergences.pair import Pair

# -- L08a-L08c batch norm ----------------------------------------------------------------


def batch_norm_naive(given):
    norm = layers.BatchNormalization(center=False, scale=False)
    return norm(given["x"], training=True)


def batch_norm_aligned(given):
    norm = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, center=False, scale=False)
    return norm(given["x"], training=True)


def running_variance_naive(given):
    norm = layers.BatchNormalization()
    norm(given["x"], training=True)
    return norm.moving_variance


def running_variance_aligned(given):
    norm = layers.BatchNormalization(epsilon=1e-5, momentum=0.9)
    norm(given["x"], training=True)
    return norm.moving_variance


# -- L09-L09d layer, group and RMS norm --------------------------------------------------


def layer_norm_naive(given):
    return layers.LayerNormalization(dtype=given["x"].dtype.name)(given["x"])


def layer_norm_aligned(given):
    norm = layers.LayerNormalization(epsilon=1e-5, dtype=given["x"].dtype.name)
    return norm(given["x"])


def group_norm_naive(given):
    return layers.GroupNormalization(2)(given["x"])


def group_norm_aligned(given):
    return layers.GroupNormalization(2, epsilon=1e-5)(given["x"])


def rms_norm_naive(given):
    return layers.RMSNormalization()(given["x"])


def rms_norm_aligned(given):
    return layers.RMSNormalization(epsilon=1e-6)(given["x"])


# -- L15a-L15c modes ---------------------------------------------------------------------


def dropout_naive(given):
    return layers.Dropout(0.5, seed=0)(given["x"], training=True)


def dropout_aligned(given):
    x, mask = given.values()
    return layers.Multiply()([x, mask])


def dropout_without_a_mode(given):
    return layers.Dropout(0.5, seed=0)(given["x"])


def dropout_in_inference(given):
    return layers.Dropout(0.5, seed=0)(given["x"], training=False)


def frozen_batch_norm(given):
    norm = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, trainable=False)
    norm.build(given["x"].shape)
    norm.moving_mean.assign(given["mean"])
    return norm(given["x"], training=True)


# -- L19 standard deviation --------------------------------------------------------------


def std(given):
    return ops.std(given["x"])


ROWS = {
    "L08a": Pair("eps=1e-3", batch_norm_naive, batch_norm_aligned),
    "L08b": Pair("0.99: weight of the old", running_variance_naive, running_variance_aligned),
    "L08c": Pair("biased, / n", running_variance_aligned, running_variance_aligned),
    "L09": Pair("eps=1e-3", layer_norm_naive, layer_norm_aligned),
    "L09b": Pair("mean of squared deviations", layer_norm_aligned, layer_norm_aligned),
    "L09c": Pair("eps=1e-3", group_norm_naive, group_norm_aligned),
    "L09d": Pair("eps=1e-6", rms_norm_naive, rms_norm_aligned),
    "L15a": Pair("its own generator", dropout_naive, dropout_aligned),
    "L15b": Pair("called alone: inference", dropout_without_a_mode, dropout_in_inference),
    "L15c": Pair("trainable=False: inference", frozen_batch_norm, frozen_batch_norm),
    "L19": Pair("ddof=0", std, std),
}
