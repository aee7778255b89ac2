"""A player: the part of a network that is trained on one loss, with its own optimizer.

Most networks have one; a generator and its critic are two.
"""

from functools import partial

import torch

from torch_impl import optimizers
from torch_impl.regularizers import penalized
from torch_impl.weights import to_native


class Player:
    """One loss, the weights that descend it, their optimizer and its step count t."""

    def __init__(self, loss, weights, variables, recipe, optimizer):
        self.weights = weights
        self.parameters = [variables[weight.native] for weight in weights]
        self.loss = partial(loss, recipe=recipe)
        if recipe.get("penalty"):
            matrices = [w.native for w in weights if w.canonical[0].startswith("W")]
            matrices = [variables[native] for native in matrices]
            self.loss = penalized(self.loss, matrices, **recipe["penalty"])
        settings = recipe[optimizer]
        self.optimizer, self.moments = optimizers.build(self.parameters, settings)
        self.clip = optimizers.clipping(recipe.get("clip"))
        self.t = 0

    @property
    def names(self):
        """Canonical names of the weights."""
        return [name for weight in self.weights for name in weight.canonical]

    def step(self, model, batch, lr):
        """Forward, backward, update; returns the loss, still a tensor."""
        # zero_grad(set_to_none=True) without its 15 microseconds of bookkeeping
        for parameter in self.parameters:
            parameter.grad = None
        loss = self.loss(model(batch), batch)
        self.backward(loss)
        self.descend(lr)
        return loss.detach()

    def backward(self, loss):
        """loss.backward(), and zeros for a parameter that the loss does not depend on.

        PyTorch leaves None there and its optimizers pass over None: no momentum would
        coast. A comparison, as in the step activation, cuts off all that lies below.
        """
        if loss.requires_grad:
            loss.backward()
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def gradients(self, loss, inputs):
        """Gradients for parameters, then inputs; as `backward`, but no .grad stays."""
        sources = self.parameters + inputs
        if not loss.requires_grad:
            return [torch.zeros_like(source) for source in sources]
        return torch.autograd.grad(
            loss, sources, retain_graph=True, materialize_grads=True
        )

    def descend(self, lr):
        """Clip the gradients, where the recipe says so, and take one step."""
        if self.clip is not None:
            self.clip(self.parameters)
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.step()
        self.t += 1

    def update(self, grads, lr):
        """Descend given canonical gradients; a parameter without one stays as it is."""
        for weight, parameter in zip(self.weights, self.parameters, strict=True):
            parameter.grad = None
            if not grads.keys().isdisjoint(weight.canonical):
                parameter.grad = to_native(weight, grads, parameter.dtype)
        self.descend(lr)
        self.optimizer.zero_grad(set_to_none=True)
        self.set_t(self.t)  # Adam counts per parameter: those without a gradient, too

    def set_t(self, t):
        self.t = t
        optimizers.set_step(self.optimizer, t)

    def reset(self):
        """Return the optimizer to its state before the first step."""
        optimizers.reset(self.optimizer, self.moments)
        self.t = 0

    def slots(self, moment):
        """The tensors of a moment, "m", "v" or "u", by the native names of their weights."""
        key, state = self.moments[moment], self.optimizer.state
        pairs = zip(self.weights, self.parameters, strict=True)
        return {weight.native: state[parameter][key] for weight, parameter in pairs}
