"""What a power cut leaves of a transaction, as bytes of the database and of its log.

SQLite's order of syncs says what may be there (https://www.sqlite.org/wal.html, and "sync the
header" in wal.c). With `synchronous = FULL`: every commit that returned; of the one under way any
sectors of its frames, garbled even; once these are synced, any pages of a checkpoint that had
begun; and a log that is cut only once all of these are. With less than FULL the log may end
anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from engine.sim.world.scenario import Chance

SECTOR_BYTES: Final = 512
PAGE_BYTES: Final = 4096
LOG_HEADER_BYTES: Final = 32

FULL: Final = 2
"""`PRAGMA synchronous`."""

Image: TypeAlias = tuple[bytes, bytes]
"""The database, and its log."""


def tear(
    chance: Chance, before: Image, after: Image, synchronous: int, before_cut: Image | None = None
) -> Image:
    """What is left where the power goes between `before` and `after`.

    `before_cut` is how things stood before the log was checkpointed to be cut, where it was.
    """
    if before_cut is None:
        return _tear_commit(chance, before, after, synchronous)
    if chance.random() < 0.5:  # noqa: PLR2004 - half
        return _tear_commit(chance, before, before_cut, synchronous)
    (old, log), (new, _) = before_cut, after
    return _mix(chance, old, new, PAGE_BYTES, 0), log


def _tear_commit(chance: Chance, before: Image, after: Image, synchronous: int) -> Image:
    (old, old_log), (new, new_log) = before, after
    if synchronous < FULL:
        return old, new_log[: chance.randint(0, len(new_log))]
    kind = chance.choice(("nothing", "frames", "frames", "garbled", "log", "all"))
    if kind == "nothing" or new_log == old_log:
        return before
    if kind == "all":
        return after
    if kind == "log":
        # Its frames are synced; pages of a checkpoint after it may be written, in any order.
        return _mix(chance, old, new, PAGE_BYTES, 0), new_log
    header = LOG_HEADER_BYTES
    if new_log[:header] != old_log[:header]:
        # The log began anew: its header is synced before any frame (wal.c).
        old_log = new_log[:header] + old_log[header:]
        same = header
    else:
        same = next(
            (n for n, (a, b) in enumerate(zip(old_log, new_log, strict=False)) if a != b),
            min(len(old_log), len(new_log)),
        )
    log = _mix(chance, old_log, new_log, SECTOR_BYTES, same)
    if kind == "garbled" and len(log) > same:
        at = chance.randrange(same, len(log))
        garbage = chance.randbytes(min(SECTOR_BYTES, len(log) - at))
        log = log[:at] + garbage + log[at + len(garbage) :]
    return old, log


def _mix(chance: Chance, old: bytes, new: bytes, unit: int, same: int) -> bytes:
    """Some units of the new bytes over the old ones; all of the first `same` bytes are either's.

    A prefix of the new ones half of the time, any of them otherwise.
    """
    mixed = bytearray(old)
    prefix = chance.randint(same, len(new)) if chance.random() < 0.5 else -1  # noqa: PLR2004 - half
    for start in range(same - same % unit, len(new), unit):
        begin, end = max(start, same), min(start + unit, len(new))
        if prefix >= 0:
            end = min(end, prefix)
            written = begin < prefix
        else:
            written = chance.random() < 0.5  # noqa: PLR2004 - half
        if not written:
            continue
        if len(mixed) < begin:
            mixed.extend(bytes(begin - len(mixed)))
        mixed[begin:end] = new[begin:end]
    return bytes(mixed)
