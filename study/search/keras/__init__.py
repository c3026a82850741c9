"""Your own Keras model: a sweep that leaves it as it was, and schedules."""
