"""The adapter of the Keras implementation: NumPy in, NumPy out, Keras in between."""

from functools import partial

import keras
import numpy as np
from keras import ops

from keras_impl import weights
from keras_impl.engine import Engine, Player
from keras_impl.losses import same_shape
from keras_impl.optimizers import OPTIMIZERS


class Adapter:
    """One network in Keras, with canonical arrays at every door.

    Parameters
    ----------
    network : module
        ``keras_impl.mlp`` or any module with the same names.
    sizes, recipe : mapping
        What the network's ``build_model`` and ``loss`` read; the recipe also holds
        ``"batch_size"`` and the optimizer of each player.
    dtype : {"float32", "float64"}
        Set for the whole process, as Keras knows only one.

    Raises
    ------
    ValueError
        If the network's WEIGHTS do not account for every variable of the model.
    """

    def __init__(self, network, sizes, recipe, *, dtype):
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        self.network, self.recipe, self.dtype = network, recipe, dtype
        self.model = network.build_model(sizes, recipe)
        variables = self.model.weights
        self.entries = weights.bind(network.WEIGHTS, [v.path for v in variables])
        self.parameters = [v for v in variables if v.trainable]
        self.state = [v for v in variables if not v.trainable]
        roles = getattr(network, "PLAYERS", {"loss": (("",), _loss(network), "optimizer")})
        self.players = [self._player(name, *role) for name, role in roles.items()]
        self._compile()
        self.engine = Engine(self.model, self.players, recipe["batch_size"])

    def _player(self, name, prefixes, loss, optimizer):
        mine = [
            variable
            for variable in self.parameters
            if self.entries[variable.path].canonical[0].startswith(tuple(prefixes))
        ]
        settings = dict(self.recipe[optimizer])
        moves = OPTIMIZERS[settings.pop("name")](learning_rate=0.0, **settings)
        moves.build(mine)
        return Player(name, partial(_of, loss, self.recipe), mine, moves)

    def _compile(self):
        alone = self.players[0].optimizer if len(self.players) == 1 else None
        self.model.players = self.players
        self.model.compile(optimizer=alone, jit_compile=False)
