"""The contract between the suite and the four implementations, in plain NumPy.

Inside an implementation, write what that community writes. At the adapter, arrays in,
arrays out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from nn_parity.datasets import Dataset

Params = dict[str, np.ndarray]  # canonical name -> array in canonical layout
Batch = Mapping[str, np.ndarray]  # "x", "y", "mask", noise: all that a network consumes
Losses = dict[str, float]  # {"loss": ...}; with several players one entry each
Sizes = Mapping[str, Any]  # {"D": 784, "H": (16, 16), "K": 10}
Recipe = Mapping[str, Any]  # activations, loss, optimizer, batch_size, ...


# what a transcript records: one pass at the initial weights; one of a single example; 50
# recorded gradients; two short epochs, each way of running them; the first training steps
TIERS = ("initial", "one", "updates", "epochs", "steps")
# The tiny cases of a network share them out, because JAX and Keras compile each anew: its
# first case, the same one under an optimizer that has moments, and all that compute
# something else.
FIRST, MOMENTS, VARIANT = ("initial", "epochs"), ("updates", "steps"), ("initial",)


@dataclass(frozen=True)
class Param:
    """One canonical parameter: its name, its shape and how it starts."""

    name: str
    shape: tuple[int, ...]
    init: str


@dataclass(frozen=True)
class Case:
    """One network with sizes, recipe, data and seeds: what a transcript is recorded of.

    Plain data, so that it travels to a worker as JSON.
    """

    name: str
    network: str
    sizes: Sizes
    recipe: Recipe
    dataset: str = "random"  # "random", "integers", "saturated", or a data set's name
    data: str | None = None  # folder of an idx data set
    seeds: tuple[int, ...] = (0,)  # the first one is trained
    weights: str | None = None  # a weight file instead of drawn weights
    given: bool = False  # these weights are a user's, perhaps near an optimum
    experiment: str = ""
    label: str = ""  # which part of the experiment, "" where there is one
    tiers: tuple[str, ...] = TIERS
    dtypes: tuple[str, ...] = ("float64", "float32")

    @property
    def trains(self) -> bool:
        """Whether weights move: not in the exact tier, nor where they are set by hand."""
        fixed = self.dataset in ("integers", "saturated")
        return not fixed and self.recipe.get("epochs") != 0

    def plain(self) -> dict[str, Any]:
        """Return the case as JSON-ready data."""
        return asdict(self)


def as_sized(sizes: Sizes, x: np.ndarray, y: np.ndarray | None) -> Params:
    """Return a data set's examples as most networks take them.

    "x" becomes (N, *shape), (N, T, D) or (N, D), whichever letters the sizes have; "y" is
    left out where it is not known.
    """
    if "shape" in sizes:
        shape = tuple(sizes["shape"])
    else:
        shape = (sizes["T"], sizes["D"]) if "T" in sizes else (sizes["D"],)
    arrays = {"x": x.reshape(len(x), *shape)}
    return arrays if y is None else arrays | {"y": y}


@dataclass(frozen=True)
class Spec:
    """What a network *is*, before any framework is chosen."""

    name: str
    params: Callable[[Sizes, Recipe], tuple[Param, ...]]
    batch: Callable[[Sizes, Recipe, int, np.random.Generator], dict[str, np.ndarray]]
    cases: tuple[Case, ...]  # tiny, pairwise different sizes, for `nn-parity parity`
    # what an experiment sets, and its data -> sizes and the network's part of the recipe
    resolve: Callable[[Mapping[str, Any], Dataset], tuple[Sizes, Recipe]]
    # a data set's x and y (None: not known) -> all that the network consumes but noise
    arrange: Callable[[Sizes, np.ndarray, np.ndarray | None], Params] = as_sized
    takes: tuple[str, ...] = ()  # which of settings.OF_SOME_NETWORKS it reads
    generates: bool = False  # it has `generate`, and its answers are judged by that
    # it passes on the largest of several numbers, which may be equal
    ties: bool = False
    layered: bool = False  # W_1 b_1 W_2 ..., one activation a layer: it can be drawn
    state: Callable[[Sizes, Recipe], tuple[Param, ...]] = lambda sizes, recipe: ()
    # random arrays that come with n examples in training: dropout masks, shifts
    noise: Callable[[Sizes, Recipe, int, np.random.Generator], Params] = (
        lambda sizes, recipe, n, rng: {}
    )
    # whether training makes sense on a single example (a batch norm needs two)
    one_example: Callable[[Recipe], bool] = lambda recipe: True
    # parameters whose gradient is zero by the equations, whatever the data
    zeros: Callable[[Recipe], frozenset[str]] = lambda recipe: frozenset()
    differences: str = ""  # where a framework's own layer departs, printed by `show`


class Adapter(Protocol):
    """One network in one framework.

    Parameters
    ----------
    network : ModuleType
        ``<implementation>.<network>``.
    sizes, recipe : mapping
        Letters to numbers; what the network computes and how it is trained.
    dtype : str
        "float32" or "float64"; scratch also takes longdouble and complex128.
    """

    def __init__(
        self, network: ModuleType, sizes: Sizes, recipe: Recipe, *, dtype: str
    ) -> None: ...

    def load(self, params: Params, state: Params) -> None:
        """Take weights and state; all optimizer state returns to zero."""

    def export(self) -> tuple[Params, Params]:
        """Return copies of parameters and state."""

    def forward(self, batch: Batch, *, train: bool) -> dict[str, np.ndarray]:
        """Return "prediction" and every named activation; changes nothing."""

    def generate(self, batch: Batch) -> np.ndarray:
        """Return token ids (N, T): greedy decoding, of a network that generates.

        The batch has what is read, and no y: each token follows on those before it.
        """

    def losses_and_grads(
        self,
        batch: Batch,
        *,
        player: str | None = None,
        upstream: np.ndarray | None = None,
    ) -> tuple[Losses, Params]:
        """Return losses and gradients, "d/x" among them; changes nothing."""

    def update(self, grads: Params, *, lr: float) -> None:
        """Apply one optimizer update with these gradients."""

    def step(self, batch: Batch, *, lr: float) -> Losses:
        """Train on one batch, player after player."""

    def optimizer_state(self) -> Params:
        """Return "t", "m/W_1", "v/W_1", ... in torch's convention."""

    def load_optimizer_state(self, state: Params) -> None:
        """Take what `optimizer_state` returned."""

    def put(self, data: Batch) -> Any:
        """Convert a whole data set once."""

    def run_epoch(
        self,
        data: Any,
        order: np.ndarray,
        noise: Batch,
        lr: float | np.ndarray,
        *,
        variant: str,
    ) -> dict[str, np.ndarray]:
        """Train one epoch, "idiomatic" or "lean", ending with `step`'s weights."""
