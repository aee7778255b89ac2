"""Where Keras on TensorFlow goes its own way: naive and aligned, side by side."""
