"""What travels: bodies and answers, one file a noun."""
