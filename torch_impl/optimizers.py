"""Optimizers: canonical name -> torch.optim, every setting written out.

The learning rate arrives with each step, so it starts at 0. ``fused`` (one kernel for
all parameters) is the faster choice for momentum and Adam, the plain loop for SGD:
measured with one thread on 784-16-16-10, batch 64.
"""

import torch


def sgd(parameters):
    return _sgd(parameters, mu=0.0, fused=False)


def momentum(parameters, *, mu):
    """Heavy ball: m = mu m + g, p -= lr m."""
    return _sgd(parameters, mu=mu, fused=True)


def _sgd(parameters, *, mu, fused):
    return torch.optim.SGD(
        parameters,
        lr=0.0,
        momentum=mu,
        dampening=0.0,
        weight_decay=0.0,
        nesterov=False,
        maximize=False,
        foreach=False,
        differentiable=False,
        fused=fused,
    )


def adam(parameters, *, beta1, beta2, eps):
    """Kingma & Ba (2015); eps is added after the bias correction."""
    return torch.optim.Adam(
        parameters,
        lr=0.0,
        betas=(beta1, beta2),
        eps=eps,
        weight_decay=0.0,
        amsgrad=False,
        foreach=False,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=True,
    )


# canonical name -> (constructor, {canonical moment: its name in optimizer.state})
OPTIMIZERS = {
    "sgd": (sgd, {}),
    "momentum": (momentum, {"m": "momentum_buffer"}),
    "adam": (adam, {"m": "exp_avg", "v": "exp_avg_sq"}),
}


def build(parameters, settings):
    """Return the optimizer that ``settings`` names, its state at zero, and its moments.

    ``settings`` is {"name": "adam", "beta1": 0.9, ...}. PyTorch would make the state at
    the first step; made here, it can be read and loaded before.
    """
    settings = dict(settings)
    construct, moments = OPTIMIZERS[settings.pop("name")]
    optimizer = construct(parameters, **settings)
    reset(optimizer, moments)
    return optimizer, moments


def reset(optimizer, moments):
    """Set the moments and the step count of every parameter to zero."""
    for parameter in optimizer.param_groups[0]["params"]:
        state = {name: torch.zeros_like(parameter) for name in moments.values()}
        optimizer.state[parameter] = state
    set_step(optimizer, 0)


def set_step(optimizer, t):
    """Write the step count where the optimizer keeps one: Adam, for each parameter."""
    if isinstance(optimizer, torch.optim.Adam):
        for state in optimizer.state.values():
            state["step"] = torch.tensor(float(t), dtype=torch.float32)
