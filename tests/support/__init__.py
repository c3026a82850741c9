"""What several tests share: made-up studies, a Learner in closed form, the command line."""
