"""Optimizers."""

import torch
from torch.optim import SGD, Adam, AdamW, RMSprop, lr_scheduler

from torch_impl.divergences.activations import pair, same


def walk(optimizer, **settings):
    """A function of p, g and lr: where p is after one step for each row of g."""

    def steps(p, g, lr=None):
        p = torch.nn.Parameter(p.clone())
        stepper = optimizer([p], **settings)
        for t, gradient in enumerate(g):
            if lr is not None:
                stepper.param_groups[0]["lr"] = lr[t].item()
            p.grad = gradient
            stepper.step()
        return p

    return steps


def first_step(**settings):
    """Adam's first step, as a multiple of what it is to be."""

    def ratio(p, g, lr):
        moved = walk(Adam, **settings)(p, g, lr) - p
        return moved / (-lr * g / (g.abs() + settings["eps"]))

    return ratio


def only_a_has_gradients(a, b, g, lr):
    a, b = torch.nn.Parameter(a), torch.nn.Parameter(b)
    optimizer = AdamW([a, b], lr=lr[0].item(), weight_decay=0.01)
    for gradient in g:
        a.grad = gradient
        optimizer.step()
    return b


def until_silence(p, g, lr, *, set_to_none):
    """A loop that computes no gradient where there is none."""
    p = torch.nn.Parameter(p)
    optimizer = SGD([p], lr=lr[0].item(), momentum=0.9)
    for gradient in g:
        optimizer.zero_grad(set_to_none=set_to_none)
        if gradient.any():
            p.grad = gradient.clone()
        optimizer.step()
    return p


def clipped_by_torch(W, b):
    W.grad, b.grad = W.clone(), b.clone()
    torch.nn.utils.clip_grad_norm_([W, b], max_norm=1.0)
    return {"W": W.grad, "b": b.grad}


def clipped_by_formula(W, b):
    norm = torch.sqrt((W * W).sum() + (b * b).sum())
    factor = torch.clamp(1 / norm, max=1.0)
    return {"W": factor * W, "b": factor * b}


def rates(scheduler, t, *, lr=0.5, **settings):
    """The learning rate of each step t."""
    optimizer = SGD([torch.zeros(1)], lr=lr)
    schedule = scheduler(optimizer, **settings)
    seen = []
    for _ in t:
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(seen)


def updates(g):
    """What Adam subtracts at each step, over lr."""
    p = torch.nn.Parameter(torch.zeros_like(g[0]))
    optimizer = Adam([p], lr=1.0, betas=(0.9, 0.999), eps=1e-8)
    seen = []
    for gradient in g:
        p.data.zero_()
        p.grad = gradient
        optimizer.step()
        seen.append(-p.data.clone())
    return torch.stack(seen)


BETAS = (0.9, 0.999)

ROWS = {
    "O01a": same("m = mu m + g", walk(SGD, momentum=0.9)),
    "O01b": same("the new rate acts on the whole buffer", walk(SGD, momentum=0.9)),
    "O02": same("the same mathematics", walk(SGD, momentum=0.9, nesterov=True)),
    "O02b": pair(
        "(1 - dampening) g, but for the first step",
        naive=walk(SGD, momentum=0.9, dampening=0.9),
        aligned=walk(SGD, momentum=0.9, dampening=0.0),
    ),
    "O03a": pair(
        "rho 0.99, eps 1e-8 outside the root",
        naive=walk(RMSprop),
        aligned=walk(RMSprop, alpha=0.9, eps=1e-30),
    ),
    "O03b": same("outside the root", walk(RMSprop, alpha=0.9, eps=1e-7)),
    "O03d": pair(
        "the rate outside the buffer",
        naive=walk(RMSprop, alpha=0.9, momentum=0.9),
        aligned=walk(RMSprop, alpha=0.9, momentum=0.9, eps=1e-30),
    ),
    "O04": same("eps after the bias correction", first_step(eps=1e-8)),
    "O05a": pair(
        "coupled: g + wd p",
        naive=walk(SGD, momentum=0.9, weight_decay=0.1),
        aligned=walk(SGD, momentum=0.9, weight_decay=0.125),
    ),
    "O05b": pair(
        "coupled: g + wd p",
        naive=walk(Adam, weight_decay=0.1),
        aligned=walk(AdamW, weight_decay=0.1, betas=BETAS, eps=1e-30),
    ),
    "O05c": pair(
        "0.01",
        naive=walk(AdamW),
        aligned=walk(AdamW, weight_decay=0.01, betas=BETAS, eps=1e-30),
    ),
    "O17": same("grad is None: untouched", only_a_has_gradients),
    "O17b": pair(
        "grad is None: the momentum does not coast",
        naive=lambda p, g, lr: until_silence(p, g, lr, set_to_none=True),
        aligned=lambda p, g, lr: until_silence(p, g, lr, set_to_none=False),
    ),
    "O06a": pair(
        "starts at 0, eps 1e-10 outside the root",
        naive=walk(torch.optim.Adagrad),
        aligned=walk(torch.optim.Adagrad, initial_accumulator_value=0.125, eps=1e-30),
    ),
    "O06c": pair(
        "NaN",
        naive=walk(torch.optim.Adagrad, eps=0.0),
        aligned=walk(torch.optim.Adagrad, eps=1e-7),
    ),
    "O07": pair(
        "rate 1, rho 0.9, eps 1e-6",
        naive=walk(torch.optim.Adadelta),
        aligned=walk(torch.optim.Adadelta, lr=1.0, rho=0.9, eps=1e-6),
    ),
    "O08": pair(
        "max(beta2 u, |g| + eps)",
        naive=walk(torch.optim.Adamax, eps=1e-8),
        aligned=walk(torch.optim.Adamax, betas=BETAS, eps=1e-30),
    ),
    "O09": pair(
        "momentum schedule, decay 4e-3",
        naive=walk(torch.optim.NAdam),
        aligned=None,
    ),
    "O10": pair(
        "largest v, then its correction",
        naive=walk(Adam, amsgrad=True),
        aligned=walk(Adam, amsgrad=True, betas=BETAS, eps=1e-30),
    ),
    "O12": pair(
        "all together, over norm + 1e-6",
        naive=clipped_by_torch,
        aligned=clipped_by_formula,
    ),
    "O13a": same(
        "at step 3",
        lambda t: rates(lr_scheduler.MultiStepLR, t, milestones=[3, 6], gamma=0.5),
    ),
    "O13b": pair(
        "eta_min is a rate; rises again",
        naive=lambda t: rates(lr_scheduler.CosineAnnealingLR, t, T_max=8, eta_min=0.125),
        aligned=lambda t: rates(
            lr_scheduler.CosineAnnealingLR, t[:9], T_max=8, eta_min=0.125 * 0.5
        ),
    ),
    "O13c": pair(
        "rate^t",
        naive=lambda t: rates(lr_scheduler.ExponentialLR, t, gamma=0.5),
        aligned=lambda t: rates(lr_scheduler.StepLR, t, step_size=2, gamma=0.5),
    ),
    "N01": pair(
        "the correction in Python's float64",
        naive=updates,
        aligned=lambda g: updates(g.double()),
    ),
}
