"""Programs of the user's own that are started, read and ended."""
