"""What was true when, and what was believed when."""
