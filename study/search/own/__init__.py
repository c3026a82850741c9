"""What the finders share that sweep a model of the user's own, whatever its framework."""
