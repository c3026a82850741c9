"""What happened, on the disk."""
