"""Layers by name: what recipe["layers"] of `sequential` is built of."""

from keras import layers, ops

from keras_impl.activations import activation
from keras_impl.convolution import avg_pool, conv, max_pool
from keras_impl.regularizers import BatchNorm, Flip, Shift, layer_norm
from keras_impl.weights import GIVEN


class PReLU(layers.Layer):
    """z where z > 0, else a z; one trained slope a.

    layers.PReLU is relu(z) - a relu(-z), whose derivative at 0 is 0; here it is a.
    """

    def build(self, shape):
        self.a = self.add_weight(shape=(1,), initializer="zeros", name="a")

    def call(self, z):
        return ops.where(z > 0, z, self.a * z)


class Logistic(layers.Layer):
    """sigmoid(a z), the slope a trained."""

    def build(self, shape):
        self.a = self.add_weight(shape=(1,), initializer="zeros", name="a")

    def call(self, z):
        return ops.sigmoid(self.a * z)


def dense(*, units, bias, name):
    return layers.Dense(units, activation=None, use_bias=bias, **GIVEN, name=name)


# canonical name -> function of the layer's settings and its name in the model
LAYERS = {
    "dense": dense,
    "conv": conv,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "prelu": PReLU,
    "logistic": Logistic,
    "flatten": layers.Flatten,
    "batch_norm": BatchNorm,
    "layer_norm": layer_norm,
    "dropout": layers.Multiply,  # times a mask that is already scaled
    "shift": Shift,
    "flip": Flip,
}


def layer(below, number, *, name, **settings):
    """Build one layer on a shape; a name that is not in LAYERS is an activation's."""
    if name == "dense" and len(below) != 1:  # Dense would keep all axes but the last
        raise ValueError(f"dense: expected (D,), got {tuple(below)} -> put flatten below")
    if name in LAYERS:
        return LAYERS[name](**settings, name=f"{name}_{number}")
    kind, _, _ = name.partition("(")  # no parentheses in the names of Keras' layers
    return layers.Activation(activation(name), name=f"{kind}_{number}", **settings)
