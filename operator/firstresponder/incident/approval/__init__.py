"""What is approved, and whether it still is."""
