"""Programs that train a user's Keras model."""
