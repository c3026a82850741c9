"""Numbers of other projects' tests of schedules and optimizers, and what of them is no schedule or
option of ours.
"""
