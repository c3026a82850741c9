"""What trains lanes: the seam, the update rules, the networks, and a module for each framework."""
