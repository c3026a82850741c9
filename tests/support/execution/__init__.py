"""What tests of plans and of clusters share."""
