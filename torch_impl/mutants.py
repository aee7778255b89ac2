"""Deliberate bugs: (file, text as it stands, text as it must not be, what is wrong).

Each text occurs once in its file. The tests must notice every one of them.
"""

MUTANTS = (
    (
        "activations.py",
        "(z >= 0)",
        "(z > 0)",
        "the threshold unit does not fire at exactly 0",
    ),
    (
        "activations.py",
        '"relu": torch.relu',
        '"relu": lambda z: z.clamp(min=0)',
        "the derivative of relu at 0 is 1",
    ),
    (
        "losses.py",
        'F.mse_loss(prediction, y, reduction="mean")',
        'F.mse_loss(prediction, y, reduction="sum")',
        "sum for mean over the elements",
    ),
    (
        "losses.py",
        "    return squared_error(prediction, y) / 2",
        "    return squared_error(prediction, y)",
        "the half is forgotten",
    ),
    (
        "optimizers.py",
        "        momentum=mu,",
        "        momentum=mu**2,",
        "wrong momentum coefficient",
    ),
    (
        "optimizers.py",
        "        nesterov=False,",
        "        nesterov=mu > 0,",
        "Nesterov's momentum for the heavy ball",
    ),
    (
        "optimizers.py",
        "        eps=eps,",
        "        eps=10 * eps,",
        "eps ten times too large, seen only where gradients are small",
    ),
    (
        "optimizers.py",
        '{"m": "exp_avg", "v": "exp_avg_sq"}',
        '{"v": "exp_avg", "m": "exp_avg_sq"}',
        "the names of Adam's two moments are swapped",
    ),
    (
        "weights.py",
        "TRANSPOSED = (lambda W: W.T, lambda W: (W.T,))",
        "TRANSPOSED = (lambda W: W.reshape(W.shape[::-1]), lambda W: (W.reshape(W.shape[::-1]),))",
        "reshaped where it should be transposed: right shape, right round trip, wrong weights",
    ),
    (
        "lstm.py",
        'Weight("lstm.weight_hh_l0", ("W_h",), *TRANSPOSED)',
        'Weight("lstm.weight_hh_l0", ("W_h",), lambda W: W[:, ::-1].T, lambda W: (W.T[:, ::-1],))',
        "the gates of W_h (and their units) are in reverse order",
    ),
    (
        "lstm.py",
        "nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)",
        "nn.init.zeros_(self.lstm.bias_hh_l0)",
        "the second bias is trained, too",
    ),
    (
        "lstm.py",
        "self.out(h[:, -1])",
        "self.out(h[:, 0])",
        "the prediction is made after the first step, not after the last",
    ),
    (
        "lstm.py",
        "# (B, T, H), (1, B, H)",
        "# (T, B, H), (1, B, H)",
        "a shape comment lies: batch comes first",
    ),
    (
        "mlp.py",
        'outputs[f"z_{l}"], outputs[f"h_{l}"] = z, h',
        'outputs[f"z_{l}"], outputs[f"h_{l}"] = h, z',
        "sums and activations are named the wrong way round",
    ),
    (
        "neuron.py",
        "prediction = self.activation(z)  # (B, 1)",
        "prediction = self.activation(z)  # (1, B)",
        "a shape comment lies: a column, not a row",
    ),
    (
        "player.py",
        "            parameter.grad = None\n        loss",
        "            pass\n        loss",
        "zero_grad is forgotten: gradients of all steps add up",
    ),
    (
        "player.py",
        "        self.set_t(self.t)  # Adam counts per parameter: those without a gradient, too",
        "",
        "a parameter without gradient misses a step in Adam's bias correction",
    ),
    (
        "player.py",
        '["lr"] = lr',
        '["lr"] = lr if self.t == 0 else self.optimizer.param_groups[0]["lr"]',
        "the learning rate of the first step is kept for ever",
    ),
    (
        "epoch.py",
        "index_copy_(0, order, values)",
        "copy_(values)",
        "noise goes by the number of the example, not by its place in the epoch",
    ),
    (
        "adapter.py",
        "                buffer.copy_(value)",
        "                pass",
        "batch-norm statistics move in a function that promises purity",
    ),
    (
        "adapter.py",
        "        self.model.train(train)",
        "        self.model.train()",
        "predictions are made in training mode",
    ),
)
