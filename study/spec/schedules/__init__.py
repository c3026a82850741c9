"""How the learning rate changes over the steps."""
