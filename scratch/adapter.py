"""The adapter of the NumPy implementation: canonical parameters are already native.

All parameters of a player live in one flat vector ``theta``, and the named arrays are
views of it; so are the gradients and the optimizer's moments. A step of any optimizer is
then a few calls on one vector.
"""

from types import SimpleNamespace

import numpy as np

from scratch.optimizers import clipped, optimizer
from scratch.regularizers import penalized, penalty_backward, penalty_forward
from scratch.workspace import NEW


class Vector:
    """A flat vector and the named arrays that look into it."""

    def __init__(self, shapes, dtype):
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
        self.flat = np.zeros(ends[-1], dtype)
        pieces = np.split(self.flat, ends[:-1])
        self.named = {
            name: piece.reshape(shape)
            for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
        }

    def fill(self, arrays):
        for name, view in self.named.items():
            if arrays[name] is not view:
                view[...] = arrays[name]


class Player:
    """Who minimizes which loss over which parameters, with its own optimizer state."""

    def __init__(self, shapes, loss, recipe, asked, dtype):
        self.loss, self.clip = loss, recipe.get("clip")
        self.update, self.starts = optimizer(asked)
        self.theta, self.grad = Vector(shapes, dtype), Vector(shapes, dtype)
        self.moments = {name: Vector(shapes, dtype) for name in self.starts}
        flat = {name: moment.flat for name, moment in self.moments.items()}
        self.state = {"t": 0} | flat
        step = np.empty_like(self.theta.flat)
        self.w = SimpleNamespace(theta=self.theta.flat, step=step, **flat)
        self.penalty = recipe.get("penalty")
        self.penalized = [n for n in shapes if self.penalty and penalized(n)]
        self.begin()

    def begin(self):
        """Before step 1."""
        self.state["t"] = 0
        for name, start in self.starts.items():
            self.moments[name].flat[:] = start

    def penalty_of(self, grads):
        """The penalty on this player's weights; its gradients are added to the grads."""
        value = 0
        for name in self.penalized:
            loss, cache = penalty_forward(self.theta.named[name], **self.penalty)
            grads[name] = grads[name] + penalty_backward(cache, **self.penalty)
            value = value + loss
        return value

    def descend(self, lr):
        """One optimizer step along ``grad``, written into ``theta`` and the moments."""
        g = self.grad.flat
        if self.clip:
            g = clipped(g, **self.clip)
        _, self.state = self.update(self.theta.flat, g, self.state, lr=lr, w=self.w)


