"""Losses and metrics."""

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from torch_impl.divergences.activations import derivative, pair, same


def cross_entropy_of_probabilities(logits, y):
    return F.nll_loss(torch.log(torch.softmax(logits, dim=1)), y)


def smoothed_and_weighted(logits, y, w):
    """Label smoothing 0.1; the weight of an example is that of its true class."""
    losses = F.cross_entropy(logits, y, label_smoothing=0.1, reduction="none")
    return (w[y] * losses).sum() / w[y].sum()


def crammer_singer(s, y):
    """1 + the largest other score - the true score."""
    true = F.one_hot(y, s.shape[1]).bool()
    others = s.masked_fill(true, -torch.inf).amax(dim=1)
    return F.relu(1 + others - s[true]).mean()


def epoch(x, y, w, *, lr):
    """A linear unit after an epoch, and the loss of each batch on the way."""
    w = torch.nn.Parameter(w.clone())
    optimizer = torch.optim.SGD([w], lr=lr)
    losses, sizes = [], []
    for x_batch, y_batch in DataLoader(TensorDataset(x, y), batch_size=4):
        loss = F.mse_loss(x_batch @ w, y_batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        sizes.append(len(x_batch))
    return w.detach(), torch.tensor(losses), torch.tensor(sizes)


def mean_of_batches(x, y, w):
    _, losses, _ = epoch(x, y, w, lr=0.0)
    return losses.mean()


def mean_of_examples(x, y, w):
    _, losses, sizes = epoch(x, y, w, lr=0.0)
    return (losses * sizes).sum() / sizes.sum()


def loss_after_epoch(x, y, w):
    w, _, _ = epoch(x, y, w, lr=0.1)
    return F.mse_loss(x @ w, y)


def weights_after_epoch(x, y, w):
    w, _, _ = epoch(x, y, w, lr=0.1)
    return w


def decayed(w, weight_decay):
    """Where w is after a step with rate 1 and no gradient but that of the penalty."""
    w = torch.nn.Parameter(w.clone())
    w.grad = torch.zeros_like(w)
    torch.optim.SGD([w], lr=1.0, weight_decay=weight_decay).step()
    return w


ROWS = {
    "S01a": pair(
        "mean over all elements",
        naive=lambda p, y: F.mse_loss(p, y),
        aligned=lambda p, y: F.mse_loss(p, y, reduction="mean"),
    ),
    "S02a": pair(
        "logits",
        naive=lambda logits, y, w: F.cross_entropy(logits, y),
        aligned=lambda logits, y, w: F.cross_entropy(logits, y, reduction="mean"),
    ),
    "S02b": pair(
        "60; gradient 1",
        naive=lambda logits, y: {
            "loss": cross_entropy_of_probabilities(logits, y),
            "gradient": derivative(
                lambda logits: cross_entropy_of_probabilities(logits, y), logits
            ),
        },
        aligned=lambda logits, y: {
            "loss": F.cross_entropy(logits, y),
            "gradient": derivative(lambda logits: F.cross_entropy(logits, y), logits),
        },
    ),
    "S03": pair(
        "100: the logarithm ends there; gradient -1e12",
        naive=lambda p, logits, y: F.binary_cross_entropy(p, y),
        aligned=lambda p, logits, y: F.binary_cross_entropy_with_logits(
            logits, y.expand(2), reduction="mean"
        ),
    ),
    "S04": same(
        "y (1 - a) + a / K",
        lambda logits, y, w: F.cross_entropy(logits, y, label_smoothing=0.1),
    ),
    "S04b": pair(
        "weights the term of each class",
        naive=lambda logits, y, w: F.cross_entropy(logits, y, weight=w, label_smoothing=0.1),
        aligned=smoothed_and_weighted,
    ),
    "S11": pair(
        "divides by the sum of the weights",
        naive=lambda logits, y, w: F.cross_entropy(logits, y, weight=w),
        aligned=lambda logits, y, w: F.cross_entropy(logits, y, weight=w, reduction="mean"),
    ),
    "S12": same(
        "mean over the others",
        lambda logits, y, w: F.cross_entropy(logits, y, ignore_index=2),
    ),
    "S05a": pair(
        "no such loss; hinge_embedding_loss is another",
        naive=lambda s, y: F.hinge_embedding_loss(s, 2 * y - 1),
        aligned=lambda s, y: F.relu(1 - (2 * y - 1) * s).mean(),
    ),
    "S05b": pair(
        "Weston-Watkins, over the number of classes",
        naive=lambda s, y: F.multi_margin_loss(s, y),
        aligned=crammer_singer,
    ),
    "S05c": same("no such loss: formula", crammer_singer),
    "S06": pair(
        "mean over all elements; log q",
        naive=lambda p, q: F.kl_div(q.log(), p, reduction="mean"),
        aligned=lambda p, q: F.kl_div(q.log(), p, reduction="batchmean"),
    ),
    "S07": pair(
        "smooth L1 is Huber / beta",
        naive=lambda p, y: F.smooth_l1_loss(p, y, beta=2.0),
        aligned=lambda p, y: F.huber_loss(p, y, delta=2.0),
    ),
    "S08": pair(
        "expects the log of the rate; eps 1e-8",
        naive=lambda rate, y: F.poisson_nll_loss(rate, y),
        aligned=lambda rate, y: F.poisson_nll_loss(
            rate, y, log_input=False, full=False, eps=1e-7
        ),
    ),
    "S09": pair(
        "1 - cos",
        naive=lambda p, y, ones: F.cosine_embedding_loss(p, y, ones),
        aligned=lambda p, y, ones: F.cosine_embedding_loss(p, y, ones, margin=0.0),
    ),
    "S15": pair(
        "weight_decay adds wd w",
        naive=lambda w: decayed(w, weight_decay=1 / 128),
        aligned=lambda w: decayed(w, weight_decay=2 / 128),
    ),
    "O15a": pair(
        "the loop's own: mean over the batches",
        naive=mean_of_batches,
        aligned=mean_of_examples,
    ),
    "O15b": same("the loop's own: after the epoch", loss_after_epoch),
    "N15": same("as they lie", weights_after_epoch),
}
