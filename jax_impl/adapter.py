"""The adapter of the JAX implementation: the canonical dict *is* the pytree; no renaming.

What trains is a *carry*: parameters, state (batch-norm statistics) and optimizer state, all
dicts of arrays. Pure functions take a carry and return a new one; the Adapter compiles
them once and keeps the latest carry.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_impl import optimizers, regularizers

_compiled = []  # seconds of each compilation in this process


def _listen(event, seconds, **_):
    if event == "/jax/core/compile/backend_compile_duration":
        _compiled.append(seconds)


jax.monitoring.register_event_duration_secs_listener(_listen)


class Player(NamedTuple):
    """Who minimizes which loss over which parameters; most networks have one player."""

    names: tuple[str, ...]  # its parameters
    loss: Callable          # (outputs, batch, recipe) -> scalar
    optimizer: dict         # {"name": ..., hyper-parameters}


class Carry(NamedTuple):
    """All that a training step changes."""

    params: dict  # name -> array
    state: dict   # name -> array, not trained
    slots: dict   # player -> optimizer state: {"t": ..., "m": {name: array}, ...}


class Adapter:
    """A network of this package, spoken to in NumPy.

    Parameters
    ----------
    network : module
        ``jax_impl.<name>``.
    sizes, recipe : mapping
        Passed on to the network's functions.
    dtype : {"float32", "float64"}
        Sets ``jax_enable_x64``, which JAX has once per process: adapters of both dtypes
        cannot live side by side.
    """

    def __init__(self, network, sizes, recipe, *, dtype):
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype {dtype!r}: JAX runs here in float32 or float64")
        jax.config.update("jax_enable_x64", dtype == "float64")
        # A GPU would otherwise multiply float32 matrices in a shorter format.
        jax.config.update("jax_default_matmul_precision", "highest")
        self.network, self.recipe, self.dtype = network, recipe, np.dtype(dtype)
        self.sizes = sizes
        self.shapes = network.shapes(sizes, recipe)
        state_shapes = getattr(network, "state_shapes", lambda sizes, recipe: {})
        self.state_shapes = state_shapes(sizes, recipe)
        self.players = self._players()
        self.carry = self._initial(
            {name: np.zeros(shape) for name, shape in self.shapes.items()},
            {name: np.zeros(shape) for name, shape in self.state_shapes.items()},
        )
        self._compiled_forward = jax.jit(self._forward, static_argnames="train")
        self._compiled_generate = jax.jit(self._generate)
        self._compiled_gradients = jax.jit(self._gradients, static_argnames="players")
        self._compiled_update = jax.jit(self._update, static_argnames="player")
        # A step gives its old carry away (donates it), and XLA writes the new one into that
        # memory: 3 % of a loop's time. A whole epoch allocates only once and gains nothing.
        self._compiled_step = jax.jit(self._step, donate_argnames="carry")
        self._compiled_step_on_rows = jax.jit(self._step_on_rows, donate_argnames="carry")
        self._compiled_epoch = jax.jit(self._epoch)

    def _players(self):
        if hasattr(self.network, "PLAYERS"):
            rows = self.network.PLAYERS
        else:  # every name starts with ""
            rows = {"loss": (("",), self.network.loss, "optimizer")}
        players = {
            player: Player(
                tuple(name for name in self.shapes if name.startswith(prefixes)),
                loss,
                dict(self.recipe[optimizer]),
            )
            for player, (prefixes, loss, optimizer) in rows.items()
        }
        owned = [name for player in players.values() for name in player.names]
        if sorted(owned) != sorted(self.shapes):
            raise ValueError(f"players own {sorted(owned)} of parameters {sorted(self.shapes)}")
        return players

    # -- pure functions, compiled by jax.jit -------------------------------------------

    def _forward(self, params, state, batch, *, train):
        """Named activations, and the state that this forward pass leaves behind."""
        outputs = self.network.forward(params | state, batch, self.recipe, train=train)
        kept = {name: value for name, value in outputs.items() if not name.startswith("state/")}
        moved = {name: outputs.get(f"state/{name}", value) for name, value in state.items()}
        return kept, moved

    def _generate(self, params, batch):
        return self.network.generate(params, batch, self.sizes)

    def _loss(self, own, inputs, rest, state, batch, player, above=None):
        """A player's loss as a function of what it is differentiated by: own, inputs."""
        batch = batch | inputs
        outputs, state = self._forward(rest | own, state, batch, train=True)
        loss = self.players[player].loss(outputs, batch, self.recipe)
        if "penalty" in self.recipe:
            loss = loss + regularizers.penalty(own, **self.recipe["penalty"])
        if above is not None:
            share, upstream = above
            loss = share * loss + (outputs["prediction"] * upstream).sum()
        return loss, state

    def _gradients(self, params, state, batch, above, *, players):
        """Losses, gradients of every player's own parameters, and d/<input> for one player."""
        wanted = self.network.INPUTS if len(players) == 1 else ()
        inputs = {name: batch[name] for name in wanted}
        # by token ids nobody differentiates
        inputs = {n: x for n, x in inputs.items() if jnp.issubdtype(x.dtype, jnp.floating)}
        value_and_grad = jax.value_and_grad(self._loss, argnums=(0, 1), has_aux=True)
        losses, grads = {}, {}
        for player in players:
            own, rest = self._split(params, player)
            (loss, _), (dparams, dinputs) = value_and_grad(
                own, inputs, rest, state, batch, player, above
            )
            losses[player] = loss
            grads |= dparams | {f"d/{name}": d for name, d in dinputs.items()}
        return losses, grads

    def _update(self, params, slot, grads, lr, *, player):
        recipe = self.players[player].optimizer
        if "clip" in self.recipe:
            grads = optimizers.clipped(grads, **self.recipe["clip"])
        return optimizers.update(recipe, params, grads, slot, lr)

    def _step(self, carry, batch, lr):
        """Every player in turn: a training forward, its gradients, its update."""
        params, state, slots = carry
        losses = {}
        for player in self.players:
            own, rest = self._split(params, player)
            (losses[player], state), grads = jax.value_and_grad(self._loss, has_aux=True)(
                own, {}, rest, state, batch, player
            )
            own, slot = self._update(own, slots[player], grads, lr, player=player)
            params, slots = rest | own, slots | {player: slot}
        return Carry(params, state, slots), losses

    def _step_on_rows(self, carry, data, rows, noise, lr):
        """A step on the given rows of the data set, gathered on the device."""
        batch = {name: array[rows] for name, array in data.items()}
        return self._step(carry, batch | noise, lr)

    def _epoch(self, carry, data, rows, noise, lr):
        """One step for every row of ``rows`` (steps, B), as one compiled loop."""
        return lax.scan(
            lambda carry, xs: self._step_on_rows(carry, data, *xs), carry, (rows, noise, lr)
        )

    def _split(self, params, player):
        """A player's own parameters, and the rest."""
        own = {name: params[name] for name in self.players[player].names}
        return own, {name: value for name, value in params.items() if name not in own}

    # -- weights -----------------------------------------------------------------------

    def load(self, params, state):
        """Take over parameters and state; the optimizers start again from zero.

        Raises
        ------
        ValueError
            If a name is missing or unknown, a shape differs or a number is not finite;
            then nothing is loaded.
        """
        _check("parameter", params, self.shapes)
        _check("state", state, self.state_shapes)
        self.carry = self._initial(params, state)

    def _initial(self, params, state):
        params, slots = self._copy(params), {}
        for player, (_, _, optimizer) in self.players.items():
            own, _ = self._split(params, player)
            slots[player] = optimizers.init(optimizer, own)
        return Carry(params, self._copy(state), slots)

    def export(self):
        """Return (params, state) as fresh NumPy arrays."""
        return (
            {name: np.array(self.carry.params[name]) for name in self.shapes},
            {name: np.array(self.carry.state[name]) for name in self.state_shapes},
        )

    def put(self, data):
        """Arrays on the device, in this adapter's float type or JAX's index type.

        Arrays that JAX already holds pass through.
        """
        native = {name: array for name, array in data.items() if isinstance(array, jax.Array)}
        return native | self._copy({n: a for n, a in data.items() if n not in native})

    def _copy(self, arrays):
        """Device arrays that share no memory with anyone, so that they may be donated."""
        return {name: jnp.array(self._own(array)) for name, array in arrays.items()}

    def _own(self, array):
        """A NumPy array in this adapter's float type; integers in JAX's index type."""
        array = np.asarray(array)
        if self.dtype == np.float64 and not jax.config.jax_enable_x64:
            raise RuntimeError("another adapter of this process has switched float64 off")
        return array.astype(np.int32 if array.dtype.kind in "iu" else self.dtype, copy=False)

    # -- one pass ----------------------------------------------------------------------

    def forward(self, batch, *, train):
        """Return "prediction" and every named activation; changes nothing."""
        params, state, _ = self.carry
        outputs, _ = self._compiled_forward(params, state, self.put(batch), train=train)
        return {name: np.array(value) for name, value in outputs.items()}

    def generate(self, batch):
        """Token ids (N, T), of a network that generates; the batch has what is read."""
        return np.array(self._compiled_generate(self.carry.params, self.put(batch)))

    def losses_and_grads(self, batch, *, player=None, upstream=None):
        """Losses and gradients of one training-mode forward; changes nothing.

        Parameters
        ----------
        batch : mapping
            All that the network consumes.
        player : str, optional
            Only this player's loss and parameters; all players otherwise.
        upstream : array, optional
            Of the prediction's shape; the loss becomes sum(prediction * upstream).

        Returns
        -------
        losses : dict of float
        grads : dict of array
            One for each parameter, and "d/<input>" where one player is concerned.
        """
        players = tuple(self.players) if player is None else (player,)
        params, state, _ = self.carry
        batch = self.put(batch)
        outputs, _ = self._compiled_forward.eval_shape(params, state, batch, train=False)
        shape = outputs["prediction"].shape
        if upstream is not None and np.shape(upstream) != shape:
            raise ValueError(f"upstream {np.shape(upstream)}, expected {shape}")
        # One compiled function for both: 1 * loss + 0 * prediction, or the other way round.
        share = self.dtype.type(upstream is None)
        above = share, np.zeros(shape, self.dtype) if upstream is None else self._own(upstream)
        losses, grads = self._compiled_gradients(params, state, batch, above, players=players)
        if upstream is not None:
            losses = {"loss": losses[players[-1]]}
        return _floats(losses), {name: np.array(g) for name, g in grads.items()}

    # -- training ----------------------------------------------------------------------

    def update(self, grads, *, lr):
        """One optimizer step along the given gradients; keys "d/..." are ignored.

        A parameter without a gradient stays, and so do its moments; the optimizer's t
        counts on. Of several players only those that are given a gradient take a step.
        """
        grads = {name: g for name, g in grads.items() if not name.startswith("d/")}
        _check("gradient", grads, self.shapes, partial=True, finite=False)
        grads, (params, state, slots) = self.put(grads), self.carry
        for player, (names, _, _) in self.players.items():
            own = {name: grads[name] for name in names if name in grads}
            if own or len(self.players) == 1:
                params, slot = self._compiled_update(
                    params, slots[player], own, self.dtype.type(lr), player=player
                )
                slots = slots | {player: slot}
        self.carry = Carry(params, state, slots)

    @property
    def compilations(self):
        """How many functions XLA has compiled in this process."""
        return len(_compiled)

    def step(self, batch, *, lr):
        """Train on one batch: each player's losses_and_grads and update, in one call."""
        self.carry, losses = self._compiled_step(
            self.carry, self.put(batch), self.dtype.type(lr)
        )
        return _floats(losses)

    def run_epoch(self, data, order, noise, lr, *, variant):
        """Train once through ``data``; ends with the weights that step() would reach.

        Parameters
        ----------
        data : mapping
            Arrays (N, ...), or what ``put`` made of them.
        order : array of int, shape (N,)
            The permutation; the last batch may be smaller.
        noise : mapping
            Arrays (N, ...) whose row i goes with ``order[i]``; or {}.
        lr : float or array
            One learning rate, or one for each step.
        variant : {"idiomatic", "lean"}
            A Python loop over compiled steps, or the loop itself compiled (unless the
            network says that compiled steps are faster: SCANNED = False).

        Returns
        -------
        losses : dict of array
            Each player's loss at every step.
        """
        lean = self._scan if getattr(self.network, "SCANNED", True) else self._loop
        run = {"idiomatic": self._loop, "lean": lean}[variant]
        B, N = self.recipe["batch_size"], len(order)
        lr = np.broadcast_to(np.asarray(lr, self.dtype), -(-N // B))
        rows = np.asarray(order).astype(np.int32)
        # Noise is cut into batches here, on the host, where a slice costs nothing.
        noise = {name: self._own(array) for name, array in noise.items()}
        parts = run(self.put(data), rows, noise, lr, B)
        losses = {
            player: np.concatenate([np.atleast_1d(part[player]) for part in parts])
            for player in self.players
        }
        jax.block_until_ready(self.carry)
        return losses

    def _loop(self, data, rows, noise, lr, B):
        """Batch after batch; JAX runs behind and nobody waits until the end."""
        parts = []
        for i, start in enumerate(range(0, len(rows), B)):
            now = slice(start, start + B)
            drawn = {name: array[now] for name, array in noise.items()}
            self.carry, losses = self._compiled_step_on_rows(
                self.carry, data, rows[now], drawn, lr[i]
            )
            parts.append(losses)
        return parts

    def _scan(self, data, rows, noise, lr, B):
        """All full batches in one call, and the ragged rest in another."""
        full, end, parts = len(rows) // B, len(rows) // B * B, []
        if full:
            batches = {n: a[:end].reshape(full, B, *a.shape[1:]) for n, a in noise.items()}
            self.carry, losses = self._compiled_epoch(
                self.carry, data, rows[:end].reshape(full, B), batches, lr[:full]
            )
            parts.append(losses)
        if end < len(rows):
            rest = {name: array[end:] for name, array in noise.items()}
            self.carry, losses = self._compiled_step_on_rows(
                self.carry, data, rows[end:], rest, lr[full]
            )
            parts.append(losses)
        return parts

    # -- optimizer state ---------------------------------------------------------------

    def optimizer_state(self):
        """Return "t" and the moments "m/<name>", "v/<name>", as PyTorch defines them."""
        canonical = {}
        for player, slot in self.carry.slots.items():
            canonical[self._t(player)] = np.array(slot["t"], np.int64)
            for kind in sorted(slot.keys() - {"t"}):
                canonical |= {f"{kind}/{n}": np.array(a) for n, a in slot[kind].items()}
        return canonical

    def load_optimizer_state(self, state):
        """Take over what ``optimizer_state`` returned; refuses what does not fit."""
        expected = {name: array.shape for name, array in self.optimizer_state().items()}
        _check("optimizer state", state, expected)
        state = self._copy(state)
        slots = {
            player: {
                kind: state[self._t(player)]
                if kind == "t"
                else {name: state[f"{kind}/{name}"] for name in moments}
                for kind, moments in slot.items()
            }
            for player, slot in self.carry.slots.items()
        }
        self.carry = self.carry._replace(slots=slots)

    def _t(self, player):
        return "t" if len(self.players) == 1 else f"t/{player}"


def _floats(losses):
    return {name: float(value) for name, value in losses.items()}


def _check(what, given, expected, *, partial=False, finite=True):
    """Refuse unknown and missing names, other shapes, and numbers that are none."""
    if extra := sorted(given.keys() - expected.keys()):
        raise ValueError(f"{what} unknown: {extra}; expected {sorted(expected)}")
    if not partial and (missing := sorted(expected.keys() - given.keys())):
        raise ValueError(f"{what} missing: {missing}; got {sorted(given)}")
    for name, array in given.items():
        if np.shape(array) != expected[name]:
            raise ValueError(
                f"{what} {name}: expected shape {expected[name]}, got {np.shape(array)}"
            )
        if finite and not np.isfinite(array).all():
            raise ValueError(f"{what} {name}: {np.sum(~np.isfinite(array))} values not finite")
