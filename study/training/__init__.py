"""One group of trials in one process: from a Learner to runs."""
