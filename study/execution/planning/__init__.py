"""What is to be trained, in which groups, with what, and how long that takes."""
