"""A user's data: arrays or streams of batches."""
