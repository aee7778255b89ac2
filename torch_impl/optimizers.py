"""Optimizers: canonical name -> torch.optim, every setting written out.

The learning rate arrives with each step, so it starts at 0. ``fused`` (one kernel for
all parameters) is the faster choice for momentum and Adam, the plain loop for SGD:
measured with one thread on 784-16-16-10, batch 64. ``weight_decay`` is coupled, g += wd p
before anything else, but for AdamW: there p shrinks by 1 - lr wd first.
"""

from functools import partial

import torch

PLAIN = {"foreach": False, "maximize": False, "differentiable": False}


def sgd(parameters, *, weight_decay=0.0):
    return _sgd(parameters, 0.0, weight_decay, nesterov=False, fused=False)


def momentum(parameters, *, mu, weight_decay=0.0):
    """Heavy ball: m = mu m + g, p -= lr m."""
    return _sgd(parameters, mu, weight_decay, nesterov=False, fused=True)


def nesterov(parameters, *, mu, weight_decay=0.0):
    """Nesterov (1983) as in Sutskever et al. (2013): m = mu m + g, p -= lr (g + mu m)."""
    return _sgd(parameters, mu, weight_decay, nesterov=True, fused=True)


def _sgd(parameters, mu, weight_decay, *, nesterov, fused):
    return torch.optim.SGD(
        parameters,
        lr=0.0,
        momentum=mu,
        dampening=0.0,
        weight_decay=weight_decay,
        nesterov=nesterov,
        fused=fused,
        **PLAIN,
    )


def adagrad(parameters, *, eps, start, weight_decay=0.0):
    """Duchi et al. (2011): v += g^2 from `start` on, p -= lr g / (sqrt(v) + eps)."""
    return torch.optim.Adagrad(
        parameters,
        lr=0.0,
        lr_decay=0.0,
        weight_decay=weight_decay,
        initial_accumulator_value=start,
        eps=eps,
        fused=False,
        **PLAIN,
    )


def adadelta(parameters, *, rho, eps, weight_decay=0.0):
    """Zeiler (2012); eps stands inside both roots."""
    return torch.optim.Adadelta(
        parameters,
        lr=0.0,
        rho=rho,
        eps=eps,
        weight_decay=weight_decay,
        capturable=False,
        **PLAIN,
    )


def rmsprop(parameters, *, rho, eps, weight_decay=0.0):
    """Tieleman & Hinton (2012); eps stands outside the root: PyTorch's choice."""
    return torch.optim.RMSprop(
        parameters,
        lr=0.0,
        alpha=rho,
        eps=eps,
        weight_decay=weight_decay,
        momentum=0.0,
        centered=False,
        capturable=False,
        **PLAIN,
    )


def adam(parameters, *, beta1, beta2, eps, weight_decay=0.0):
    """Kingma & Ba (2015); eps is added after the bias correction."""
    return _adam(torch.optim.Adam, parameters, beta1, beta2, eps, weight_decay)


def adamw(parameters, *, beta1, beta2, eps, weight_decay):
    """Loshchilov & Hutter (2019): Adam, weight decay apart from the gradient."""
    return _adam(torch.optim.AdamW, parameters, beta1, beta2, eps, weight_decay)


def _adam(kind, parameters, beta1, beta2, eps, weight_decay):
    return kind(
        parameters,
        lr=0.0,
        betas=(beta1, beta2),
        eps=eps,
        weight_decay=weight_decay,
        amsgrad=False,
        capturable=False,
        fused=True,
        **PLAIN,
    )


# canonical name -> (constructor, {canonical moment: its name in optimizer.state})
OPTIMIZERS = {
    "sgd": (sgd, {}),
    "momentum": (momentum, {"m": "momentum_buffer"}),
    "nesterov": (nesterov, {"m": "momentum_buffer"}),
    "adagrad": (adagrad, {"v": "sum"}),
    "adadelta": (adadelta, {"v": "square_avg", "u": "acc_delta"}),
    "rmsprop": (rmsprop, {"v": "square_avg"}),
    "adam": (adam, {"m": "exp_avg", "v": "exp_avg_sq"}),
    "adamw": (adamw, {"m": "exp_avg", "v": "exp_avg_sq"}),
}


def build(parameters, settings):
    """Return the optimizer that ``settings`` names, its state at the start, its moments.

    ``settings`` is {"name": "adam", "beta1": 0.9, ...}. PyTorch would make the state at
    the first step; made here, it can be read and loaded before.
    """
    settings = dict(settings)
    construct, moments = OPTIMIZERS[settings.pop("name")]
    # As one group: PyTorch refuses an empty list, and a network may have no weights.
    optimizer = construct([{"params": parameters}], **settings)
    reset(optimizer, moments)
    return optimizer, moments


def reset(optimizer, moments):
    """Set step counts and moments back: to zero, Adagrad's to where it starts."""
    start = optimizer.defaults.get("initial_accumulator_value", 0.0)
    for parameter in optimizer.param_groups[0]["params"]:
        state = {name: torch.full_like(parameter, start) for name in moments.values()}
        optimizer.state[parameter] = state
    set_step(optimizer, 0)


def set_step(optimizer, t):
    """Write the step count where the optimizer keeps one: for each parameter."""
    if not isinstance(optimizer, torch.optim.SGD):
        for state in optimizer.state.values():
            state["step"] = torch.tensor(float(t), dtype=torch.float32)


def clip_value(parameters, limit):
    """Every element of the gradients into [-limit, limit]."""
    torch.nn.utils.clip_grad_value_(parameters, limit, foreach=False)


def clip_norm(parameters, limit):
    """All gradients times min(1, limit / norm), the norm over all of them together.

    clip_grad_norm_ divides by norm + 1e-6: at a norm of 1e-3 a per mille too much.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(grads, norm_type=2.0, foreach=False)
    factor = (limit / norm).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)


CLIPS = {"value": clip_value, "norm": clip_norm}


def clipping(settings):
    """Return f(parameters), which clips their gradients, or None.

    ``settings`` is {"value": c}, {"norm": c} or empty; ValueError for anything else.
    """
    if not settings:
        return None
    kind, *others = settings
    if kind not in CLIPS or others:
        raise ValueError(f"clip {settings}, expected one of {', '.join(CLIPS)}: a number")
    return partial(CLIPS[kind], limit=settings[kind])
