"""Quantities as shops write them: sizes and shares; durations are `engine.core.durations`."""

from __future__ import annotations

import re

SIZE_BYTES_MAX = 1 << 40
"""A tebibyte; nothing here is meant to be larger."""

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20}
_UNITS["GIB"] = 1 << 30
_SIZE = re.compile(r"([0-9]{1,13})\s*([KMG]I?B|B)", re.IGNORECASE)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%")


def parse_share(text: str) -> float:
    """The share, 0.0 to 1.0, that a text such as `10%` or `0.5%` stands for.

    Raises:
        ValueError: The text is no share.
    """
    found = _SHARE.fullmatch(text.strip())
    percent = float(found[1]) if found else -1.0
    if not 0 <= percent <= 100:  # noqa: PLR2004 - that is what a per cent is
        raise ValueError(f"{text[:60]!r} is no share; write it from 0% to 100%, like 10%")
    return percent / 100


def parse_size_bytes(text: str) -> int:
    """The bytes, 0 to `SIZE_BYTES_MAX`, that a text such as `1 MiB` or `500 kB` stands for.

    Raises:
        ValueError: The text is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    size = int(found[1]) * _UNITS[found[2].upper()] if found else -1
    if not 0 <= size <= SIZE_BYTES_MAX:
        raise ValueError(f"{text[:60]!r} is no size; write it like 32 KiB, 1 MiB or 500 kB")
    return size
