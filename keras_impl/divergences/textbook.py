"""Textbooks against frameworks."""

import math

from keras import initializers, layers, losses, ops

from keras_impl.divergences.activations import derivative, pair, same
from keras_impl.divergences.losses import cross_entropy


def prelu(z, a):
    layer = layers.PReLU(alpha_initializer=initializers.Constant(float(a)))
    return layer(z[None])[0]


def form(u, X, v):
    return ops.dot(ops.dot(u, X), v)


def stepped(p, y, lr):
    return p - lr * derivative(lambda p: losses.MeanSquaredError()(y, p), p)


def dense(x, W):
    layer = layers.Dense(W.shape[1], use_bias=False)
    layer.build(x.shape)
    layer.set_weights([W])
    return layer(x)


ROWS = {
    "T01": same("0", lambda z: derivative(ops.relu, z)),
    "T02": pair(
        "0: relu(z) - a relu(-z)",
        naive=lambda z, a: derivative(lambda z: prelu(z, a), z),
        aligned=lambda z, a: derivative(lambda z: ops.where(z > 0, z, a * z), z),
    ),
    "T03": same("(n, k)", lambda u, X, v: derivative(lambda X: form(u, X, v), X)),
    "T04": pair(
        "mean over all elements",
        naive=stepped,
        aligned=lambda p, y, lr: stepped(p, y, lr * math.prod(p.shape) / 2),
    ),
    "T05": pair(
        "h = 1",
        naive=lambda a, h: ops.sigmoid(a),
        aligned=lambda a, h: ops.sigmoid(h * a),
    ),
    "T06": pair(
        "sign(0) = 0",
        naive=lambda a, threshold: ops.sign(a - threshold),
        aligned=lambda a, threshold: ops.where(a >= threshold, 1.0, -1.0),
    ),
    "T07": same(
        "one step from logits, if from_logits=True",
        lambda logits, y: cross_entropy(logits, y),
    ),
    "T08": pair("x W", naive=dense, aligned=lambda x, W: dense(x, ops.transpose(W))),
}
