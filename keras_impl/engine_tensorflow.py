"""Gradients by a tape, and loops compiled as graphs: Keras on TensorFlow.

What the names take and return stands in `engine.py`.
"""

from contextlib import contextmanager

import keras
import tensorflow as tf

FIT = {"idiomatic": False, "jit": True}  # variant -> jit_compile: a graph, or XLA


def dense(gradient):
    """An embedding's gradient arrives as a few rows; return the whole matrix."""
    return tf.convert_to_tensor(gradient)


def value_and_grad(model, players, batch, inputs=()):
    """One training-mode forward; what each player loses, and its gradients."""
    x, _ = model.split(batch)
    watched = {name: batch[name] for name in inputs}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(watched)
        outputs = model(x, training=True)
        losses = {player.name: player.loss(outputs, batch) for player in players}
    grads = {}
    for player in players:
        sources = ([variable.value for variable in player.variables], watched)
        found, dinputs = tape.gradient(
            losses[player.name], sources, unconnected_gradients="zero"
        )
        grads[player.name] = [dense(gradient) for gradient in found]
    return losses, grads, dinputs


def jacobians(function, variables):
    """Results of a function, and each of them differentiated by each variable."""
    variables = [tf.convert_to_tensor(variable) for variable in variables]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(variables)
        results = function(*variables)
    return results, [tape.jacobian(result, variables) for result in results]


def play(model, players, batch):
    """Each player in turn: a forward at the present weights, gradients, one update."""
    losses = {}
    for player in players:
        loss, grads, _ = value_and_grad(model, [player], batch)
        player.optimizer.apply(grads[player.name], player.variables)
        losses |= loss
    return losses


def train_step(game, data):
    """What fit does with a batch of several players."""
    game.traces += 1
    x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    return play(game, game.players, {**x, **(y or {})})


@contextmanager
def _state_restored(model):
    saved = [tf.identity(variable.value) for variable in model.non_trainable_weights]
    yield
    for variable, value in zip(model.non_trainable_weights, saved, strict=True):
        variable.assign(value)


class Engine:
    """The compiled functions of one model: each traced once, for any batch size."""

    def __init__(self, model, players, batch_size):
        self.model, self.players, self.batch_size = model, players, batch_size
        self._functions = {}

    def forward(self, batch, *, train):
        """All outputs; the state is as before."""

        def forward(batch):
            with _state_restored(self.model):
                return self.model(batch, training=train)

        key = ("forward", train, *sorted(batch))
        return self._compiled(key, forward, _any_rows(batch))(batch)

    def generate(self, batch, write):
        """What ``write(model, batch)`` makes of it, compiled: its loop becomes one graph."""

        def generate(batch):
            return write(self.model, batch)

        key = ("generate", *sorted(batch))
        return self._compiled(key, generate, _any_rows(batch))(batch)

    def losses_and_grads(self, batch, players, inputs, *, traced):
        """As value_and_grad, op by op or as one graph; the state is as before."""

        def gradients(batch):
            with _state_restored(self.model):
                return value_and_grad(self.model, players, batch, inputs)

        if not traced:
            return gradients(batch)
        key = ("gradients", *(player.name for player in players), *inputs, *sorted(batch))
        return self._compiled(key, gradients, _any_rows(batch))(batch)

    def update(self, player, variables, grads, lr):
        """One update of some of a player's variables."""

        def update(grads, lr):
            player.optimizer.learning_rate = lr
            player.optimizer.apply(grads, variables)

        key = ("update", player.name, *_paths(variables))
        self._compiled(key, update, grads, lr)(grads, lr)

    def step(self, batch, lr):
        """Every player moves once; returns the losses."""
        key = ("step", *sorted(batch))
        return self._compiled(key, self._step, _any_rows(batch), lr)(batch, lr)

    def epoch(self, data, order, noise, lr):
        """Every step of an epoch in one graph."""
        names = tuple(sorted(data)), tuple(sorted(noise))
        key = ("epoch", *names, len(order), *map(len, data.values()))
        arguments = data, order, noise, lr
        return self._compiled(key, self._epoch, *arguments)(*arguments)

    @property
    def traces(self):
        """How many functions were compiled so far, those of fit among them."""
        return len(self._functions) + self.model.traces

    def _compiled(self, key, function, *specs):
        # Traced by hand: tf.function itself would trace again for every batch size.
        if key not in self._functions:
            compiled = tf.function(function, autograph=False, jit_compile=False)
            self._functions[key] = compiled.get_concrete_function(*specs)
        return self._functions[key]

    def _step(self, batch, lr):
        for player in self.players:
            player.optimizer.learning_rate = lr
        return play(self.model, self.players, batch)

    def _epoch(self, data, order, noise, lr):
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


def _paths(variables):
    return [variable.path for variable in variables]


def _any_rows(batch):
    return {
        name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
        for name, value in batch.items()
    }
