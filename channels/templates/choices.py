"""The answers that an in-app message lists (`choices`): `1-5`, or `Yes, No`."""

from __future__ import annotations

import re
from typing import Final

CHOICES_MAX: Final = 100
"""Answers of one message; what is listed beyond them is left out."""

_RANGE: Final = re.compile(r"\s*([0-9]{1,18})\s*-\s*([0-9]{1,18})\s*")


def choices(said: str) -> list[str]:
    """`1-5` is each number from 1 to 5, else what commas part. O(length)."""
    ends = _RANGE.fullmatch(said)
    if ends is not None:
        first, last = int(ends[1]), int(ends[2])
        if first <= last < first + CHOICES_MAX:
            return [str(number) for number in range(first, last + 1)]
    return [one.strip() for one in said.split(",") if one.strip()][:CHOICES_MAX]


def list_answers(said: str) -> bool:
    """Whether a text lists any, and is no range that is none (`5-1`, `1-1000`). O(length)."""
    found = choices(said)
    return bool(found) and not (len(found) == 1 and _RANGE.fullmatch(said) and "-" in found[0])
