"""What clients say, read into inputs, and what a tracking plan holds against it."""
