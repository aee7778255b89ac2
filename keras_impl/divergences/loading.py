"""A layer with given weights."""


def loaded(layer, x, *weights):
    """Build the layer for inputs like x, and return it with these weights."""
    layer.build(x.shape)
    layer.set_weights(weights)
    return layer
