"""Your own module of PyTorch: a sweep that leaves it as it was."""
