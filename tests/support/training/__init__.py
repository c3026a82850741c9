"""Learners for tests of training."""
