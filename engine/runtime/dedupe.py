"""Which message ids were taken already: 64-bit hashes in two generations.

An id is remembered for at least the window and at most twice as long. At two hashes in 5 million
remembered ids, a fresh id is taken for a known one with a chance of about 3e-13.

A generation is many small sets. One set of two million hashes takes 50 ms to grow by its next
step, and 100 ms to go: nobody would be served meanwhile.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from xxhash import xxh3_64_intdigest as hash_of

from engine.core.shards import SHARDS_MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.inputs import Imported

__all__ = ["HASH_CODE", "Dedupe", "hash_of"]

SHARDS_GONE_AT_ONCE: Final = 4
"""Shards of a generation that is over which go at a time: 40,000 hashes at most, in 2 ms."""

HASH_CODE = "Q"
"""The array type of stored hashes: unsigned 64 bit, native byte order."""


class Dedupe:
    """A bounded memory of ids.

    Args:
        window_ms: For how long an id is refused after it was taken.
        ids_max: How many ids are remembered at most; past that the oldest go first.

    Attributes:
        new: Hashes of the ids taken in this generation, by shard.
        old: Those of the generation before.
        taken: How many ids this generation has.
        full_at_ms: When this generation's window is over.
        forgotten: Ids that had to go before their window was over.
    """

    __slots__ = (
        "_generation_max",
        "_gone",
        "_old_taken",
        "_window_ms",
        "forgotten",
        "full_at_ms",
        "new",
        "old",
        "taken",
    )

    def __init__(self, window_ms: int, ids_max: int) -> None:
        self._window_ms = window_ms
        self._generation_max = max(1, ids_max // 2)
        self.new = _shards()
        self.old = _shards()
        self.taken = self._old_taken = 0
        self._gone: list[set[int]] = []
        self.full_at_ms = 0
        self.forgotten = 0

    def __len__(self) -> int:
        return self.taken + self._old_taken

    def __contains__(self, message_id: str) -> bool:
        """Whether an id is known, as `take` would find it. O(1)."""
        digest = hash_of(message_id.encode())
        shard = digest & SHARDS_MASK
        return digest in self.new[shard] or digest in self.old[shard]

    def take(self, message_id: str, now_ms: int) -> int | None:
        """The hash of a new id, which is known from now on; None for one that is known. O(1).

        A hot loop may do this itself: `turn` where `now_ms` is not before `full_at_ms`, look for
        `hash_of` the id in its shard of `new` and `old`, add it to that of `new` and count it as
        `taken`; and `limit` now and then.
        """
        if now_ms >= self.full_at_ms or self.taken >= self._generation_max:
            self.turn(now_ms)
        digest = hash_of(message_id.encode())
        shard = self.new[digest & SHARDS_MASK]
        if digest in shard or digest in self.old[digest & SHARDS_MASK]:
            return None
        shard.add(digest)
        self.taken += 1
        return digest

    def fresh(self, history: Iterable[Imported]) -> list[Imported]:
        """Those whose ids are not known, each id once: what `take` would take. O(all)."""
        unknown: dict[str, Imported] = {}
        for one in history:
            if one.message_id not in self:
                unknown.setdefault(one.message_id, one)
        return list(unknown.values())

    def restore(self, at_ms: int, hashes: bytes) -> None:
        """Remember what an earlier run took at that instant; rows come oldest first. O(hashes)."""
        if at_ms >= self.full_at_ms:
            self.turn(at_ms)
        new = self.new
        for digest in array(HASH_CODE, hashes):
            if self.taken >= self._generation_max:
                self.turn(at_ms)
                new = self.new
            new[digest & SHARDS_MASK].add(digest)
            self.taken += 1

    def limit(self, now_ms: int) -> None:
        """Begin a new generation where the present one has as many ids as it may.

        Some of what a generation that is over has left goes, too. O(that).
        """
        if self.taken >= self._generation_max:
            self.turn(now_ms)
        del self._gone[-SHARDS_GONE_AT_ONCE:]

    def turn(self, now_ms: int) -> None:
        """Begin a new generation: the present one is full, or its window is over. O(shards)."""
        over_ms = now_ms - self.full_at_ms
        if over_ms < 0:
            self.forgotten += self._old_taken
        self._gone += [shard for shard in self.old if shard]
        self.old, self._old_taken = self.new, self.taken
        self.new, self.taken = _shards(), 0
        if over_ms >= self._window_ms:
            # Nothing came for another window: all of the present one are old enough to go.
            self._gone += [shard for shard in self.old if shard]
            self.old, self._old_taken = _shards(), 0
        # In step with the generation before, so that a quiet time lengthens no memory.
        began_at_ms = self.full_at_ms if 0 <= over_ms < self._window_ms else now_ms
        self.full_at_ms = began_at_ms + self._window_ms


def _shards() -> list[set[int]]:
    return [set() for _ in range(SHARDS_MASK + 1)]
