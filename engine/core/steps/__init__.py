"""The steps of a campaign: what each kind is, and what it does when an enrollment comes to it."""
