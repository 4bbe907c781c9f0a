"""Every limit on an expression, so that no text and no data can hold the process up."""

from __future__ import annotations

TEXT_LENGTH_MAX = 16_384
"""Code points in the text of one expression."""

NESTING_MAX = 32
"""How deep brackets, calls and operands may nest in the text."""

HEIGHT_MAX = 100
"""How high the tree may be: also bounds chains such as `1 + 1 + …` and `a.b.c…`.

`&&`, `||` and lists count once however many operands they have.
"""

FAULTS_MAX = 25
"""So many faults of one expression are told; what follows is not looked at."""

WORK_MAX = 100_000
"""Elements that all macros of one question together may visit; then it is a `CelError`.

So do events that the condition on a counted event is asked of, and every fourth character that a
regular expression is; within macros and such conditions also each element that is compared or
joined, and every 256 characters that are joined or searched (`costly`).
"""

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1
"""Integers are 64 bits; a result outside is a `CelError`."""

INT_EXACT_MAX = 2**53
"""Up to this magnitude every integer is also a double, so both compare alike."""

DURATION_S_MAX = 9_223_372_036
"""Seconds in the longest duration of either sign, 292 years: 64 bits of nanoseconds."""

PATTERN_LENGTH_MAX = 512
"""Code points in a regular expression."""

PATTERN_STATES_MAX = 500
"""States of the automaton made from a regular expression, its counted repetitions written out."""

SUBJECT_LENGTH_MAX = 8_192
"""Code points in a text that a regular expression is asked about."""

STATE_VISITS_MAX = 100_000
"""States that all regular expressions of one question together visit, each step counted once."""
