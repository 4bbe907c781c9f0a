"""How long a template says that its message lasts: `30m`, `1h30m`, `7d`, as campaigns write it."""

from __future__ import annotations

import re
from typing import Final

_UNITS_MS: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
_LASTING: Final = re.compile("".join(f"(?:([0-9]{{1,6}}){unit})?" for unit in _UNITS_MS))


def lasting_ms(said: str) -> int | None:
    """Milliseconds of whole numbers with units, the larger first; None for anything else."""
    found = _LASTING.fullmatch(said) if said else None
    if found is None:
        return None
    numbers = zip(found.groups(), _UNITS_MS.values(), strict=True)
    return sum(int(number) * unit_ms for number, unit_ms in numbers if number is not None)
