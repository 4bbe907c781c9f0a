"""What is told of users and campaigns: accounts in words, records, counts, results."""
