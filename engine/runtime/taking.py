"""Inputs of the open batch, encoded for the journal soon after they were taken.

Under load a batch is some megabytes of inputs, more than a core's cache holds. Were all of them
encoded as it is sealed, each would be fetched from memory once more, and until then the decoder
would make new ones in memory that is in no cache either.
"""

from __future__ import annotations

from array import array
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from engine.core.inputs import encode_inputs
from engine.runtime.dedupe import HASH_CODE

if TYPE_CHECKING:
    from engine.core.inputs import Input

ENCODED_AT_ONCE: Final = 64
"""Inputs from which on it is worth it; they take some 50 KB."""

_USER_ID: Final = attrgetter("user_id")


class Taken:
    """What was taken for one batch.

    Attributes:
        fresh: Inputs that are not encoded yet, in order.
        hashes: Those of all message ids.
        user_ids: Whose the encoded ones are; "" where any concerns everybody.
    """

    __slots__ = ("_count", "_lines", "fresh", "hashes", "user_ids")

    def __init__(self) -> None:
        self.fresh: list[Input] = []
        self.hashes = array(HASH_CODE)
        self.user_ids: set[str] = set()
        self._lines: list[bytes] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count + len(self.fresh)

    def encode(self, at_least: int = 1) -> None:
        """Encode what is fresh, and let go of it, where there is so much of it. O(that)."""
        fresh = self.fresh
        if len(fresh) < at_least:
            return
        self._lines.append(encode_inputs(fresh))
        self._count += len(fresh)
        try:
            self.user_ids.update(map(_USER_ID, fresh))
        except AttributeError:  # among those that have one
            self.user_ids.update([getattr(one, "user_id", "") for one in fresh])
        fresh.clear()

    def seal(self) -> bytes:
        """All of them as JSON lines, in order. O(their size)."""
        self.encode()
        return b"".join(self._lines)
