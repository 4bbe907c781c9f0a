"""What a shop's past tells, computed from who did what when. Pure, as the core is.

No clock, no I/O, no randomness: equal trails give equal answers, byte for byte.
"""
