"""Measurements whose result is a ratio to a reference line run beside them: see README.md."""
