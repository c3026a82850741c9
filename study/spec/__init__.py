"""What a trial and a study are, and all that their fields mean."""
