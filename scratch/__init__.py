"""The reference: networks, losses and optimizers from scratch, in NumPy alone."""
