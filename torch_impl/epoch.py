"""One epoch over a data set, in two manners that end with the same weights.

``data`` holds tensors (N, ...); ``order``, a tensor of indices, says which example
comes when; ``lrs`` has a learning rate for each step. The last batch may be smaller.
"""

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def idiomatic(model, players, data, order, lrs, batch_size):
    """The loop of the tutorials: DataLoader, running loss; returns the epoch's mean."""
    loader = DataLoader(
        TensorDataset(*data.values()),
        batch_size=batch_size,
        sampler=order.tolist(),  # instead of shuffle=True: the order is given
        drop_last=False,
        num_workers=0,
        generator=torch.Generator(),  # it draws a seed for workers, even for none
    )
    running = dict.fromkeys(players, 0.0)
    for values, lr in zip(loader, lrs, strict=True):
        batch = dict(zip(data, values, strict=True))
        for name, player in players.items():
            player.optimizer.zero_grad()
            loss = player.loss(model(batch), batch)
            player.backward(loss)
            player.descend(lr)
            running[name] += loss.item() * len(values[0])
    return {name: np.array([total / len(order)]) for name, total in running.items()}


def lean(model, players, data, order, lrs, batch_size):
    """Tensors in memory and one batch to refill; returns every step's loss."""
    losses = {name: [] for name in players}
    batch = {name: values[:batch_size].clone() for name, values in data.items()}
    for rows, lr in zip(order.split(batch_size), lrs, strict=True):
        if len(rows) < batch_size:
            batch = {name: values[: len(rows)] for name, values in batch.items()}
        # Batch by batch: all rows gathered at once leave the cache, a third slower.
        for name, values in data.items():
            torch.index_select(values, 0, rows, out=batch[name])
        for name, player in players.items():
            losses[name].append(player.step(model, batch, lr))
    return {name: torch.stack(values).numpy() for name, values in losses.items()}


def by_example(noise, order, N):
    """Noise that comes in the order of the epoch -> in the order of the N examples."""
    return {
        name: values.new_zeros((N, *values.shape[1:])).index_copy_(0, order, values)
        for name, values in noise.items()
    }
