"""What tests of engines share: plain Keras models, other optimizers, lanes."""
