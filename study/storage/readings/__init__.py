"""Trials read by another metric and target than they trained for."""
