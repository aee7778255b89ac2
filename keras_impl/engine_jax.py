"""Gradients of pure functions, and loops compiled by XLA: Keras on JAX.

JAX differentiates and compiles functions of arrays; a Keras model keeps its numbers in
variables. Inside a ``StatelessScope`` a variable has the value that the scope maps it to,
and what is assigned to it lands in the scope. So a function that reads and assigns
variables becomes a pure one: values in, values out. What the names here take and return
stands in `engine.py`.
"""

import jax
import keras
from jax import lax
from jax import numpy as jnp

# JAX has float64 only where it is told to, in the whole process. A float32 network needs
# it, too: TorchAdam's 1 - beta^t, which would keep few digits of a float32.
jax.config.update("jax_enable_x64", True)

FIT = {"idiomatic": True}  # variant -> jit_compile: else each operation runs by itself


def dense(gradient):
    """JAX's gradient of an embedding is the whole matrix already."""
    return gradient


def jacobians(function, variables):
    """Results of a function, and each of them differentiated by each variable."""
    variables = [keras.ops.convert_to_tensor(variable) for variable in variables]
    everywhere = tuple(range(len(variables)))
    rows = jax.jacrev(function, argnums=everywhere)(*variables)
    return function(*variables), rows


def value_and_grad(model, players, batch, inputs=()):
    """A training-mode forward for each player: what it loses, and its gradients."""
    watched = {name: batch[name] for name in inputs}
    losses, grads = {}, {}
    for player in players:
        loss = jax.value_and_grad(_loss(model, player, batch), argnums=(0, 1), has_aux=True)
        (losses[player.name], moved), found = loss(_values(player.variables), watched)
        grads[player.name], dinputs = found
    # Each forward began at the same state, so the last one leaves behind what any would.
    _assign(model.non_trainable_weights, moved)
    return losses, grads, dinputs


def _loss(model, player, batch):
    """A player's loss as a function of what it is differentiated by, and the next state."""
    weights, values = model.weights, _values(model.weights)

    def loss(own, watched):
        known = [*_pairs(weights, values), *_pairs(player.variables, own)]  # the last counts
        with keras.StatelessScope(known) as scope:
            x, _ = model.split(batch | watched)
            lost = player.loss(model(x, training=True), batch | watched)
        return lost, [scope.get_current_value(v) for v in model.non_trainable_weights]

    return loss


def play(model, players, batch):
    """Each player in turn: a forward at the present weights, gradients, one update."""
    losses = {}
    for player in players:
        loss, grads, _ = value_and_grad(model, [player], batch)
        player.optimizer.apply(grads[player.name], player.variables)
        losses |= loss
    return losses


def train_step(game, state, data):
    """What fit does with a batch of several players; the state is all variables' values."""
    game.traces += 1
    x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    groups = (
        game.trainable_variables,
        game.non_trainable_variables,
        game.optimizer.variables,
        game.metrics_variables,
    )
    known = [pair for group in _pairs(groups, state) for pair in _pairs(*group)]
    with keras.StatelessScope(known) as scope:
        losses = play(game, game.players, {**x, **(y or {})})
    return losses, tuple([scope.get_current_value(v) for v in each] for each in groups)


class Engine:
    """The compiled functions of one model."""

    def __init__(self, model, players, batch_size):
        self.model, self.players, self.batch_size = model, players, batch_size
        self.variables = list(model.weights)
        for player in players:
            self.variables += player.optimizer.variables
        self._functions, self._traces = {}, 0

    def forward(self, batch, *, train):
        """All outputs; the state is as before."""

        def forward(batch):
            return self.model(batch, training=train)

        outputs, _ = self._called(("forward", train), forward, batch)
        return outputs

    def generate(self, batch, write):
        """What ``write(model, batch)`` makes of it, compiled: its loop is unrolled."""

        def generate(batch):
            return write(self.model, batch)

        tokens, _ = self._called("generate", generate, batch)
        return tokens

    def losses_and_grads(self, batch, players, inputs, *, traced):
        """As value_and_grad, compiled, `traced` or not; the state is as before."""

        def gradients(batch):
            return value_and_grad(self.model, players, batch, inputs)

        key = ("gradients", *(player.name for player in players), *inputs, *sorted(batch))
        found, _ = self._called(key, gradients, batch)
        return found

    def update(self, player, variables, grads, lr):
        """One update of some of a player's variables."""

        def update(grads, lr):
            player.optimizer.learning_rate = lr
            player.optimizer.apply(grads, variables)

        key = ("update", player.name, *(variable.path for variable in variables))
        _, values = self._called(key, update, grads, lr)
        _assign(self.variables, values)

    def step(self, batch, lr):
        """Every player moves once; returns the losses."""
        losses, values = self._called("step", self._step, batch, lr)
        _assign(self.variables, values)
        return losses

    def epoch(self, data, order, noise, lr):
        """Every step of an epoch in one compiled loop."""
        epoch = self._functions.setdefault("epoch", jax.jit(self._epoch))
        losses, values = epoch(_values(self.variables), data, order, noise, lr)
        _assign(self.variables, values)
        return losses

    @property
    def traces(self):
        """How often a function was traced, to be compiled, those of fit included."""
        return self._traces + self.model.traces

    def _called(self, key, function, *arguments):
        """Result and next values of all variables; compiled at the first call of a shape."""
        if key not in self._functions:
            self._functions[key] = jax.jit(self._pure(function))
        return self._functions[key](_values(self.variables), *arguments)

    def _pure(self, function):
        """The same with the variables' values as an argument, and the next ones returned."""

        def pure(values, *arguments):
            self._traces += 1  # JAX runs this Python only to trace it
            with keras.StatelessScope(_pairs(self.variables, values)) as scope:
                result = function(*arguments)
            return result, [scope.get_current_value(v) for v in self.variables]

        return pure

    def _step(self, batch, lr):
        for player in self.players:
            player.optimizer.learning_rate = lr
        return play(self.model, self.players, batch)

    def _epoch(self, values, data, order, noise, lr):
        size, steps = self.batch_size, len(lr)
        step, full = self._pure(self._step), len(order) // size

        def train(values, xs):
            rows, noise, lr = xs
            batch = {name: array[rows] for name, array in data.items()}
            losses, values = step(values, batch | noise, lr)
            return values, losses

        def cut(array):
            return array[: full * size].reshape(full, size, *array.shape[1:])

        batches = cut(order), {name: cut(array) for name, array in noise.items()}
        values, losses = lax.scan(train, values, (*batches, lr[:full]))
        if full < steps:  # the smaller last batch, outside: shapes in a scan are fixed
            rest = {name: array[full * size :] for name, array in noise.items()}
            values, last = train(values, (order[full * size :], rest, lr[full]))
            losses = {name: jnp.append(losses[name], last[name]) for name in losses}
        return losses, values


def _values(variables):
    return [variable.value for variable in variables]


def _assign(variables, values):
    for variable, value in _pairs(variables, values):
        variable.assign(value)


def _pairs(variables, values):
    return zip(variables, values, strict=True)
