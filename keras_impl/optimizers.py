"""Optimizers in PyTorch's convention, exact in float64.

Keras' own SGD and Adam convert their settings with ``ops.cast``, which takes a Python
float through float32: 0.9 becomes 0.8999999761581421. ``ops.convert_to_tensor`` with a
dtype does not. Their momentum keeps the learning rate inside the buffer and their eps
stands before the bias correction; here, as in PyTorch, neither does.
"""

import keras
from keras import ops

from keras_impl.engine import dense


class Optimizer(keras.optimizers.Optimizer):
    """A Keras optimizer that can tell its buffers."""

    SLOTS = ()

    def slots(self):
        """Pairs of a buffer's name and its variables, one for each parameter."""
        return [(name, getattr(self, name)) for name in self.SLOTS]


class SGD(Optimizer):
    """p <- p - lr g."""

    def update_step(self, gradient, variable, learning_rate):
        lr = ops.convert_to_tensor(learning_rate)
        self.assign_sub(variable, lr * dense(gradient))


class Momentum(Optimizer):
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


class TorchAdam(Optimizer):
    """Adam with eps after the bias correction.

    m <- m + (1 - beta1) (g - m)
    v <- v + (1 - beta2) (g^2 - v)
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

    def apply(self, grads, trainable_variables=None):
        # 1 - beta^t once for all variables, and in float64: for beta near 1 the
        # subtraction would leave four digits of a float32.
        t = ops.cast(self.iterations + 1, "float64")
        self.correction1 = 1.0 - ops.power(ops.convert_to_tensor(self.beta1, "float64"), t)
        self.correction2 = 1.0 - ops.power(ops.convert_to_tensor(self.beta2, "float64"), t)
        super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        def scalar(value):
            return ops.convert_to_tensor(value, variable.dtype)

        index = self._get_variable_index(variable)
        m, v, g = self.m[index], self.v[index], dense(gradient)
        self.assign_add(m, scalar(1 - self.beta1) * (g - m))
        self.assign_add(v, scalar(1 - self.beta2) * (g * g - v))
        step_size = scalar(learning_rate) / scalar(self.correction1)
        denominator = ops.sqrt(v) / scalar(ops.sqrt(self.correction2)) + scalar(self.eps)
        self.assign_sub(variable, step_size * m / denominator)


class LearningRates(keras.callbacks.Callback):
    """Gives every training step its own learning rate; assigns it where it changes."""

    def __init__(self, optimizers, values):
        super().__init__()
        self.optimizers, self.values = optimizers, values

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0 or self.values[batch] != self.values[batch - 1]:
            for optimizer in self.optimizers:
                optimizer.learning_rate = float(self.values[batch])


OPTIMIZERS = {"sgd": SGD, "momentum": Momentum, "adam": TorchAdam}
