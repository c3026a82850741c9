"""Ways of choosing a rate, from a Learner or from a model of your own."""
