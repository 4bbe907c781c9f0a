"""Connections that have heard their last: open for a moment, so that their clients can read it."""

from __future__ import annotations

import asyncio
from typing import Final

from typing_extensions import override

LEAVING_MAX: Final = 32
"""How many of them a port may have; one too many ends the first."""

_LINGER_S: Final = 1.0


class Leaving(asyncio.Protocol):
    """A connection that has heard its last, while its client reads that: what it says is dropped.

    A close while more comes in would be a reset, with which a client loses what it has not read
    (RFC 9112, 9.6).
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        leaving: dict[Leaving, None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._transport = transport
        self._leaving = leaving
        self._timer = loop.call_later(_LINGER_S, transport.abort)
        leaving[self] = None
        transport.write_eof()
        if not transport.is_reading():  # of requests in a row, as many waited as may
            transport.resume_reading()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        self._timer.cancel()
        self._leaving.pop(self, None)
        unbind(self._transport)

    def abort(self) -> None:
        """Close now."""
        self._leaving.pop(self, None)
        self._transport.abort()


def unbind(transport: asyncio.Transport | None) -> None:
    """A closed transport of asyncio refers to itself by this method of its own."""
    getattr(transport, "__dict__", {}).pop("_read_ready_cb", None)
