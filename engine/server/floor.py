"""Long bodies are worked on one at a time, in the order in which they came.

Each is worked on in slices, and the loop turns between two of them. Where every body that is there
had its slice in each turn, a turn would take as many slices as there are clients, and whoever waits
for one (a deadline, a page, the shell that takes what was read) as long as all of them together.
One after the other they are through as soon as that, and the first of them sooner.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from engine.runtime.inbox import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONG_FROM_BYTES: Final = 4 << 10
"""A shorter body is worked on at once: it takes less than a slice."""

WAITING_BYTES_MAX: Final = 32 << 20
"""Bytes of bodies that wait for the floor; past that, clients are told to come again."""


class Floor:
    """Has one long body worked on at a time."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._held_bytes = 0

    @asynccontextmanager
    async def given(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait until all long bodies that came before are through. O(1).

        Raises Unavailable where too much waits already.
        """
        if size_bytes < LONG_FROM_BYTES:
            yield
            return
        # One body may be larger than the bound, as the shop has set it: it comes through alone.
        if self._held_bytes and self._held_bytes + size_bytes > WAITING_BYTES_MAX:
            raise Unavailable("too much is waiting to be read", hint="send it again in a moment")
        self._held_bytes += size_bytes
        try:
            async with self._one:
                yield
        finally:
            self._held_bytes -= size_bytes


FLOOR: Final = web.AppKey("floor", Floor)
"""Where an application keeps the one that all its bodies share."""