class Adapter:
    def __init__(self, network, sizes, recipe, *, dtype):
        self.network, self.recipe, self.dtype = network, recipe, np.dtype(dtype)
        self.sizes = sizes
        shapes = network.shapes(sizes, recipe)
        state_shapes = getattr(network, "state_shapes", lambda sizes, recipe: {})
        self.state = {
            name: np.zeros(shape, dtype)
            for name, shape in state_shapes(sizes, recipe).items()
        }
        players = getattr(network, "PLAYERS", None)
        players = players or {"loss": (("",), network.loss, "optimizer")}
        self.players = {
            player: Player(
                {n: s for n, s in shapes.items() if n.startswith(prefixes)},
                loss, recipe, recipe[asked], dtype,
            )
            for player, (prefixes, loss, asked) in players.items()
        }
        self.params = {n: a for p in self.players.values() for n, a in p.theta.named.items()}
        if self.params.keys() != shapes.keys():
            raise ValueError(f"in no player: {sorted(shapes.keys() - self.params.keys())}")
        self.arrays = self.params | self.state  # what a forward pass reads
        self.workspaces = {}  # batch size -> memory of the network
        self.batches = {}     # batch size -> memory that a batch is gathered in

    # -- weights ---------------------------------------------------------------------

    def load(self, params, state):
        _check(params, self.params, "parameter")
        _check(state, self.state, "state")
        for own, given in ((self.params, params), (self.state, state)):
            for name, array in own.items():
                array[...] = given[name]
        for player in self.players.values():
            player.begin()

    def export(self):
        return (
            {name: array.copy() for name, array in self.params.items()},
            {name: array.copy() for name, array in self.state.items()},
        )

    # -- one pass --------------------------------------------------------------------

    def _own(self, batch):
        """The batch in this adapter's dtype; integers (labels, token ids) stay integers."""
        return {
            name: a.astype(self.dtype, copy=False) if a.dtype.kind in "fc" else a
            for name, a in batch.items()
        }

    def _forward(self, batch, *, train, w=NEW):
        outputs, cache = self.network.forward(
            self.arrays, batch, self.recipe, train=train, w=w
        )
        moved = {n: outputs.pop(f"state/{n}") for n in self.state} if train else {}
        return outputs, cache, moved

    def forward(self, batch, *, train):
        batch = self._own(batch)
        w = NEW if train else self._workspace(len(next(iter(batch.values()))))
        outputs, _, _ = self._forward(batch, train=train, w=w)
        return {name: np.array(value) for name, value in outputs.items()}

    def generate(self, batch):
        return self.network.generate(self.arrays, self._own(batch), self.sizes)

    def losses_and_grads(self, batch, *, player=None, upstream=None):
        batch, losses, grads = self._own(batch), {}, {}
        outputs, cache, _ = self._forward(batch, train=True)
        chosen = [player] if player else list(self.players)
        inputs = self.network.INPUTS if len(chosen) == 1 else ()
        wanted = [name for name in inputs if batch[name].dtype.kind not in "iu"]
        for who in chosen:
            if upstream is None:
                losses[who], d = self.players[who].loss(outputs, batch, self.recipe)
            else:
                if upstream.shape != (made := outputs["prediction"].shape):
                    raise ValueError(f"upstream {upstream.shape}, prediction {made}")
                d = {"prediction": upstream.astype(self.dtype)}
                losses["loss"] = (outputs["prediction"] * d["prediction"]).sum()
            g = self.network.backward(self.arrays, d, cache, self.recipe, inputs=wanted)
            if upstream is None and self.players[who].penalized:
                losses[who] = losses[who] + self.players[who].penalty_of(g)
            keep = [*self.players[who].theta.named, *(f"d/{name}" for name in wanted)]
            grads |= {name: np.array(g[name]) for name in keep}
        return {who: np.asarray(loss).item() for who, loss in losses.items()}, grads

    # -- training --------------------------------------------------------------------

    def update(self, grads, *, lr):
        given = {n: g for n, g in grads.items() if not n.startswith("d/")}
        if unknown := given.keys() - self.params.keys():
            raise ValueError(f"gradient of an unknown parameter: {sorted(unknown)}")
        for player in self.players.values():
            absent = player.theta.named.keys() - given.keys()
            if len(absent) == len(player.theta.named) and len(self.players) > 1:
                continue  # another player's turn
            vectors = (player.theta, *player.moments.values())
            kept = [{n: v.named[n].copy() for n in absent} for v in vectors]
            player.grad.fill(dict.fromkeys(absent, 0) | given)
            player.descend(lr)
            for vector, arrays in zip(vectors, kept, strict=True):
                for name, array in arrays.items():
                    vector.named[name][...] = array

    def _step(self, batch, lr, w=NEW):
        losses = {}
        for who, player in self.players.items():
            outputs, cache, moved = self._forward(batch, train=True, w=w)
            losses[who], d = player.loss(outputs, batch, self.recipe)
            grads = self.network.backward(self.arrays, d, cache, self.recipe, inputs=(), w=w)
            if player.penalized:
                losses[who] = losses[who] + player.penalty_of(grads)
            player.grad.fill(grads)
            player.descend(lr)
            for name, value in moved.items():
                self.state[name][...] = value
        return losses

    def step(self, batch, *, lr):
        return {who: v.item() for who, v in self._step(self._own(batch), lr).items()}

    def optimizer_state(self):
        canonical = {}
        for who, player in self.players.items():
            canonical[self._t(who)] = np.array(player.state["t"])
            for kind, moment in player.moments.items():
                canonical |= {f"{kind}/{n}": a.copy() for n, a in moment.named.items()}
        return canonical

    def load_optimizer_state(self, state):
        _check(state, self.optimizer_state(), "optimizer state")
        for who, player in self.players.items():
            player.state["t"] = int(state[self._t(who)])
            for kind, moment in player.moments.items():
                moment.fill({name: state[f"{kind}/{name}"] for name in moment.named})

    def _t(self, who):
        return "t" if len(self.players) == 1 else f"t/{who}"

    # -- epochs ----------------------------------------------------------------------

    def put(self, data):
        return self._own(data)

    def run_epoch(self, data, order, noise, lr, *, variant):
        """One pass over ``data`` in the given order; per-step losses.

        "idiomatic" indexes each batch and lets NumPy allocate; "lean" runs the very same
        functions on memory that it uses again.
        """
        data, noise = self._own(data), self._own(noise)
        B = self.recipe["batch_size"]
        starts = range(0, len(order), B)
        lrs = np.broadcast_to(lr, len(starts)).tolist()
        losses = {who: [] for who in self.players}
        for start, rate in zip(starts, lrs, strict=True):
            rows = order[start : start + B]
            if variant == "lean":  # "clip": the default would copy through a buffer
                w, into = self._workspace(len(rows)), self._batch(len(rows), data)
                batch = {n: a.take(rows, 0, into[n], "clip") for n, a in data.items()}
            else:
                w, batch = NEW, {name: a[rows] for name, a in data.items()}
            batch |= {name: a[start : start + B] for name, a in noise.items()}
            for who, value in self._step(batch, rate, w).items():
                losses[who].append(value)
        return {who: np.array(values) for who, values in losses.items()}

    def _workspace(self, B):
        """The network's memory for B examples, made once; a network may have none."""
        if B not in self.workspaces:
            make = getattr(self.network, "make_workspace", None)
            grads = {n: a for p in self.players.values() for n, a in p.grad.named.items()}
            self.workspaces[B] = make(grads, B) if make else NEW
        return self.workspaces[B]

    def _batch(self, B, data):
        if B not in self.batches:
            shapes = {name: (B, *a.shape[1:]) for name, a in data.items()}
            self.batches[B] = {n: np.empty(shapes[n], a.dtype) for n, a in data.items()}
        return self.batches[B]


def _check(given, expected, what):
    """Refuse, before anything is loaded, what does not fit."""
    if missing := expected.keys() - given.keys():
        raise ValueError(f"{what} missing: {sorted(missing)}")
    if extra := given.keys() - expected.keys():
        raise ValueError(f"{what} unknown: {sorted(extra)}")
    for name, array in expected.items():
        got = np.asarray(given[name])
        if got.shape != array.shape:
            raise ValueError(f"{what} {name}: expected {array.shape}, got {got.shape}")
        if not np.isfinite(got).all():
            raise ValueError(f"{what} {name}: not finite")
