"""Convolution and pooling of pictures (B, H, W, C): Keras' own layers, every option said."""

from keras import layers

from keras_impl.weights import GIVEN


def conv(*, channels, kernel, stride, padding, bias, name):
    return layers.Conv2D(
        channels,
        tuple(kernel),
        strides=stride,
        padding=padding,
        data_format="channels_last",
        dilation_rate=1,
        groups=1,
        activation=None,
        use_bias=bias,
        **GIVEN,
        name=name,
    )


def max_pool(*, size, stride, padding, name):
    return layers.MaxPooling2D(
        tuple(size), strides=stride, padding=padding, data_format="channels_last", name=name
    )


def avg_pool(*, size, stride, padding, name):
    """The mean of what is there: Keras does not count padding."""
    return layers.AveragePooling2D(
        tuple(size), strides=stride, padding=padding, data_format="channels_last", name=name
    )
