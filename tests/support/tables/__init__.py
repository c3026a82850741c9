"""What tests of tables share."""
