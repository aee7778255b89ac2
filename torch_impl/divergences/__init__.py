"""Where PyTorch goes its own way: naive and aligned, side by side."""
