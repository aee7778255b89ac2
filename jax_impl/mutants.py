"""Deliberate bugs: (file, text, what to put in its place, what is wrong then).

Each text occurs once in its file. A test suite that stays green with one of them in place
does not check what it says it checks.
"""

MUTANTS = (
    (
        "lstm.py",
        "z_i, z_f, z_g, z_o = jnp.split(z, 4, axis=1)",
        "z_i, z_f, z_o, z_g = jnp.split(z, 4, axis=1)",
        "gates in the order i f o g, as ONNX and others have them",
    ),
    (
        "lstm.py",
        "lax.scan(partial(cell, params), (h, c), xs)",
        "lax.scan(partial(cell, params), (h, c), xs, reverse=True)",
        "time runs backwards",
    ),
    (
        "lstm.py",
        "xs = jnp.swapaxes(x, 0, 1)",
        "xs = jnp.reshape(x, (x.shape[1], len(x), -1))",
        "scan walks over a reshaped batch: the right shape, the wrong axis",
    ),
    (
        "lstm.py",
        "h = o * jnp.tanh(c)",
        "h = o * c",
        "the cell goes out without its tanh",
    ),
    (
        "lstm.py",
        "c = f * c + i * g                                        # (B, H)   (4)",
        "c = f * c + i * g                                        # (B, 4H)  (4)",
        "a shape comment lies",
    ),
    (
        "lstm.py",
        "# (B, H), (B, H), (T, B, H)",
        "# (B, H), (B, H), (B, T, H)",
        "a shape comment forgets that scan stacks along the first axis",
    ),
    (
        "lstm.py",
        "2451-2471. No peepholes; one bias.",
        "2451-2471. No peepholes; two biases.",
        "the docstring says something else than the other three",
    ),
    (
        "mlp.py",
        '+ params[f"b_{layer}"]  # (B, N)',
        "                        # (B, N)",
        "no layer has a bias",
    ),
    (
        "neuron.py",
        'activate = activation(recipe["activations"][0])',
        'activate = activation("sigmoid")',
        "the neuron is a sigmoid, whatever was asked for",
    ),
    (
        "activations.py",
        "return (z >= 0).astype(z.dtype)",
        "return (z > 0).astype(z.dtype)",
        "the threshold unit does not fire at the threshold",
    ),
    (
        "activations.py",
        '"relu": jax.nn.relu,',
        '"relu": lambda z: jax.numpy.maximum(z, 0),',
        "the derivative of relu at 0 is 1/2",
    ),
    (
        "losses.py",
        "return losses.mean()",
        "return losses.sum()",
        "the loss is no mean over the batch",
    ),
    (
        "losses.py",
        "_sum(optax.l2_loss(p, y))",
        "_sum(optax.squared_error(p, y))",
        "half the squared error is the whole",
    ),
    (
        "losses.py",
        "_mean(_sum(optax.squared_error(p, y)), weight)",
        "_mean(optax.squared_error(p, y), weight)",
        "the squared error is a mean over the outputs, not their sum",
    ),
    (
        "optimizers.py",
        "eps=eps, eps_root=0.0",
        "eps=0.0, eps_root=eps",
        "Adam's eps stands inside the root",
    ),
    (
        "optimizers.py",
        'state = {"t": state["t"] + 1}',
        'state = {"t": state["t"]}',
        "every step is the first one to the bias correction",
    ),
    (
        "optimizers.py",
        "optax.trace(decay=mu, nesterov=False",
        "optax.trace(decay=mu, nesterov=True",
        "momentum looks ahead",
    ),
    (
        "optimizers.py",
        "{p: state[name][p] for p in grads}",
        "{p: 0 * state[name][p] for p in grads}",
        "the moments are forgotten after every step",
    ),
    (
        "adapter.py",
        "if end < len(rows):",
        "if end < len(rows) and not parts:",
        "the lean epoch drops the ragged last batch",
    ),
    (
        "adapter.py",
        "self.carry, data, rows[now], drawn, lr[i]",
        "self.carry, data, rows[start:], drawn, lr[i]",
        "a step of the idiomatic epoch takes all the examples that are left",
    ),
    (
        "adapter.py",
        "batch = {name: array[rows] for name, array in data.items()}",
        "batch = {name: array[: len(rows)] for name, array in data.items()}",
        "every batch of an epoch is the first one of the data",
    ),
    (
        "activations.py",
        "return jnp.where(z > 0, z, alpha * z)",
        "return jax.nn.leaky_relu(z, alpha)",
        "the derivative of a leaky ReLU at 0 is 1",
    ),
    (
        "activations.py",
        "partial(jax.nn.gelu, approximate=False)",
        "partial(jax.nn.gelu, approximate=True)",
        "GELU is the one with tanh",
    ),
    (
        "losses.py",
        "jax.nn.relu(1 - y * scores)",
        "jnp.maximum(1 - y * scores, 0)",
        "the derivative of the hinge at its kink is 1/2",
    ),
    (
        "losses.py",
        "weights=weight)",
        "weights=None)",
        "weights of the examples are ignored",
    ),
    (
        "losses.py",
        "_mean(jnp.where(wrong, margin, 0), weight)",
        "_mean(margin, weight)",
        "the true class counts in the multiclass hinge",
    ),
    (
        "optimizers.py",
        "eps_in_sqrt=False",
        "eps_in_sqrt=True",
        "RMSprop's epsilon stands inside the root, optax's default",
    ),
    (
        "optimizers.py",
        'start = recipe["start"] if recipe["name"] == "adagrad" else 0.0',
        "start = 0.0",
        "Adagrad starts at zero, whatever was asked for",
    ),
    (
        "optimizers.py",
        "return _decayed(d, params, weight_decay), moments",
        "return d, moments",
        "AdamW does not decay",
    ),
    (
        "optimizers.py",
        "optax.clip_by_global_norm(norm)",
        "optax.clip_by_block_rms(norm)",
        "gradients are clipped one by one",
    ),
    (
        "regularizers.py",
        "tuple(range(x.ndim - 1))",
        "(0,)",
        "batch norm of pictures keeps statistics for every pixel",
    ),
    (
        "regularizers.py",
        "(W * jnp.sign(W)).sum()",
        "jnp.abs(W).sum()",
        "the derivative of the L1 penalty at 0 is 1",
    ),
    (
        "regularizers.py",
        "(H - by[0], W - by[1],",
        "(H + by[0], W + by[1],",
        "pictures move the other way",
    ),
    (
        "layers.py",
        "return jnp.where(z > 0, z, a * z)",
        "return jnp.where(z > 0, a * z, z)",
        "PReLU's slope is on the wrong side",
    ),
    (
        "sequential.py",
        'momentum=layer["momentum"], unbiased=layer["unbiased"],',
        'momentum=1 - layer["momentum"], unbiased=layer["unbiased"],',
        "the momentum of batch norm is the weight of the old value, as in Keras",
    ),
    (
        "adapter.py",
        'if "clip" in self.recipe:',
        'if "clips" in self.recipe:',
        "gradients are never clipped",
    ),
)
