"""When a user last entered each campaign, for each value of `per`: small for the few of most users.

A few entries lie flat in one tuple of key, instant and marks, three places each: a third of what a
dict of one takes, and as fast to look through. Past `FEW` it is a dict, which stays one.

The marks are one integer, since another place would cost every user as much again. Its lowest 20
bits are how many enrollments started at that very instant; the next is whether he was ever
delivered anything under that key; above are 43 bits with the instant at which an enrollment under
it ended last, 0 where none that lasted did. A version that kept the count alone saved the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Entry: TypeAlias = tuple[int, int]
"""The start of the newest enrollment, and the marks."""

Entries: TypeAlias = tuple[str | int, ...] | dict[str, Entry]

FEW = 4
COUNT_MAX = (1 << 20) - 1
"""Enrollments that are counted at one instant."""

_WIDTH = 3
_SERVED = COUNT_MAX + 1
_ENDED_BITS = 21


def entry_key(campaign_id: str, per: str) -> str:
    """Under what the newest entry is kept."""
    return f"{campaign_id}\n{per}" if per else campaign_id


def count_of(marks: int) -> int:
    """How many enrollments started at the instant of the newest."""
    return marks & COUNT_MAX


def with_count(marks: int, count: int) -> int:
    """The same marks, of so many that started at the newest instant."""
    return marks & ~COUNT_MAX | count


def ended_at_ms(marks: int) -> int:
    """When an enrollment that lasted ended last; 0 where none did, or it is not known."""
    return marks >> _ENDED_BITS


def was_in(marks: int, at_ms: int) -> int:
    """The same marks, where an enrollment began at an instant and is not the newest, or no more.

    Until then he was in it, though it was over at once: that is not noted as it ends.
    """
    return max(ended_at_ms(marks), at_ms) << _ENDED_BITS | marks & (_SERVED | COUNT_MAX)


def is_served(marks: int) -> bool:
    """Whether any message of the campaign was ever delivered."""
    return bool(marks & _SERVED)


def join_marks(marks: int, other: int) -> int:
    """What is known of both, but for the count, which is that of the first."""
    ended_ms = max(ended_at_ms(marks), ended_at_ms(other))
    return ended_ms << _ENDED_BITS | (marks | other & _SERVED) & (_SERVED | COUNT_MAX)


def newest_entry(entries: Entries, key: str) -> Entry | None:
    """The newest entry under a key, or None. O(1)."""
    if isinstance(entries, dict):
        return entries.get(key)
    flat: Any = entries
    for place in range(0, len(flat), _WIDTH):
        if flat[place] == key:
            return flat[place + 1], flat[place + 2]
    return None


def with_end(entries: Entries, key: str, at_ms: int) -> Entries:
    """The entries, with an enrollment under a key that has ended now; one forgotten stays so."""
    flat: Any = entries
    if type(entries) is tuple and len(flat) == _WIDTH and flat[0] == key:  # as most users have it
        start_ms, marks = flat[1], flat[2]
        if marks >> _ENDED_BITS >= at_ms:
            return entries
        return (key, start_ms, at_ms << _ENDED_BITS | marks & (_SERVED | COUNT_MAX))
    entry = newest_entry(entries, key)
    if entry is None or ended_at_ms(entry[1]) >= at_ms:
        return entries
    return with_entry(entries, key, entry[0], was_in(entry[1], at_ms))


def with_served(entries: Entries, key: str) -> Entries:
    """The entries, with something delivered under a key; one that is forgotten stays so."""
    entry = newest_entry(entries, key)
    if entry is None or entry[1] & _SERVED:
        return entries
    return with_entry(entries, key, entry[0], entry[1] | _SERVED)


def with_entry(entries: Entries, key: str, at_ms: int, marks: int) -> Entries:
    """The entries with this one as the newest under its key; a dict is changed in place. O(1)."""
    if isinstance(entries, dict):
        entries[key] = (at_ms, marks)
        return entries
    if not entries:
        return (key, at_ms, marks)
    place, end = 0, len(entries)
    while place < end and entries[place] != key:
        place += _WIDTH
    if place == FEW * _WIDTH:
        return {**dict(each_entry(entries)), key: (at_ms, marks)}
    return (*entries[:place], key, at_ms, marks, *entries[place + _WIDTH :])


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


def only_entries(entries: Entries, asked: Callable[[str, Entry], bool]) -> Entries:
    """Those of whose key and entry `asked` is true. O(entries)."""
    kept: Entries = ()
    for key, (at_ms, marks) in each_entry(entries):
        if asked(key, (at_ms, marks)):
            kept = with_entry(kept, key, at_ms, marks)
    return kept
