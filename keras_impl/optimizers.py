"""Optimizers in PyTorch's convention, exact in float64.

Keras' own SGD and Adam convert their settings with ``ops.cast``, which takes a Python
float through float32: 0.9 becomes 0.8999999761581421. ``ops.convert_to_tensor`` with a
dtype does not. Their momentum keeps the learning rate inside the buffer and their eps
stands before the bias correction; here, as in PyTorch, neither does.
"""

import keras
from keras import ops

from keras_impl.engine import dense


class SGD(keras.optimizers.Optimizer):
    """p <- p - lr g."""

    SLOTS = ()

    def update_step(self, gradient, variable, learning_rate):
        lr = ops.convert_to_tensor(learning_rate)
        self.assign_sub(variable, lr * dense(gradient))


class Momentum(keras.optimizers.Optimizer):
    """m <- mu m + g;  p <- p - lr m.  A new learning rate acts on the whole buffer."""

    SLOTS = ("m",)

    def __init__(self, learning_rate, *, mu):
        super().__init__(learning_rate=learning_rate)
        self.mu = mu

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.m = self.add_optimizer_variables(variables, "m")

    def update_step(self, gradient, variable, learning_rate):
        slot = self.m[self._get_variable_index(variable)]
        lr = ops.convert_to_tensor(learning_rate)
        mu = ops.convert_to_tensor(self.mu, variable.dtype)
        m = mu * slot + dense(gradient)
        self.assign(slot, m)
        self.assign_sub(variable, lr * m)


class TorchAdam(keras.optimizers.Optimizer):
    """Adam with eps after the bias correction.

    m <- beta1 m + (1 - beta1) g
    v <- beta2 v + (1 - beta2) g^2
    p <- p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)

    Source: Kingma & Ba (2015), ICLR, Algorithm 1; ``torch.optim.Adam``.
    """

    SLOTS = ("m", "v")

    def __init__(self, learning_rate, *, beta1, beta2, eps):
        super().__init__(learning_rate=learning_rate)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.m, self.v = self.add_optimizer_variables(variables, ["m", "v"])

    def bias_correction(self, beta, dtype):
        """1 - beta^t in float64: for beta near 1, float32 would leave four digits."""
        t = ops.cast(self.iterations + 1, "float64")
        power = ops.power(ops.convert_to_tensor(beta, "float64"), t)
        return ops.cast(1.0 - power, dtype)

    def update_step(self, gradient, variable, learning_rate):
        def number(value):
            return ops.convert_to_tensor(value, variable.dtype)

        index = self._get_variable_index(variable)
        g = dense(gradient)
        m = number(self.beta1) * self.m[index] + number(1 - self.beta1) * g
        v = number(self.beta2) * self.v[index] + number(1 - self.beta2) * g * g
        self.assign(self.m[index], m)
        self.assign(self.v[index], v)
        step_size = number(learning_rate) / self.bias_correction(self.beta1, m.dtype)
        root = ops.sqrt(self.bias_correction(self.beta2, v.dtype))
        denominator = ops.sqrt(v) / root + number(self.eps)
        self.assign_sub(variable, step_size * m / denominator)


OPTIMIZERS = {"sgd": SGD, "momentum": Momentum, "adam": TorchAdam}
