"""The rows of the divergence atlas that Keras on TensorFlow can run."""

import keras

from keras_impl.divergences import (
    activations,
    initialization,
    layout,
    losses,
    normalization,
    optimizers,
    precision,
    recurrent,
    textbook,
)

keras.config.set_floatx("float64")  # of the whole process: it is the atlas's own

ROWS = (
    layout.ROWS
    | normalization.ROWS
    | recurrent.ROWS
    | activations.ROWS
    | losses.ROWS
    | optimizers.ROWS
    | precision.ROWS
    | initialization.ROWS
    | textbook.ROWS
)
