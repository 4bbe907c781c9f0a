"""Hairspring: events in, per-user state machines, deadlines to the millisecond, messages out."""

__version__ = "0.1.0"
