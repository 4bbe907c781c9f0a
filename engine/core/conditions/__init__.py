"""What a campaign asks of a user: whether it is so, until when, what can change it, and why."""
