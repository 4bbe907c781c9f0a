"""What is kept of a user's past, and what is found again of it for those who ask late."""
