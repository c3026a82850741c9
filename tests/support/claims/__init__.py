"""What tests of claims share."""
