"""Webhooks in: shops, payment and mail providers, and whatever a shop maps by itself.

`signatures` verifies, each source's module reads what is said into the words of `heard`, `sources`
has them by name, and `door` says it of a user and has it taken.
"""
