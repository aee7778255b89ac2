"""Gradients and compiled loops: the one file that knows the backend, TensorFlow."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import keras
import tensorflow as tf

if keras.config.backend() != "tensorflow":
    raise ImportError(
        f"keras_impl runs on TensorFlow, not on {keras.config.backend()!r} -> set "
        "KERAS_BACKEND=tensorflow before Python starts"
    )


@dataclass(frozen=True)
class Player:
    """A loss, the variables it may move, and the optimizer that moves them."""

    name: str
    loss: Callable  # loss(outputs, batch) -> scalar
    variables: Sequence[keras.Variable]
    optimizer: keras.optimizers.Optimizer | None


def dense(gradient):
    """An embedding's gradient arrives as a few rows; return the whole matrix."""
    return tf.convert_to_tensor(gradient)


def value_and_grad(model, players, batch, inputs=()):
    """One training-mode forward; what each player loses, and its gradients.

    Returns
    -------
    losses : dict
        player name -> scalar.
    grads : dict
        player name -> list: one tensor per variable of the player, then one per name
        in `inputs`; zeros where the loss does not depend on it.
    """
    x, _ = model.split(batch)
    watched = [batch[name] for name in inputs]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(watched)
        outputs = model(x, training=True)
        losses = {player.name: player.loss(outputs, batch) for player in players}
    grads = {}
    for player in players:
        sources = [variable.value for variable in player.variables] + watched
        found = tape.gradient(losses[player.name], sources, unconnected_gradients="zero")
        grads[player.name] = [dense(gradient) for gradient in found]
    return losses, grads


def play(model, players, batch):
    """Each player in turn: a forward at the present weights, gradients, one update."""
    losses = {}
    for player in players:
        loss, grads = value_and_grad(model, [player], batch)
        player.optimizer.apply(grads[player.name], player.variables)
        losses |= loss
    return losses


@contextmanager
def _state_restored(model):
    saved = [tf.identity(variable.value) for variable in model.non_trainable_weights]
    yield
    for variable, value in zip(model.non_trainable_weights, saved, strict=True):
        variable.assign(value)


class Engine:
    """The compiled functions of one model, traced once each, for any batch size."""

    def __init__(self, model, players, batch_size):
        self.model, self.players, self.batch_size = model, players, batch_size
        self._traced = {}
        self.epoch = tf.function(self._epoch, autograph=False, jit_compile=False)

    def forward(self, batch, *, train):
        """All outputs; the state is as before."""
        function = partial(self._forward, train=train)
        return self._run(("forward", train), function, batch)

    def losses_and_grads(self, batch, players, inputs):
        """As value_and_grad; the state is as before."""
        function = partial(self._losses_and_grads, players=players, inputs=inputs)
        names = [player.name for player in players]
        return self._run(("losses_and_grads", *names), function, batch)

    def step(self, batch, lr):
        """Every player moves once; returns the losses."""
        return self._run(("step",), self._step, batch, lr)

    def _run(self, key, function, batch, *scalars):
        key = (*key, *sorted(batch))
        if key not in self._traced:
            specs = {
                name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
                for name, value in batch.items()
            }
            signature = (specs, *(tf.TensorSpec((), s.dtype) for s in scalars))
            self._traced[key] = tf.function(
                function, input_signature=signature, autograph=False, jit_compile=False
            )
        return self._traced[key](batch, *scalars)

    def _forward(self, batch, *, train):
        with _state_restored(self.model):
            return self.model(batch, training=train)

    def _losses_and_grads(self, batch, *, players, inputs):
        with _state_restored(self.model):
            return value_and_grad(self.model, players, batch, inputs)

    def _step(self, batch, lr):
        for player in self.players:
            player.optimizer.learning_rate = lr
        return play(self.model, self.players, batch)

    def _epoch(self, data, order, noise, lr):
        """All steps of an epoch in one graph; returns player name -> loss per step.

        data: name -> (N, ...); order: (N,) rows of data; noise: name -> (N, ...),
        aligned with order; lr: one value per step.
        """
        examples, size, steps = order.shape[0], self.batch_size, lr.shape[0]

        def train(step, positions, losses):
            rows = tf.gather(order, positions)
            batch = {name: tf.gather(values, rows) for name, values in data.items()}
            for name, values in noise.items():
                batch[name] = tf.gather(values, positions)
            lost = self._step(batch, lr[step])
            return {name: losses[name].write(step, lost[name]) for name in losses}

        def body(step, losses):
            return step + 1, train(step, step * size + tf.range(size), losses)

        losses = {
            player.name: tf.TensorArray(lr.dtype, steps, element_shape=())
            for player in self.players
        }
        full = examples // size
        if full:
            _, losses = tf.while_loop(
                lambda step, _: step < full, body, (tf.constant(0), losses)
            )
        if full < steps:  # the smaller last batch, outside: shapes in a loop are fixed
            losses = train(full, tf.range(full * size, examples), losses)
        return {name: array.stack() for name, array in losses.items()}
