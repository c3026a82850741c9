"""Programs that train a user's PyTorch module."""
