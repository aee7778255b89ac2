"""Gradients by autograd, and plain Python loops: Keras on PyTorch.

What the names take and return stands in `engine.py`.
"""

from contextlib import contextmanager

import keras
import torch

FIT = {"idiomatic": False}  # variant -> jit_compile, which would be torch.compile


def dense(gradient):
    """PyTorch's gradient of an embedding is the whole matrix already."""
    return gradient


def jacobians(function, variables):
    """Results of a function, and each of them differentiated by each variable."""
    variables = [keras.ops.convert_to_tensor(variable) for variable in variables]
    everywhere = tuple(range(len(variables)))
    rows = torch.func.jacrev(function, argnums=everywhere)(*variables)
    return function(*variables), rows


def value_and_grad(model, players, batch, inputs=()):
    """One training-mode forward; what each player loses, and its gradients."""
    watched = {name: batch[name].detach().requires_grad_() for name in inputs}
    batch = batch | watched
    x, _ = model.split(batch)
    outputs = model(x, training=True)
    losses, grads = {}, {}
    for player in players:
        loss = player.loss(outputs, batch)
        sources = [variable.value for variable in player.variables]
        found = torch.autograd.grad(
            loss,
            [*sources, *watched.values()],
            retain_graph=player is not players[-1],  # of the forward that they share
            allow_unused=True,
            materialize_grads=True,
        )
        losses[player.name] = loss.detach()
        grads[player.name] = list(found[: len(sources)])
        dinputs = dict(zip(watched, found[len(sources) :], strict=True))
    return losses, grads, dinputs


def play(model, players, batch):
    """Each player in turn: a forward at the present weights, gradients, one update."""
    losses = {}
    for player in players:
        loss, grads, _ = value_and_grad(model, [player], batch)
        with torch.no_grad():
            player.optimizer.apply(grads[player.name], player.variables)
        losses |= loss
    return losses


def train_step(game, data):
    """What fit does with a batch of several players."""
    x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    return play(game, game.players, {**x, **(y or {})})


@contextmanager
def _state_restored(model):
    # Copies: an assignment writes into the tensor that is there.
    saved = [variable.value.clone() for variable in model.non_trainable_weights]
    yield
    for variable, value in zip(model.non_trainable_weights, saved, strict=True):
        variable.assign(value)


class Engine:
    """One model at work: operation by operation, nothing is compiled."""

    traces = 0

    def __init__(self, model, players, batch_size):
        self.model, self.players, self.batch_size = model, players, batch_size

    def forward(self, batch, *, train):
        """All outputs; the state is as before."""
        with torch.no_grad(), _state_restored(self.model):
            return self.model(batch, training=train)

    def generate(self, batch, write):
        """What ``write(model, batch)`` makes of it."""
        with torch.no_grad():
            return write(self.model, batch)

    def losses_and_grads(self, batch, players, inputs, *, traced):
        """As value_and_grad, `traced` or not; the state is as before."""
        with _state_restored(self.model):
            return value_and_grad(self.model, players, batch, inputs)

    def update(self, player, variables, grads, lr):
        """One update of some of a player's variables."""
        with torch.no_grad():
            player.optimizer.learning_rate = lr
            player.optimizer.apply(grads, variables)

    def step(self, batch, lr):
        """Every player moves once; returns the losses."""
        for player in self.players:
            player.optimizer.learning_rate = lr
        return play(self.model, self.players, batch)

    def epoch(self, data, order, noise, lr):
        """Every step of an epoch, one after the other."""
        losses = {player.name: [] for player in self.players}
        for step, rate in enumerate(lr):
            here = slice(step * self.batch_size, (step + 1) * self.batch_size)
            batch = {name: values[order[here]] for name, values in data.items()}
            batch |= {name: values[here] for name, values in noise.items()}
            for name, loss in self.step(batch, rate).items():
                losses[name].append(loss)
        return {name: torch.stack(each) for name, each in losses.items()}
