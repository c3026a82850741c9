"""What makes a user's model the one that it is: its parts, its code, its weights."""
