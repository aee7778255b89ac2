"""The base classes of the networks: functional models that compute their own loss."""

from functools import partial

import keras
from keras import ops

from keras_impl import engine


class Network(keras.Model):
    """A functional model with dict inputs and dict outputs, ready for ``fit(x, y)``.

    Parameters
    ----------
    inputs, outputs : dict
        Name -> Keras tensor; an input tensor carries its key as its name.
    loss : callable
        ``loss(outputs, batch, recipe) -> scalar``, of the whole batch.
    recipe : mapping
    neutral : dict, optional
        Inputs that a batch may leave out: name -> the number that changes nothing, 1 in
        a mask, 0 in a shift. It takes their place.
    """

    def __init__(self, inputs, outputs, *, loss, recipe, name, neutral=None):
        super().__init__(inputs, outputs, name=name)
        self.batch_loss = partial(loss, recipe=recipe) if loss else None
        self.neutral = neutral or {}
        self.traces = 0  # of fit, where its steps are compiled

    def compile_for(self, players):
        """Compile for the one player there is: its loss is the model's own."""
        self.players = (player,) = players
        self.batch_loss = player.loss
        self.compile(optimizer=player.optimizer, jit_compile=engine.FIT["idiomatic"])

    def split(self, batch):
        """Take a batch apart: x, what the model reads; y, labels and all the rest.

        Keras warns about a key in x that is no input of the model, so it goes into y.
        """
        names = [tensor.name for tensor in self.inputs]
        if missing := [n for n in names if n not in batch and n not in self.neutral]:
            raise ValueError(f"{self.name} reads {names}; the batch lacks {missing}")
        x = {name: batch[name] for name in names if name in batch}
        for tensor in self.inputs:
            if tensor.name not in batch:
                x[tensor.name] = self._neutral(tensor, next(iter(x.values())))
        y = {name: value for name, value in batch.items() if name not in x}
        return x, y

    def _neutral(self, tensor, present):
        """An input that changes nothing, with as many rows as one that is present."""
        shape = (ops.shape(present)[0], *tensor.shape[1:])
        return ops.full(shape, self.neutral[tensor.name], dtype=tensor.dtype)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        self.traces += 1
        return self.batch_loss(y_pred, {**x, **(y or {})})


class Game(Network):
    """Several players, who move one after the other, each with its own optimizer."""

    def __init__(self, inputs, outputs, *, name):
        super().__init__(inputs, outputs, loss=None, recipe=None, name=name)

    def compile_for(self, players):
        self.players = players
        self.compile(optimizer=None, jit_compile=engine.FIT["idiomatic"])
        self.optimizer = Optimizers(players)

    def train_step(self, *given):
        """On TensorFlow and PyTorch a batch is given; on JAX a state, then a batch."""
        return engine.train_step(self, *given)


class Optimizers:
    """Those of all players, as the one of which fit on JAX wants the variables."""

    built = True

    def __init__(self, players):
        self.variables = [v for player in players for v in player.optimizer.variables]
