"""Results that were made elsewhere: read, told apart, and stored as a study."""
