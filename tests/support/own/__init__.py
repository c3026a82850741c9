"""Studies of a model of the user's own."""
