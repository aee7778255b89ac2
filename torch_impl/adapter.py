"""The adapter: one PyTorch network, reached through arrays with canonical names."""

from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch

from torch_impl import epoch
from torch_impl.player import Player
from torch_impl.weights import check, check_finite, expand, to_canonical, to_native


class Adapter:
    """One network, its optimizers and its training loops.

    Parameters
    ----------
    network : module
        ``torch_impl.<name>``: INPUTS, Model, loss (or PLAYERS), WEIGHTS.
    sizes, recipe : mapping
        What the letters of the network stand for; how it is trained.
    dtype : {"float32", "float64"}

    Raises
    ------
    ValueError
        If a variable of the model is in no entry of WEIGHTS, or in two.
    """

    def __init__(self, network, sizes, recipe, *, dtype):
        self.network, self.sizes = network, sizes
        self.inputs, self.recipe = network.INPUTS, recipe
        self.dtype = getattr(torch, dtype)
        with torch.device("meta"):  # no storage yet: PyTorch draws no initial weights
            model = network.Model(sizes, recipe)
        self.model = model.to_empty(device="cpu").to(self.dtype)
        parameters, buffers = self.model.named_parameters(), self.model.named_buffers()
        variables = dict(parameters) | dict(buffers)
        for variable in variables.values():
            variable.detach().zero_()
        # An integer only counts (num_batches_tracked of batch norm): no result needs it.
        self.variables = {n: v for n, v in variables.items() if v.is_floating_point()}
        self._sort(expand(network.WEIGHTS, self.variables))
        one = {"loss": (("",), getattr(network, "loss", None), "optimizer")}
        self.players = {}
        for name, (prefixes, loss, key) in getattr(network, "PLAYERS", one).items():
            own = [w for w in self.trained if w.canonical[0].startswith(prefixes)]
            self.players[name] = Player(loss, own, self.variables, recipe, key)

    def _sort(self, weights):
        learns = {w: self.variables[w.native].requires_grad for w in weights}
        self.trained = [w for w in weights if w.canonical and learns[w]]
        self.state = [w for w in weights if w.canonical and not learns[w]]
        self.frozen = [w for w in weights if not w.canonical]
        if wrong := [w.native for w in self.frozen if learns[w]]:
            raise ValueError(
                f"{wrong}: frozen in WEIGHTS, but trainable -> requires_grad_(False)"
            )

    def load(self, params, state):
        """Take canonical arrays, all or none; the optimizers start anew.

        Raises ValueError for a missing or unknown name, a wrong shape, NaN or infinity.
        """
        own_params, own_state = self.export()
        check("parameters", params, own_params)
        check("state", state, own_state)
        check_finite("parameters", params)
        check_finite("state", state)
        _copy(self.trained, params, self.variables)
        _copy(self.state, state, self.variables)
        for player in self.players.values():
            player.reset()

    def export(self):
        """Return (params, state): fresh arrays in canonical layout."""
        for weight in self.frozen:
            if self.variables[weight.native].any():
                raise RuntimeError(f"{weight.native} is frozen at zero, and has moved")
        params = to_canonical(self.trained, self.variables)
        return params, to_canonical(self.state, self.variables)

    def optimizer_state(self):
        """Return "t" ("t/<player>" for several), "m/W", "v/W": the start before step 1."""
        state = {}
        for name, player in self.players.items():
            state[self._t(name)] = np.array(player.t, np.int64)
        for player in self.players.values():
            for moment in player.moments:
                arrays = to_canonical(player.weights, player.slots(moment))
                state |= {f"{moment}/{name}": array for name, array in arrays.items()}
        return state

    def load_optimizer_state(self, state):
        """Take what `optimizer_state` returns; ValueError as for `load`."""
        check("optimizer state", state, self.optimizer_state())
        for name, player in self.players.items():
            player.set_t(int(state[self._t(name)]))
            for moment in player.moments:
                arrays = {name: state[f"{moment}/{name}"] for name in player.names}
                _copy(player.weights, arrays, player.slots(moment))

    def _t(self, name):
        return "t" if len(self.players) == 1 else f"t/{name}"

    def put(self, data):
        """Arrays to tensors, once: floats in the adapter's dtype, integers int64."""
        kinds = {"f": self.dtype, "i": torch.int64, "u": torch.int64, "b": torch.bool}
        tensors = {}
        for name, value in data.items():
            if not isinstance(value, torch.Tensor):
                value = np.asarray(value, order="C")
                value = torch.tensor(value, dtype=kinds[value.dtype.kind])
            tensors[name] = value
        return tensors

    def forward(self, batch, *, train):
        """Return "prediction" and every named activation; nothing changes."""
        self.model.train(train)
        with torch.no_grad(), self._buffers_kept():
            outputs = self.model(self.put(batch))
        return {name: np.array(h.numpy(), order="C") for name, h in outputs.items()}

    def generate(self, batch):
        """Token ids (N, T), of a network that generates; the batch has what is read."""
        self.model.eval()
        return self.network.generate(self.model, self.put(batch), self.sizes).numpy()

    def losses_and_grads(self, batch, *, player=None, upstream=None):
        """Return losses and gradients of one training-mode forward; nothing changes.

        "d/x" comes along for each of INPUTS if one player is asked for. With
        ``upstream`` the loss is sum(prediction * upstream).
        """
        players = self.players if player is None else {player: self.players[player]}
        batch = self.put(batch)
        inputs = self.inputs if len(players) == 1 else ()
        inputs = [x for x in inputs if batch[x].is_floating_point()]  # no token ids
        batch |= {name: batch[name].detach().requires_grad_() for name in inputs}
        losses, grads = {}, {}
        self.model.train()
        with self._buffers_kept():
            outputs = self.model(batch)
            for name, one in players.items():
                if upstream is None:
                    loss = one.loss(outputs, batch)
                else:
                    loss = self._projection(outputs["prediction"], upstream)
                losses[name if upstream is None else "loss"] = loss.item()
                values = iter(one.gradients(loss, [batch[x] for x in inputs]))
                natives = {weight.native: next(values) for weight in one.weights}
                grads |= to_canonical(one.weights, natives)
                grads |= {f"d/{x}": next(values).numpy().copy() for x in inputs}
        return losses, grads

    def _projection(self, prediction, upstream):
        if prediction.shape != np.shape(upstream):
            raise ValueError(
                f"upstream {np.shape(upstream)}, expected {tuple(prediction.shape)}"
                " -> give it the shape of the prediction"
            )
        return (prediction * self.put({"upstream": upstream})["upstream"]).sum()

    @contextmanager
    def _buffers_kept(self):
        """A training-mode forward moves batch-norm statistics: put them back."""
        kept = [(buffer, buffer.clone()) for buffer in self.model.buffers()]
        try:
            yield
        finally:
            for buffer, value in kept:
                buffer.copy_(value)

    def update(self, grads, *, lr):
        """One optimizer step with these gradients; parameters without one stay.

        With several players, those step that have a gradient in ``grads``. "d/x" is
        passed over; ValueError for an unknown name or a wrong shape.
        """
        grads = {name: g for name, g in grads.items() if not name.startswith("d/")}
        params, _ = self.export()
        check("gradients", params | grads, params)
        for player in self.players.values():
            if len(self.players) == 1 or not grads.keys().isdisjoint(player.names):
                player.update(grads, lr)

    def step(self, batch, *, lr):
        """Train on one batch, player after player, each with its own forward."""
        self.model.train()
        batch = self.put(batch)
        losses = {}
        for name, player in self.players.items():
            losses[name] = player.step(self.model, batch, lr).item()
        return losses

    def run_epoch(self, data, order, noise, lr, *, variant):
        """Train on the examples in the given order; return {player: losses}.

        Parameters
        ----------
        data : mapping
            Arrays (N, ...), or what `put` made of them.
        order : (N,) int array
            The permutation; cut into batches of recipe["batch_size"], and the rest.
        noise : mapping
            Arrays (N, ...): row i belongs to the i-th example of the epoch.
        lr : float, or one value per step
        variant : {"idiomatic", "lean", "compile"}
            Which loop of epoch.py, the lean one also with ``torch.compile(model)``; the
            epoch's mean loss, or the loss of every step.
        """
        loops = {"idiomatic": epoch.idiomatic, "lean": epoch.lean, "compile": epoch.lean}
        run = loops[variant]
        data, order = self.put(data), self.put({"order": order})["order"]
        N = len(next(iter(data.values())))
        data |= epoch.by_example(self.put(noise), order, N)
        size = self.recipe["batch_size"]
        steps = -(-len(order) // size)
        lrs = np.broadcast_to(np.asarray(lr, np.float64), steps).tolist()
        model = self._compiled if variant == "compile" else self.model
        model.train()
        return run(model, self.players, data, order, lrs, size)

    @cached_property
    def _compiled(self):
        return torch.compile(self.model)


def _copy(weights, arrays, tensors):
    """Write canonical arrays into the native tensors they make up."""
    with torch.no_grad():
        for weight in weights:
            native = tensors[weight.native]
            native.copy_(to_native(weight, arrays, native.dtype))
