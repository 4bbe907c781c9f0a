"""Taking connections from listening sockets, up to as many as a port may have open.

asyncio's own server has no limit: it takes connections until the process has no file left to open,
and then neither the store nor a mail server can be opened either, while the loop reports each
attempt. Here what is too many hears so at once, in the few bytes that need no transport; and where
the system has nothing left, the socket rests a moment.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from engine.server.answers import RETRY_AFTER_S, Refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from engine.server.connections import Connection, Connections

BACKLOG: Final = 1024
"""Connections that the system keeps while the loop is at other work."""

TURNED_AWAY_MAX: Final = 32
"""Connections that were turned away and are still open, so that their clients can read why."""

_ACCEPTS_AT_ONCE = 32
_AGAIN_S = 0.25
_LINGER_S = 1.0
_SAY_EVERY_S = 1.0


class Acceptor:
    """Takes connections; made while a loop runs, ended by `close`.

    Args:
        listening: Bound; they listen from now on. Owned from here on.
        connections: Where what is taken belongs.
        make: The protocol of a new connection.
        log: Told at most once a second of each thing that happens often.

    Attributes:
        turned_away: Connections that were too many, since the start.

    Raises:
        OSError: A socket cannot listen; all are closed.
    """

    def __init__(
        self,
        listening: Sequence[socket.socket],
        connections: Connections,
        make: Callable[[], Connection],
        log: FilteringBoundLogger,
    ) -> None:
        self.turned_away = 0
        self._listening = listening
        self._connections = connections
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._leaving: deque[tuple[float, socket.socket]] = deque()
        self._parting: asyncio.TimerHandle | None = None
        self._resting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._full = _Seldom(log, "connections.turned_away")
        self._failing = _Seldom(log, "connections.not_accepted")
        self._closed = False
        try:
            for door in listening:
                door.setblocking(False)
                door.listen(BACKLOG)
        except OSError:
            self.close()
            raise
        for door in listening:
            self._loop.add_reader(door, self._accept, door)

    def close(self) -> None:
        """Take no connection more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for timer in self._resting.values():
            timer.cancel()
        for door in self._listening:
            self._loop.remove_reader(door)
            door.close()
        if self._parting is not None:
            self._parting.cancel()
        for _, turned_away in self._leaving:
            turned_away.close()
        self._full.close()
        self._failing.close()

    def _accept(self, door: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                taken, _ = door.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of files, or of memory: the system would wake us again and again.
                self._failing.say(why=error.strerror)
                self._loop.remove_reader(door)
                self._resting[door] = self._loop.call_later(_AGAIN_S, self._resume, door)
                return
            taken.setblocking(False)
            if self._connections.full:
                self._turn_away(taken)
            else:
                opening = self._loop.create_task(self._open(self._make(), taken))
                self._opening.add(opening)
                opening.add_done_callback(self._opening.discard)

    def _resume(self, door: socket.socket) -> None:
        del self._resting[door]
        self._loop.add_reader(door, self._accept, door)

    async def _open(self, connection: Connection, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, taken)
        except OSError as error:
            self._failing.say(why=error.strerror)
            self._connections.forget(connection)
            taken.close()

    def _turn_away(self, taken: socket.socket) -> None:
        """Say why, and leave the client a moment to read it: a close at once would be a reset."""
        self.turned_away += 1
        self._full.say(open=len(self._connections.open))
        message = f"all {self._connections.most} connections are in use; come again in a moment"
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        refusal = Refusal(503, "connections.full", message, headers=headers)
        try:
            taken.send(self._connections.edge.answer_raw(refusal))
        except OSError:
            taken.close()
            return
        if len(self._leaving) >= TURNED_AWAY_MAX:
            self._leaving.popleft()[1].close()
        end_s = self._loop.time() + _LINGER_S
        self._leaving.append((end_s, taken))
        if self._parting is None:
            self._parting = self._loop.call_at(end_s, self._part)

    def _part(self) -> None:
        self._parting = None
        now_s = self._loop.time()
        while self._leaving and self._leaving[0][0] <= now_s:
            self._leaving.popleft()[1].close()
        if self._leaving:
            self._parting = self._loop.call_at(self._leaving[0][0], self._part)


class _Seldom:
    """A line of log for what may happen thousands of times a second.

    The first is told at once, what follows once a second with its count.
    """

    def __init__(self, log: FilteringBoundLogger, event: str) -> None:
        self._log = log
        self._event = event
        self._unsaid = 0
        self._facts: dict[str, object] = {}
        self._timer: asyncio.TimerHandle | None = None

    def say(self, **facts: object) -> None:
        self._unsaid += 1
        self._facts = facts
        if self._timer is None:
            self._speak()

    def close(self) -> None:
        """Say what is still unsaid."""
        if self._timer is not None:
            self._timer.cancel()
        self._write()

    def _speak(self) -> None:
        self._timer = None
        if self._unsaid:
            self._write()
            self._timer = asyncio.get_running_loop().call_later(_SAY_EVERY_S, self._speak)

    def _write(self) -> None:
        if self._unsaid:
            self._log.warning(self._event, count=self._unsaid, **self._facts)
            self._unsaid = 0
