"""When a user last entered each campaign, for each value of `per`: small for the few of most users.

A few entries lie flat in one tuple of key, instant and count, three places each: a third of what a
dict of one takes, and as fast to look through. Past `FEW` it is a dict, which stays one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Entry: TypeAlias = tuple[int, int]
"""The start of the newest enrollment, and how many started at that very instant."""

Entries: TypeAlias = tuple[str | int, ...] | dict[str, Entry]

FEW = 4
_WIDTH = 3


def newest_entry(entries: Entries, key: str) -> Entry | None:
    """The newest entry under a key, or None. O(1)."""
    if isinstance(entries, dict):
        return entries.get(key)
    flat: Any = entries
    for place in range(0, len(flat), _WIDTH):
        if flat[place] == key:
            return flat[place + 1], flat[place + 2]
    return None


def with_entry(entries: Entries, key: str, at_ms: int, count: int) -> Entries:
    """The entries with this one as the newest under its key; a dict is changed in place. O(1)."""
    if isinstance(entries, dict):
        entries[key] = (at_ms, count)
        return entries
    if not entries:
        return (key, at_ms, count)
    place, end = 0, len(entries)
    while place < end and entries[place] != key:
        place += _WIDTH
    if place == FEW * _WIDTH:
        return {**dict(each_entry(entries)), key: (at_ms, count)}
    return (*entries[:place], key, at_ms, count, *entries[place + _WIDTH :])


def each_entry(entries: Entries) -> Iterator[tuple[str, Entry]]:
    """Every key with its newest entry, in the order in which the keys first came."""
    if isinstance(entries, dict):
        yield from entries.items()
        return
    flat: Any = entries
    for place in range(0, len(flat), _WIDTH):
        yield flat[place], (flat[place + 1], flat[place + 2])


def count_entries(entries: Entries) -> int:
    """How many keys there are. O(1)."""
    return len(entries) if isinstance(entries, dict) else len(entries) // _WIDTH


def only_entries(entries: Entries, asked: Callable[[str, int], bool]) -> Entries:
    """Those for whose key and instant `asked` is true. O(entries)."""
    kept: Entries = ()
    for key, (at_ms, count) in each_entry(entries):
        if asked(key, at_ms):
            kept = with_entry(kept, key, at_ms, count)
    return kept
