"""A user's own Keras or PyTorch model as an engine: the same seam as for the built-in networks."""
