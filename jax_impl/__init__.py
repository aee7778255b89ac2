"""JAX: networks as pure functions of a dict of arrays, with optax's losses and optimizers."""
