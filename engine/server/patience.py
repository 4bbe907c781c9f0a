"""How long a connection may take, and which ones take too long.

All that wait for the same thing have the same time for it, so that the one that waited longest is
always the first of a dict: a timer looks at that one only.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from engine.server.connection import Connection


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a connection may take, in seconds.

    Attributes:
        head_s: For the head of a request, from its first byte; for the first one, from the
            connection on.
        idle_s: Between two requests. Longer than proxies keep an idle connection, so that it is
            they who close it.
        write_s: For its client to read what was sent to it.
        last_s: For the last answers, once its client has said that it will send no more: it may
            be gone.
    """

    head_s: float = 10.0
    idle_s: float = 75.0
    write_s: float = 15.0
    last_s: float = 5.0


class Waiting:
    """Connections that wait for one thing, longest first, each with the loop's time of its end."""

    __slots__ = ("ends_s", "within_s")

    def __init__(self, within_s: float) -> None:
        self.within_s = within_s
        self.ends_s: dict[Connection, float] = {}

    @property
    def first_s(self) -> float:
        """When the first one is due; infinite where there is none."""
        return next(iter(self.ends_s.values()), inf)

    def pop_overdue(self, now_s: float) -> list[Connection]:
        """Those whose time is over. O(their number)."""
        overdue: list[Connection] = []
        for connection, end_s in self.ends_s.items():
            if end_s > now_s:
                break
            overdue.append(connection)
        for connection in overdue:
            del self.ends_s[connection]
        return overdue
