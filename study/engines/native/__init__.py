"""Lanes on a processor, the lane as the innermost axis, compiled by Halide."""
