"""The adapter of the Keras implementation: NumPy in, NumPy out, Keras in between."""

from functools import partial

import keras
import numpy as np
from keras import ops

from keras_impl.engine import FIT, Engine, Player
from keras_impl.losses import same_shape
from keras_impl.optimizers import LearningRates, build
from keras_impl.regularizers import penalized
from keras_impl.weights import WeightMap, checked


class Adapter:
    """One network in Keras, with canonical NumPy arrays at every door.

    Parameters
    ----------
    network : module
        ``keras_impl.mlp``, or any module with the same names in it.
    sizes, recipe : mapping
        What ``build_model`` and ``loss`` of the network read; the recipe also holds
        the optimizer of each player and ``"batch_size"``.
    dtype : {"float32", "float64"}
        Set for the whole process: Keras knows one at a time.

    Raises
    ------
    ValueError
        If WEIGHTS does not account for every variable of the model.
    """

    def __init__(self, network, sizes, recipe, *, dtype):
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        self.network, self.sizes = network, sizes
        self.recipe, self.dtype, self.inputs = recipe, dtype, network.INPUTS
        self.model = network.build_model(sizes, recipe)
        self.map = WeightMap(network.WEIGHTS, self.model.weights)
        self.parameters = self.model.trainable_weights
        self.state = self.model.non_trainable_weights
        self.players = self._players(network)
        self.model.compile_for(self.players)
        self.engine = Engine(self.model, self.players, recipe["batch_size"])

    def _players(self, network):
        roles = {"loss": (("",), getattr(network, "loss", None), "optimizer")}
        players = []
        for name, role in getattr(network, "PLAYERS", roles).items():
            prefixes, loss, optimizer = role
            mine = [
                variable
                for variable in self.parameters
                if self.map.names(variable)[0].startswith(prefixes)
            ]
            loss = partial(loss, recipe=self.recipe)
            if penalty := self.recipe.get("penalty"):
                matrices = [v for v in mine if self.map.names(v)[0].startswith("W")]
                loss = penalized(loss, matrices, **penalty)
            rule = build(mine, self.recipe[optimizer], self.recipe.get("clip"))
            players.append(Player(name, loss, mine, rule))
        return tuple(players)

    def load(self, params, state):
        """Take over canonical arrays; the optimizers start again.

        Raises
        ------
        ValueError
            For a missing or unknown name, a wrong shape, NaN or infinity; then nothing
            has been loaded.
        """
        expected = self.map.shapes(self.parameters)
        params = checked("params", params, expected, self.dtype, finite=True)
        expected = self.map.shapes(self.state)
        state = checked("state", state, expected, self.dtype, finite=True)
        for variable in self.model.weights:
            variable.assign(self.map.native(variable, params | state))
        for player in self.players:
            player.optimizer.reset()

    def export(self):
        """Fresh canonical copies: parameters, state."""
        for variable in self.state:
            if not self.map.names(variable) and np.any(ops.convert_to_numpy(variable)):
                raise ValueError(f"{variable.path} must stay zero and has moved")
        return self.map.read(self.parameters), self.map.read(self.state)

    def forward(self, batch, *, train):
        """``"prediction"`` and every named activation; changes nothing."""
        x, _ = self.model.split(batch)
        outputs = self.engine.forward(self.put(x), train=train)
        return {name: ops.convert_to_numpy(value) for name, value in outputs.items()}

    def generate(self, batch):
        """Token ids (N, T), of a network that generates; the batch has what is read."""
        write = partial(self.network.generate, sizes=self.sizes)
        return ops.convert_to_numpy(self.engine.generate(self.put(batch), write))

    def losses_and_grads(self, batch, *, player=None, upstream=None):
        """Losses and gradients of one training-mode forward; changes nothing.

        Parameters
        ----------
        batch : mapping
            Arrays with the same first axis.
        player : str, optional
            Only this player's loss and parameters.
        upstream : array of the prediction's shape, optional
            The loss becomes sum(prediction * upstream).

        Returns
        -------
        losses : dict of float
            One per player, or ``"loss"``.
        grads : dict of array
            One per parameter and, where there is only one loss, ``"d/<input>"``.
        """
        players = [one for one in self.players if player in (None, one.name)]
        if not players:
            raise ValueError(f"no player {player!r} in {[p.name for p in self.players]}")
        if upstream is not None:
            batch = {**batch, "upstream": upstream}
            variables = [variable for one in players for variable in one.variables]
            players = [Player("loss", _weighted_prediction, variables, None)]
        inputs = self.inputs if len(players) == 1 else ()
        inputs = [x for x in inputs if np.asarray(batch[x]).dtype.kind == "f"]  # no token ids
        # Op by op: for most networks tracing a graph costs more than a few calls save.
        traced = getattr(self.network, "TRACED", False)
        losses, grads, dinputs = self.engine.losses_and_grads(
            self.put(batch), players, inputs, traced=traced
        )
        arrays = {f"d/{name}": ops.convert_to_numpy(d) for name, d in dinputs.items()}
        for one in players:
            arrays |= self.map.read(one.variables, grads[one.name])
        return _floats(losses), arrays

    def update(self, grads, *, lr):
        """One optimizer update with given gradients.

        A parameter absent from `grads` keeps its value, its m and its v; time goes on.
        Of several players, those take part who own one of the gradients.

        Raises
        ------
        ValueError
            For an unknown name (``"d/..."`` apart) or a wrong shape.
        """
        grads = {name: g for name, g in grads.items() if not name.startswith("d/")}
        shapes = self.map.shapes(self.parameters)
        expected = {name: shapes[name] for name in grads if name in shapes}
        grads = checked("grads", grads, expected, self.dtype, finite=False)
        for player in self.players:
            mine = [v for v in player.variables if set(self.map.names(v)) & set(grads)]
            native = [self.map.native(variable, grads) for variable in mine]
            if mine:
                native = [ops.convert_to_tensor(gradient) for gradient in native]
                self.engine.update(player, mine, native, self._scalar(lr))
            elif len(self.players) == 1:
                player.optimizer.iterations.assign_add(1)

    @property
    def compilations(self):
        """How often the backend has traced and compiled something of this model."""
        return self.engine.traces

    def step(self, batch, *, lr):
        """One training step of every player in turn; returns the losses."""
        return _floats(self.engine.step(self.put(batch), self._scalar(lr)))

    def optimizer_state(self):
        """``"t"``, and ``"m/<name>"``, ``"v/<name>"``, ``"u/<name>"`` where there are any."""
        state = {}
        for player in self.players:
            clock = ops.convert_to_numpy(player.optimizer.iterations)
            state[self._clock(player)] = np.array(clock, "int64")
            for slot, values in player.optimizer.slots():
                arrays = self.map.read(player.variables, values)
                state |= {f"{slot}/{name}": array for name, array in arrays.items()}
        return state

    def load_optimizer_state(self, state):
        """The inverse of optimizer_state; ValueError for a name or shape amiss."""
        expected = {name: array.shape for name, array in self.optimizer_state().items()}
        state = checked("optimizer state", state, expected, "float64", finite=True)
        for player in self.players:
            player.optimizer.iterations.assign(int(state[self._clock(player)]))
            for slot, values in player.optimizer.slots():
                arrays = {name.removeprefix(f"{slot}/"): state[name] for name in state}
                for variable, value in zip(player.variables, values, strict=True):
                    value.assign(self.map.native(variable, arrays))

    def _clock(self, player):
        return "t" if len(self.players) == 1 else f"t/{player.name}"

    def put(self, data):
        """Convert arrays to what the model reads; what is converted stays as it is.

        Raises
        ------
        ValueError
            If the arrays differ in their first axis.
        """
        native = {name: self._put(value) for name, value in data.items()}
        rows = {name: value.shape[0] for name, value in native.items()}
        if len(set(rows.values())) > 1:
            raise ValueError(f"all arrays must have equally many rows, not {rows}")
        return native

    def _scalar(self, value):
        return ops.convert_to_tensor(float(value), self.dtype)

    def _put(self, value):
        if ops.is_tensor(value):
            return value
        dtype = self.dtype if np.asarray(value).dtype.kind == "f" else "int64"
        return ops.convert_to_tensor(np.array(value, dtype))

    def run_epoch(self, data, order, noise, lr, *, variant):
        """Train once through `order`; ends with the weights of step().

        Parameters
        ----------
        data : mapping
            Arrays with N rows, or what put() made of them.
        order : array of int
            Which row comes when; the last batch may be smaller.
        noise : mapping
            Arrays whose row i goes with ``order[i]``.
        lr : float or one value per step
        variant : {"idiomatic", "lean", "jit"}
            ``model.fit``; the whole epoch as one compiled graph (on PyTorch, which has
            none, a plain loop); ``fit`` with XLA, on TensorFlow.

        Returns
        -------
        dict of array
            player -> loss of each step (lean), or the one number fit reports.
        """
        data, noise = self.put(data), self.put(noise)
        order = ops.convert_to_tensor(np.array(order, "int64"))
        if any(values.shape[0] != len(order) for values in noise.values()):
            raise ValueError(f"noise must have one row for each of {len(order)} places")
        steps = -(-len(order) // self.recipe["batch_size"])
        if np.shape(lr) not in ((), (steps,)):
            raise ValueError(f"lr has shape {np.shape(lr)}, expected () or {(steps,)}")
        lr = np.array(np.broadcast_to(lr, steps), self.dtype)
        if variant == "lean":
            losses = self.engine.epoch(data, order, noise, ops.convert_to_tensor(lr))
        elif variant in FIT:
            losses = self._fit(data, order, noise, lr, jit=FIT[variant])
        else:
            raise ValueError(f"variant {variant!r} is none of lean, {', '.join(FIT)}")
        return {name: np.array(values) for name, values in losses.items()}

    def _fit(self, data, order, noise, lr, *, jit):
        if self.model.jit_compile != jit:
            self.model.jit_compile = jit  # Keras only warns where it cannot
            if self.model.jit_compile != jit:
                raise ValueError("this model does not support jit_compile=True")
            self.model.train_function = None  # to be made anew, with or without XLA
        data = {name: ops.take(values, order, axis=0) for name, values in data.items()}
        x, y = self.model.split(data | noise)
        history = self.model.fit(
            x=x,
            y=y or None,
            batch_size=self.recipe["batch_size"],
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[LearningRates(lr)],
        )
        return history.history


def _weighted_prediction(outputs, batch):
    same_shape(batch["upstream"], outputs["prediction"], "upstream")
    return ops.sum(outputs["prediction"] * batch["upstream"])


def _floats(losses):
    return {name: float(value) for name, value in losses.items()}
