"""Gradients and training loops: the backend of Keras chooses whose.

What each backend does in its own way stands in its engine; all three have the same names:

- ``Engine``: what the adapter asks of one model. ``epoch(data, order, noise, lr)`` takes data
  as name -> (N, ...), the rows in the order of their use (N,), noise as name -> (N, ...),
  aligned with that order, and one lr per step (S,); it returns player -> losses (S,);
- ``value_and_grad(model, players, batch, inputs)``: losses, player -> scalar; gradients,
  player -> one array per variable of the player, zeros where its loss does not depend on it;
  and of the last player's loss by each of the inputs, name -> array;
- ``play``, ``train_step``: a step of several players, alone and inside ``fit``;
- ``jacobians(function, variables)``: the tuple of arrays that ``function(*variables)``
  returns, and for each of them a Jacobian by each variable, with the shape of the result
  followed by the shape of the variable;
- ``dense``: a gradient as a whole matrix;
- ``FIT``: variant of an epoch that ``fit`` runs -> its ``jit_compile``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import keras

BACKENDS = ("tensorflow", "jax", "torch")
if keras.config.backend() not in BACKENDS:
    raise ImportError(
        f"keras_impl runs on {', '.join(BACKENDS)}, not on {keras.config.backend()!r} -> "
        "set KERAS_BACKEND to one of them before Python starts"
    )

# On JAX and PyTorch, much of what Keras 3.15 computes from float64 is float32: so says its
# private table of result types, and no setting changes that. Unrepaired, activations of a
# small network are off by 1e-7. A version without the table has nothing to repair here.
if keras.config.backend() != "tensorflow":
    dtypes = import_module("keras.src.backend.common.dtypes")
    if hasattr(dtypes, "BIT64_TO_BIT32_DTYPE"):
        dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

_chosen = import_module(f"keras_impl.engine_{keras.config.backend()}")
Engine, FIT = _chosen.Engine, _chosen.FIT
play, train_step = _chosen.play, _chosen.train_step
jacobians, dense = _chosen.jacobians, _chosen.dense


@dataclass(frozen=True)
class Player:
    """A loss, the variables it may move, and the optimizer that moves them."""

    name: str
    loss: Callable  # loss(outputs, batch) -> scalar
    variables: Sequence[keras.Variable]
    optimizer: keras.optimizers.Optimizer | None
