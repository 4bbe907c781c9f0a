"""Ids that wait, the longest first: a queue out of whose midst one may step.

A dict is one, too, until many have left it at its head: each look for the first goes past the holes
that they left, up to a hundred thousand, and to grow stands still for 7 ms there. Here who steps
out leaves his place in the line, and it is thrown away when it comes to the front.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from engine.core.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Iterator


class OldestFirst:
    """Ids with the number since which each waits; numbers never fall from one to the next.

    Memory is O(places), which are all since the first who waits still, be they left or not.
    """

    __slots__ = ("_first_place", "_ids", "_numbers", "_place_of")

    def __init__(self) -> None:
        self._place_of: Shards[int] = Shards()
        self._ids: deque[str] = deque()
        self._numbers: deque[int] = deque()
        self._first_place = 0

    def __len__(self) -> int:
        return len(self._place_of)

    def __iter__(self) -> Iterator[str]:
        """Who waits, the longest first. O(places)."""
        return (one for one, _ in self.items())

    def items(self) -> Iterator[tuple[str, int]]:
        """Who waits, and since when, the longest first. O(places)."""
        place_of = self._place_of
        line = zip(count(self._first_place), self._ids, self._numbers, strict=False)
        return ((one, number) for place, one, number in line if place_of.get(one) == place)

    def add(self, one: str, number: int) -> None:
        """He waits from now on, and did not until now. O(1)."""
        self._place_of[one] = self._first_place + len(self._ids)
        self._ids.append(one)
        self._numbers.append(number)

    def remove(self, one: str) -> None:
        """He waits no more, if he did. O(1)."""
        self._place_of.discard(one)

    def first(self, otherwise: int) -> int:
        """Since when the first has waited; `otherwise` where nobody does. O(1), amortised."""
        ids = self._ids
        while ids:
            if self._place_of.get(ids[0]) == self._first_place:
                return self._numbers[0]
            self._step()
        return otherwise

    def take(self, many: int, before: int = 0) -> list[str]:
        """Remove the first so many, and whoever else has waited since `before` that number.

        O(them), amortised.
        """
        taken: list[str] = []
        while (number := self.first(-1)) >= 0 and (len(taken) < many or number < before):
            taken.append(self._step())
            self._place_of.discard(taken[-1])
        return taken

    def _step(self) -> str:
        """The line moves up by one; who stood there."""
        self._first_place += 1
        self._numbers.popleft()
        return self._ids.popleft()
