"""Optimizers in PyTorch's convention, exact in float64.

Keras' own convert their settings with ``ops.cast``, which takes a Python float through
float32: 0.9 becomes 0.8999999761581421. A Python float that meets a tensor in an
operator becomes exactly what the tensor is made of. Keras' momentum keeps the learning
rate inside the buffer, its Adam has eps before the bias correction, its Adagrad and
RMSprop have it inside the root; here, as in PyTorch, none does.
"""

import keras
import numpy as np
from keras import ops

from keras_impl.engine import dense

LIMITS = {"value": "clipvalue", "norm": "global_clipnorm"}


class Optimizer(keras.optimizers.Optimizer):
    """An update rule, and around it what all of them share.

    A subclass names its ``SLOTS`` and has ``descend(p, g, lr, *slots)``, which writes the
    next values into the parameter p and its slots.

    Parameters
    ----------
    learning_rate : float
    weight_decay : float
        Coupled: g + weight_decay p takes the place of g.
    clip : mapping, optional
        {"value": c} for each element or {"norm": c} for all gradients together.
    """

    SLOTS = ()
    start = 0.0  # what the slots hold before the first step

    def __init__(self, learning_rate, *, weight_decay=0.0, clip=None):
        clip = clip or {}
        if len(clip) > 1 or clip.keys() - LIMITS:
            raise ValueError(f"clip {clip}, expected one of {', '.join(LIMITS)}: a number")
        limits = {LIMITS[kind]: limit for kind, limit in clip.items()}
        super().__init__(learning_rate=learning_rate, **limits)
        self.coupled_decay = weight_decay

    def build(self, variables):
        if not self.built:
            super().build(variables)
            for name in self.SLOTS:
                setattr(self, name, self.add_optimizer_variables(variables, name))
            self.reset()

    def slots(self):
        """Pairs of a slot's name and its variables, one for each parameter."""
        return [(name, getattr(self, name)) for name in self.SLOTS]

    def reset(self):
        """Return to the state before the first step."""
        self.iterations.assign(0)
        for _, values in self.slots():
            for value in values:
                value.assign(np.full(value.shape, self.start))

    def apply(self, grads, trainable_variables=None):
        if not grads:  # no weights at all: Keras would not even count the step
            self.iterations.assign_add(1)
            return
        # Whole matrices before Keras clips them: of an embedding's gradient it would
        # take the norm row by row, a repeated row several times.
        if trainable_variables is None:  # fit on JAX passes none: those of build
            trainable_variables = self._trainable_variables
        pairs = zip(grads, trainable_variables, strict=True)
        grads = [ops.zeros_like(v) if g is None else dense(g) for g, v in pairs]
        super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        slots = [values[index] for _, values in self.slots()]
        if self.coupled_decay:
            gradient = gradient + self.coupled_decay * variable
        lr = ops.convert_to_tensor(learning_rate)
        self.descend(variable, gradient, lr, *slots)


class SGD(Optimizer):
    """p <- p - lr g."""

    def descend(self, p, g, lr):
        self.assign_sub(p, lr * g)


class Momentum(Optimizer):
    """m <- mu m + g;  p <- p - lr m.  A new learning rate acts on the whole buffer."""

    SLOTS = ("m",)

    def __init__(self, learning_rate, *, mu, **shared):
        super().__init__(learning_rate, **shared)
        self.mu = mu

    def descend(self, p, g, lr, slot):
        m = self.mu * slot + g
        self.assign(slot, m)
        self.assign_sub(p, lr * m)


class Nesterov(Momentum):
    """m <- mu m + g;  p <- p - lr (g + mu m)."""

    def descend(self, p, g, lr, slot):
        m = self.mu * slot + g
        self.assign(slot, m)
        self.assign_sub(p, lr * (g + self.mu * m))


class Adagrad(Optimizer):
    """v <- v + g^2, from `start` on;  p <- p - lr g / (sqrt(v) + eps).

    Source: Duchi, Hazan & Singer (2011), JMLR 12, 2121-2159.
    """

    SLOTS = ("v",)

    def __init__(self, learning_rate, *, eps, start, **shared):
        super().__init__(learning_rate, **shared)
        self.eps, self.start = eps, start

    def descend(self, p, g, lr, v):
        self.assign_add(v, g * g)
        self.assign_sub(p, lr * g / (ops.sqrt(v) + self.eps))


