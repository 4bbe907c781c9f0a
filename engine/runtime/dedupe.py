"""Which message ids were taken already: 64-bit hashes in two generations.

An id is remembered for at least the window and at most twice as long. At two hashes in 5 million
remembered ids, a fresh id is taken for a known one with a chance of about 3e-13.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest as hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.inputs import Imported

__all__ = ["HASH_CODE", "Dedupe", "hash_of"]

HASH_CODE = "Q"
"""The array type of stored hashes: unsigned 64 bit, native byte order."""


class Dedupe:
    """A bounded memory of ids.

    Args:
        window_ms: For how long an id is refused after it was taken.
        ids_max: How many ids are remembered at most; past that the oldest go first.

    Attributes:
        new: Hashes of the ids taken in this generation.
        old: Those of the generation before.
        full_at_ms: When this generation's window is over.
        forgotten: Ids that had to go before their window was over.
    """

    __slots__ = ("_generation_max", "_window_ms", "forgotten", "full_at_ms", "new", "old")

    def __init__(self, window_ms: int, ids_max: int) -> None:
        self._window_ms = window_ms
        self._generation_max = max(1, ids_max // 2)
        self.new: set[int] = set()
        self.old: set[int] = set()
        self.full_at_ms = 0
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self.new) + len(self.old)

    def __contains__(self, message_id: str) -> bool:
        """Whether an id is known, as `take` would find it. O(1)."""
        digest = hash_of(message_id.encode())
        return digest in self.new or digest in self.old

    def take(self, message_id: str, now_ms: int) -> int | None:
        """The hash of a new id, which is known from now on; None for one that is known. O(1).

        A hot loop may do this itself: `turn` where `now_ms` is not before `full_at_ms`, look for
        `hash_of` the id in `new` and `old`, add it to `new`; and `limit` now and then.
        """
        new = self.new
        if now_ms >= self.full_at_ms or len(new) >= self._generation_max:
            new = self.turn(now_ms)
        digest = hash_of(message_id.encode())
        if digest in new or digest in self.old:
            return None
        new.add(digest)
        return digest

    def fresh(self, history: Iterable[Imported]) -> list[Imported]:
        """Those whose ids are not known, each id once: what `take` would take. O(all)."""
        unknown: dict[str, Imported] = {}
        for one in history:
            if one.message_id not in self:
                unknown.setdefault(one.message_id, one)
        return list(unknown.values())

    def restore(self, at_ms: int, hashes: bytes) -> None:
        """Remember what an earlier run took at that instant; rows come oldest first."""
        for digest in array(HASH_CODE, hashes):
            if at_ms >= self.full_at_ms or len(self.new) >= self._generation_max:
                self.turn(at_ms)
            self.new.add(digest)

    def limit(self, now_ms: int) -> None:
        """Begin a new generation where the present one has as many ids as it may. O(1)."""
        if len(self.new) >= self._generation_max:
            self.turn(now_ms)

    def turn(self, now_ms: int) -> set[int]:
        """Begin a new generation: the present one is full, or its window is over. O(1)."""
        over_ms = now_ms - self.full_at_ms
        if over_ms < 0:
            self.forgotten += len(self.old)
        # Where nothing came for another window, all of the present one are old enough to go.
        self.old = self.new if over_ms < self._window_ms else set()
        self.new = set()
        # In step with the generation before, so that a quiet time lengthens no memory.
        began_at_ms = self.full_at_ms if 0 <= over_ms < self._window_ms else now_ms
        self.full_at_ms = began_at_ms + self._window_ms
        return self.new
