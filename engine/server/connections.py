"""Open connections of one port: how many there may be, and how long each may take.

asyncio takes connections until the process has no file left to open, and then neither the store nor
a mail server can be opened either. Here one too many takes the place of one that is idle between
two requests, so that nobody keeps others out by holding connections; where none is idle it hears so
at once, and is not open for long.

A connection is cut where the head of a request takes too long, where an answer is not read, or
where one takes too long whose client may be gone.
(The body has its limit where it is read, `bodies`; one that is idle between requests has aiohttp's
keep-alive timer.) What each does with what it reads is in `connection`.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from engine.runtime.inbox import Unavailable
from engine.server.answers import RETRY_AFTER_S, Refusal
from engine.server.leaving import LEAVING_MAX, Leaving
from engine.server.patience import Patience, Waiting

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from engine.server.connection import Connection
    from engine.server.edge import Edge

CONNECTIONS_MAX = 4096
"""Open connections on one port, where the limit of open files allows as many."""

READ_BYTES_MAX = 64 << 10
"""Read of one connection at once, where asyncio's own loop would take four times as much: what is
read is parsed in one go, and a body in chunks of a few bytes is slow to parse."""

LOOKED_AT_MAX = 32
"""Connections that are looked at for an idle one, where one is too many: those that are not idle
are looked at last the next time."""

_SAY_EVERY_S = 1.0
_SWEEP_S = 0.02
"""Connections that are due within it are cut together."""


class Connections:
    """The open connections of one port.

    Args:
        edge: Says what a connection hears that is cut.
        log: Where what is cut or turned away is told, without addresses.
        most: How many there may be.
        patience: How long each may take.

    Attributes:
        buffer: What any of them reads into; it is taken out before the next one reads.
        open: Those that are open now.
        cut: How many were cut since the start, those that made room among them.
        turned_away: How many were too many, since the start.
        leaving: Those that have heard their last and are open still, longest first.
    """

    def __init__(
        self, edge: Edge, log: FilteringBoundLogger, *, most: int, patience: Patience
    ) -> None:
        self.edge = edge
        self.most = most
        self.buffer = memoryview(bytearray(READ_BYTES_MAX))
        self.open: dict[Connection, None] = {}
        self.cut = 0
        self.turned_away = 0
        self.leaving: dict[Leaving, None] = {}
        self._say_from_s = -inf
        self._log = log
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._heads = Waiting(patience.head_s)
        self._unread = Waiting(patience.write_s)
        self._last = Waiting(patience.last_s)
        self._timer: asyncio.TimerHandle | None = None
        self._all_closed: asyncio.Event | None = None

    @property
    def draining(self) -> bool:
        """Whether no request is taken any more."""
        return self._all_closed is not None

    def take(self, connection: Connection) -> bool:
        """It is open now; whether it may stay."""
        if len(self.open) >= self.most and not self._make_room():
            return False
        self.open[connection] = None
        return True

    def _make_room(self) -> bool:
        """Close one that is idle; whether there was one. O(`LOOKED_AT_MAX`)."""
        for connection in [*islice(self.open, LOOKED_AT_MAX)]:
            if connection.idle and connection not in self._unread.ends_s:
                self.cut += 1
                connection.force_close()
                self.forget(connection)
                return True
            self.open[connection] = self.open.pop(connection)  # behind all others
        return False

    def turn_away(self, transport: asyncio.Transport) -> None:
        """Tell one too many so, in the few bytes that need no request."""
        self.turned_away += 1
        now_s = self._loop.time()
        if now_s >= self._say_from_s:
            self._say_from_s = now_s + _SAY_EVERY_S
            self._log.warning("connections.turned_away", so_far=self.turned_away, most=self.most)
        message = f"all {self.most} connections are in use; come again in a moment"
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        self.part_with(transport, Refusal(503, "connections.full", message, headers=headers))

    def part_with(self, transport: asyncio.Transport, why: Refusal) -> None:
        """Tell why, and close once that could be read: soon, however slowly its client does."""
        transport.write(self.edge.answer_raw(why))
        if len(self.leaving) >= LEAVING_MAX:
            next(iter(self.leaving)).abort()  # who had the most time to read
        transport.set_protocol(Leaving(transport, self.leaving, self._loop))

    def forget(self, connection: Connection) -> None:
        """It is closed. Idempotent."""
        self.open.pop(connection, None)
        self._heads.ends_s.pop(connection, None)
        self._unread.ends_s.pop(connection, None)
        self._last.ends_s.pop(connection, None)
        if self._all_closed is not None and not self.open:
            self._all_closed.set()

    def await_head(self, connection: Connection) -> None:
        """The head of a request has begun, or must begin."""
        self._wait(self._heads, connection)

    def head_came(self, connection: Connection) -> None:
        """The head of a request is there."""
        self._heads.ends_s.pop(connection, None)

    def await_reader(self, connection: Connection) -> None:
        """What was sent does not leave: the client must read first."""
        self._wait(self._unread, connection)

    def read_on(self, connection: Connection) -> None:
        """What was sent has left."""
        self._unread.ends_s.pop(connection, None)

    def await_last(self, connection: Connection) -> None:
        """Its client sends no more, and has answers to come."""
        self._wait(self._last, connection)

    async def drain(self, within_s: float) -> None:
        """Close what is idle, let requests under way end, and cut what is left after `within_s`.

        A request is under way once its head is there: its body is read on. Whoever is cut and waits
        for an answer hears 503: what he has sent may be taken, and may be sent again.
        """
        self._all_closed = asyncio.Event()
        for connection in tuple(self.open):
            connection.end()
        if not self.open:
            return
        try:
            await asyncio.wait_for(self._all_closed.wait(), within_s)
        except TimeoutError:
            self._log.warning("connections.cut", why="draining", count=len(self.open))
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            why = "the process is stopping; send it again in a moment"
            for connection in tuple(self.open):
                connection.cut_off(Refusal(503, Unavailable.code, why, headers=headers))

    def aclose(self) -> None:
        """Stop the timer, and leave nobody behind."""
        if self._timer is not None:
            self._timer.cancel()
        for turned_away in tuple(self.leaving):
            turned_away.abort()

    def _wait(self, waiting: Waiting, connection: Connection) -> None:
        end_s = self._loop.time() + waiting.within_s
        waiting.ends_s[connection] = end_s
        if self._timer is None or self._timer.when() > end_s:
            self._arm(end_s)

    def _arm(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at_s, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        overdue = self._unread.pop_overdue(now_s) + self._last.pop_overdue(now_s)
        for connection in dict.fromkeys(overdue):
            self.cut += 1
            connection.abort()
        for connection in self._heads.pop_overdue(now_s):
            self.cut += 1
            connection.refuse_head(self._patience.head_s)
        first_s = min(self._heads.first_s, self._unread.first_s, self._last.first_s)
        if first_s < inf:
            self._arm(max(first_s, now_s + _SWEEP_S))
