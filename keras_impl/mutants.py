"""Deliberate bugs that the tests must notice: (file, old text, new text, what is wrong)."""

MUTANTS = (
    (
        "losses.py",
        "y, logits, from_logits=True, ignore_class=None, axis=-1",
        "y, logits, ignore_class=None, axis=-1",
        "Keras' default: logits taken for probabilities",
    ),
    (
        "losses.py",
        "return ops.mean(ops.sum(ops.square(y - prediction), axis=-1))",
        "return ops.mean(ops.square(y - prediction))",
        "a mean over the outputs instead of their sum",
    ),
    (
        "optimizers.py",
        "mu = ops.convert_to_tensor(self.mu, variable.dtype)",
        "mu = ops.cast(self.mu, variable.dtype)",
        "0.9 goes through float32",
    ),
    (
        "optimizers.py",
        "m = mu * slot + dense(gradient)\n        self.assign(slot, m)\n        self.assign_sub(variable, lr * m)",
        "m = mu * slot + lr * dense(gradient)\n        self.assign(slot, m)\n        self.assign_sub(variable, m)",
        "Keras' own momentum: the old learning rate stays in the buffer",
    ),
    (
        "optimizers.py",
        "ops.sqrt(v) / scalar(ops.sqrt(self.correction2)) + scalar(self.eps)",
        "(ops.sqrt(v) + scalar(self.eps)) / scalar(ops.sqrt(self.correction2))",
        "Keras' own Adam: eps before the bias correction",
    ),
    (
        "optimizers.py",
        "t = ops.cast(self.iterations + 1, \"float64\")",
        "t = ops.cast(self.iterations + 2, \"float64\")",
        "the bias correction is one step ahead",
    ),
    (
        "mlp.py",
        "{f\"z_{number}\": z, f\"h_{number}\": hidden}",
        "{f\"z_{number}\": hidden, f\"h_{number}\": z}",
        "names of z and h swapped",
    ),
    (
        "lstm.py",
        "Weight(\"lstm/lstm_cell/bias\", (\"b\",))",
        "Weight(\"lstm/lstm_cell/bias\", (\"b\",), lambda b: b.reshape(4, -1)[::-1].ravel(), lambda b: (b.reshape(4, -1)[::-1].ravel(),))",
        "gates in the order o g f i, there and back",
    ),
    (
        "lstm.py",
        "# (B, T, H)",
        "# (B, H, T)",
        "a shape comment that lies",
    ),
    (
        "lstm.py",
        "logits = dense(last_hidden)",
        "logits = dense(hidden[:, 0])",
        "reads the first step, not the last",
    ),
    (
        "engine.py",
        "outputs = model(x, training=True)",
        "outputs = model(x, training=False)",
        "trains in evaluation mode",
    ),
    (
        "engine.py",
        "        variable.assign(value)",
        "        variable.assign(variable)",
        "looking at a gradient moves the state",
    ),
    (
        "engine.py",
        "        if full < steps:",
        "        if full == 0:",
        "the smaller last batch is dropped",
    ),
    (
        "engine.py",
        "batch[name] = tf.gather(values, positions)",
        "batch[name] = tf.gather(values, rows)",
        "noise follows the data instead of the place in the epoch",
    ),
    (
        "adapter.py",
        "variable.assign(ops.zeros_like(variable))",
        "ops.zeros_like(variable)",
        "load keeps the old momentum",
    ),
)
