"""What keeps a network from overfitting: noise, normalization, a penalty on weights.

Nothing here draws a random number, as Keras' own Dropout and RandomTranslation do:
masks, shifts and flips arrive with the batch.
"""

import keras
from keras import layers, ops


class Shift(layers.Layer):
    """Pictures moved by shift (B, 2): rows down, columns right; what enters is 0."""

    def call(self, inputs):
        hidden, shift = inputs
        hidden = moved(hidden, shift[:, 0], axis=1)
        return moved(hidden, shift[:, 1], axis=2)


def moved(hidden, places, axis):
    """Move one axis by so many places (B,), another number for each example."""
    size = hidden.shape[axis]
    source = ops.arange(size, dtype=places.dtype) - places[:, None]
    shape = [size if a == axis else 1 for a in range(1, len(hidden.shape))]
    source = ops.reshape(source, (-1, *shape))
    taken = ops.take_along_axis(hidden, ops.clip(source, 0, size - 1), axis=axis)
    inside = ops.logical_and(source >= 0, source < size)
    return ops.where(inside, taken, 0.0)


class Flip(layers.Layer):
    """Pictures mirrored left-right where flip (B,) is 1."""

    def call(self, inputs):
        hidden, flip = inputs
        which = ops.reshape(flip == 1, (-1, *(1,) * (len(hidden.shape) - 1)))
        return ops.where(which, ops.flip(hidden, axis=2), hidden)


class BatchNorm(layers.BatchNormalization):
    """Keras' layer over all axes but the last, the running variance unbiased on request.

    A batch is always normalized by its biased variance. That goes into Keras' running
    variance, too; ``unbiased`` makes it n / (n - 1) as large.
    """

    def __init__(self, *, eps, momentum, unbiased, name):
        super().__init__(
            axis=-1,
            momentum=1.0 - momentum,  # Keras' is the weight of the old value
            epsilon=eps,
            center=True,
            scale=True,
            synchronized=False,
            name=name,
        )
        self.unbiased = unbiased

    def call(self, inputs, training=None, mask=None):
        normal = super().call(inputs, training=training, mask=mask)
        if training and self.unbiased:
            axes = tuple(range(len(inputs.shape) - 1))
            _, variance = ops.moments(inputs, axes=axes)
            n = ops.cast(ops.size(inputs) // inputs.shape[-1], variance.dtype)
            missing = (1.0 - self.momentum) * variance / (n - 1.0)
            self.moving_variance.assign_add(missing)  # n / (n - 1) = 1 + 1 / (n - 1)
        return normal


def layer_norm(*, eps, name):
    """Each example by its own mean and biased variance, over the last axis."""
    return layers.LayerNormalization(
        axis=-1, epsilon=eps, center=True, scale=True, name=name
    )


# What the batch may bring for a layer: name -> function of the layer's number and of
# what it works on, returning the input, and the number that changes nothing.
NOISE = {
    "dropout": lambda l, h: (keras.Input(shape=h.shape[1:], name=f"mask_{l}"), 1),
    "shift": lambda l, h: (keras.Input(shape=(2,), dtype="int64", name="shift"), 0),
    "flip": lambda l, h: (keras.Input(shape=(), dtype="int64", name="flip"), 0),
}


def penalized(loss, matrices, *, l1=0.0, l2=0.0):
    """Return the loss plus l1 sum |W| + l2 sum W^2 over the matrices.

    keras.regularizers.L1L2 is the same, but takes its two numbers through float32.
    """

    def total(outputs, batch):
        value = loss(outputs, batch)
        for W in matrices:
            if l1:
                # |W|, with derivative 0 at 0: that of abs is 1 there on JAX
                value = value + l1 * ops.sum(W * ops.sign(W))
            if l2:
                value = value + l2 * ops.sum(ops.square(W))
        return value

    return total