class Adadelta(Optimizer):
    """v <- rho v + (1 - rho) g^2;  d = sqrt(u + eps) / sqrt(v + eps) g.

    u <- rho u + (1 - rho) d^2;  p <- p - lr d.  Source: Zeiler (2012), arXiv:1212.5701.
    """

    SLOTS = ("v", "u")

    def __init__(self, learning_rate, *, rho, eps, **shared):
        super().__init__(learning_rate, **shared)
        self.rho, self.eps = rho, eps

    def descend(self, p, g, lr, v, u):
        self.assign(v, self.rho * v + (1 - self.rho) * (g * g))
        d = ops.sqrt(u + self.eps) / ops.sqrt(v + self.eps) * g
        self.assign(u, self.rho * u + (1 - self.rho) * (d * d))
        self.assign_sub(p, lr * d)


class RMSprop(Optimizer):
    """v <- rho v + (1 - rho) g^2;  p <- p - lr g / (sqrt(v) + eps).

    Source: Tieleman & Hinton (2012), Coursera lecture 6.5; ``torch.optim.RMSprop``.
    """

    SLOTS = ("v",)

    def __init__(self, learning_rate, *, rho, eps, **shared):
        super().__init__(learning_rate, **shared)
        self.rho, self.eps = rho, eps

    def descend(self, p, g, lr, v):
        self.assign(v, self.rho * v + (1 - self.rho) * (g * g))
        self.assign_sub(p, lr * g / (ops.sqrt(v) + self.eps))


class TorchAdam(Optimizer):
    """Adam with eps after the bias correction.

    m <- m + (1 - beta1) (g - m)
    v <- v + (1 - beta2) (g^2 - v)
    p <- p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)

    Source: Kingma & Ba (2015), ICLR, Algorithm 1; ``torch.optim.Adam``.
    """

    SLOTS = ("m", "v")

    def __init__(self, learning_rate, *, beta1, beta2, eps, **shared):
        super().__init__(learning_rate, **shared)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def apply(self, grads, trainable_variables=None):
        # 1 - beta^t once for all variables, and in float64: for beta near 1 the
        # subtraction would leave four digits of a float32.
        t = ops.cast(self.iterations + 1, "float64")
        self.correction1 = 1.0 - ops.power(ops.convert_to_tensor(self.beta1, "float64"), t)
        self.correction2 = 1.0 - ops.power(ops.convert_to_tensor(self.beta2, "float64"), t)
        super().apply(grads, trainable_variables)

    def descend(self, p, g, lr, m, v):
        self.assign_add(m, (1 - self.beta1) * (g - m))
        self.assign_add(v, (1 - self.beta2) * (g * g - v))
        step_size = lr / ops.cast(self.correction1, lr.dtype)
        root = ops.sqrt(v) / ops.cast(ops.sqrt(self.correction2), lr.dtype)
        self.assign_sub(p, step_size * m / (root + self.eps))


class TorchAdamW(TorchAdam):
    """p <- (1 - lr weight_decay) p, then Adam: Loshchilov & Hutter (2019), ICLR."""

    def __init__(self, learning_rate, *, weight_decay, **settings):
        super().__init__(learning_rate, **settings)
        self.decoupled_decay = weight_decay

    def descend(self, p, g, lr, m, v):
        self.assign(p, (1.0 - self.decoupled_decay * lr) * p)
        super().descend(p, g, lr, m, v)


class LearningRates(keras.callbacks.Callback):
    """Gives every training step its own learning rate; assigns it where it changes."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0 or self.values[batch] != self.values[batch - 1]:
            # On JAX, fit has carried the variables' values away; asking the callback for
            # its model makes Keras put them back.
            for player in self.model.players:
                player.optimizer.learning_rate = float(self.values[batch])


OPTIMIZERS = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RMSprop,
    "adam": TorchAdam,
    "adamw": TorchAdamW,
}


def build(variables, settings, clip=None):
    """Return the optimizer that ``settings`` names, its state at the start.

    ``settings`` is {"name": "adam", "beta1": 0.9, ...}. The learning rate arrives with
    each step.
    """
    settings = dict(settings)
    optimizer = OPTIMIZERS[settings.pop("name")](0.0, clip=clip, **settings)
    optimizer.build(variables)
    return optimizer
