"""Which message ids were taken already: 64-bit hashes in two generations.

An id is remembered for at least the window and at most twice as long. At two hashes in 5 million
remembered ids, a fresh id is taken for a known one with a chance of about 3e-13.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.inputs import Imported

HASH_CODE = "Q"
"""The array type of stored hashes: unsigned 64 bit, native byte order."""


class Dedupe:
    """A bounded memory of ids.

    Args:
        window_ms: For how long an id is refused after it was taken.
        ids_max: How many ids are remembered at most; past that the oldest go first.

    Attributes:
        forgotten: Ids that had to go before their window was over.
    """

    __slots__ = ("_full_at_ms", "_generation_max", "_new", "_old", "_window_ms", "forgotten")

    def __init__(self, window_ms: int, ids_max: int) -> None:
        self._window_ms = window_ms
        self._generation_max = max(1, ids_max // 2)
        self._new: set[int] = set()
        self._old: set[int] = set()
        self._full_at_ms = 0
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def __contains__(self, message_id: str) -> bool:
        """Whether an id is known, as `take` would find it. O(1)."""
        digest = xxh3_64_intdigest(message_id.encode())
        return digest in self._new or digest in self._old

    def take(self, message_id: str, now_ms: int) -> int | None:
        """The hash of a new id, which is known from now on; None for one that is known. O(1)."""
        new = self._new
        if now_ms >= self._full_at_ms or len(new) >= self._generation_max:
            new = self._turn(now_ms)
        digest = xxh3_64_intdigest(message_id.encode())
        if digest in new or digest in self._old:
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
            if at_ms >= self._full_at_ms or len(self._new) >= self._generation_max:
                self._turn(at_ms)
            self._new.add(digest)

    def _turn(self, now_ms: int) -> set[int]:
        """Begin a new generation: the present one is full, or its window is over. O(1)."""
        over_ms = now_ms - self._full_at_ms
        if over_ms < 0:
            self.forgotten += len(self._old)
        # Where nothing came for another window, all of the present one are old enough to go.
        self._old = self._new if over_ms < self._window_ms else set()
        self._new = set()
        # In step with the generation before, so that a quiet time lengthens no memory.
        began_at_ms = self._full_at_ms if 0 <= over_ms < self._window_ms else now_ms
        self._full_at_ms = began_at_ms + self._window_ms
        return self._new
