"""Where JAX and optax goes its own way: naive and aligned, side by side."""
