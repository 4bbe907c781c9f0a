"""Events over HTTP, answered once they are durable, beside the same server without an engine.

Each side runs in a process of its own (`bench.serving`), since a load generator that shares the
interpreter with a server would be measured with it. The generator is this process: bare sockets
that are kept alive, one request at a time on each, bytes made beforehand. It needs a sixth of the
server's time, on the other core.

Both servers are started once and asked in turn, a few thousand requests each time, with message
ids that were never sent before. So a neighbour on the machine meets both alike, and what is
measured is the process after its first minute and not its start.

The oracle: every answer is 200, and when the last one is there, as many different events as were
sent are in the journal, as another process reads it. Any other answer ends the measurement: both
sides may well refuse alike.

The `-durable` scenarios have a reference that journals and commits as well (`bench.journaling`),
and enough events that the write-ahead log of both is checkpointed again and again: what is
measured is the engine, in the state that a process is in for the rest of its days. Each repetition
is done in pieces, the other side's between them.
"""

from __future__ import annotations

import selectors
import socket
import tempfile
import time
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from bench.harness import Laps, Run, Standing
from bench.serving import Journal, serving_ours, serving_reference
from bench.shop import WRITE_KEY, draw_calls, write_shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

ANSWER_BYTES_MAX = 65_536
ANSWER_WITHIN_S = 30.0
SENT_OVER = 4
"""Connections that `send` makes."""

_OK = b"HTTP/1.1 200 "


class Connection:
    """One connection, and when the request that is under way on it was sent."""

    __slots__ = ("sent_at_ns", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_WITHIN_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at_ns = 0


class Side:
    """One of the servers, what is still to be sent to it, and the connections to it."""

    def __init__(self, port: int, requests: list[bytes], connections: int) -> None:
        self._left = iter(requests)
        self.connections = [Connection(port) for _ in range(connections)]

    def ask(self, count: int, laps_ns: list[int]) -> None:
        """Send the next `count` requests and wait for every answer.

        Each goes to the connection that is free first; `laps_ns` gets the time that each took.
        """
        requests = [request for _, request in zip(range(count), self._left, strict=False)]
        assert len(requests) == count, "more repetitions than were prepared"
        ask(self.connections, iter(requests), laps_ns)

    def close(self) -> None:
        """Close the connections."""
        for connection in self.connections:
            connection.socket.close()


class Servers(Standing):
    """Both servers.

    Args:
        requests: As they go over the wire, all repetitions one after the other. Those to warm up
            stand first.
        warming: How many make connections and compile conditions, before anything is measured.
        count: How many a repetition has, or a piece of it.
        events_each: How many events one request carries.
        connections: How many at once.
        is_durable: Whether the reference journals and commits before it answers.
    """

    ours: Side
    reference: Side
    journal: Journal
    reference_journal: Journal | None = None

    def __init__(
        self,
        requests: list[bytes],
        *,
        warming: int,
        count: int,
        events_each: int,
        connections: int,
        is_durable: bool,
    ) -> None:
        super().__init__()
        self.count = count
        self.events_count = count * events_each
        self._is_durable = is_durable
        self._requests = requests
        self.warming = warming
        self._connections = connections

    def load(self) -> tuple[list[bytes], int]:
        """All requests, and over how many connections they go."""
        return self._requests, self._connections

    @override
    def open(self, opening: ExitStack) -> None:
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory()))
        shop, data = folder / "shop", folder / "data"
        shop.mkdir()
        write_shop(shop)
        reference_data = folder / "reference" if self._is_durable else None
        if reference_data is not None:
            reference_data.mkdir()
        ours = opening.enter_context(serving_ours(shop, data))
        reference = opening.enter_context(serving_reference(reference_data))
        self.ours = Side(ours, self._requests, self._connections)
        opening.callback(self.ours.close)
        self.reference = Side(reference, self._requests, self._connections)
        opening.callback(self.reference.close)
        self.journal = Journal(data)
        for side in (self.ours, self.reference):
            side.ask(self.warming, [])
        self.journal.read_on()
        if reference_data is not None:
            self.reference_journal = Journal(reference_data)
            self.reference_journal.read_on()


class Ingest:
    """Requests that carry a number of events each."""

    def __init__(
        self,
        name: str,
        title: str,
        *,
        n: int,
        n_small: int,
        limit: float,
        events_each: int,
        connections: int,
        is_durable: bool = False,
        repetitions: int = 11,
        pieces: int = 1,
    ) -> None:
        self.name = name
        self.title = title
        self.n = n
        self.n_small = n_small
        self.limit = limit
        self.repetitions = repetitions
        self.pieces = pieces
        self._is_durable = is_durable
        self._events_each = events_each
        self._connections = connections

    def prepare(self, n: int) -> Servers:
        """Draw n events a repetition and some to warm up; only their time stamp is that of now."""
        return Servers(**self.drawn(n))

    def drawn(self, n: int) -> dict[str, Any]:
        """What servers are made of."""
        each = self._events_each
        count = max(1, n // each // self.pieces)
        warming = max(self._connections, n // each // 2)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        requests: list[bytes] = []
        for some in (warming, *[count] * self.repetitions * self.pieces):
            # Drawn piece by piece: as objects they are many times what they are as bytes.
            calls = draw_calls(some * each, at, first=len(requests) * each)
            requests += requests_of(calls, each)
        return {
            "requests": requests,
            "warming": warming,
            "count": count,
            "events_each": each,
            "connections": self._connections,
            "is_durable": self._is_durable,
        }

    def reference(self, load: Servers) -> Run:
        """Read, check, decode, journal and commit where it is to be durable, answer."""
        run = timed(load, load.reference, None)
        if load.reference_journal is not None:
            taken = load.reference_journal.read_on()
            assert taken == run.outcome, "the reference's journal lacks some"
        return run

    def ours(self, load: Servers) -> Run:
        """The same, and apply, journal and commit before the answer."""
        return timed(load, load.ours, load.journal)


def timed(load: Servers, side: Side, journal: Journal | None) -> Run:
    """One repetition. The outcome: how many events came to the journal; without one, were sent."""
    laps = Laps()
    with laps.running():
        side.ask(load.count, laps.laps_ns)
    taken = load.events_count if journal is None else journal.read_on()
    return Run(laps.seconds, taken, laps.laps_ns)


def requests_of(calls: list[dict[str, object]], each: int) -> list[bytes]:
    """Track calls as they go over the wire, so many a request."""
    if each == 1:
        return [request_of("/v1/track", call) for call in calls]
    return [
        request_of("/v1/batch", {"batch": calls[at : at + each]})
        for at in range(0, len(calls), each)
    ]


def request_of(path: str, value: object) -> bytes:
    """A request with a JSON body and the shop's write key, as it goes over the wire."""
    body = msgspec.json.encode(value)
    key = b64encode(f"{WRITE_KEY}:".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench/1.0\r\n"
        f"Authorization: Basic {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send(port: int, requests: list[bytes]) -> None:
    """Send requests over a few connections of their own, and wait for every answer."""
    side = Side(port, requests, SENT_OVER)
    try:
        side.ask(len(requests), [])
    finally:
        side.close()


def ask(connections: list[Connection], requests: Iterator[bytes], laps_ns: list[int]) -> None:
    """Send requests over idle connections until all are answered.

    Raises RuntimeError for an answer that is not a whole one with 200, TimeoutError where one does
    not come.
    """
    waiting = 0
    clock = time.perf_counter_ns
    with selectors.DefaultSelector() as selector:
        for connection, request in zip(connections, requests, strict=False):
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.sent_at_ns = clock()
            connection.socket.sendall(request)
            waiting += 1
        while waiting:
            ready = selector.select(ANSWER_WITHIN_S)
            if not ready:
                raise TimeoutError(f"{waiting} requests have no answer")
            for key, _ in ready:
                connection = key.data
                _check(connection.socket.recv(ANSWER_BYTES_MAX))
                now_ns = clock()
                laps_ns.append(now_ns - connection.sent_at_ns)
                next_request = next(requests, None)
                if next_request is None:
                    waiting -= 1
                    continue
                connection.sent_at_ns = now_ns
                connection.socket.sendall(next_request)


def _check(answer: bytes) -> None:
    """Raise where it is not a whole answer with 200: `{"success":true}` comes in one piece."""
    if not answer:
        raise RuntimeError("the server closed a connection")
    if not (answer.startswith(_OK) and answer.endswith(b"}")):
        raise RuntimeError(f"the server did not take a request: {answer[:500].decode()}")


SCENARIOS = (
    Ingest(
        "ingest-single",
        "POST /v1/track, sync=full, ten campaigns; over the same server without an engine",
        n=4_000,
        n_small=64,
        limit=2.0,
        events_each=1,
        connections=64,
    ),
    Ingest(
        "ingest-batch",
        "POST /v1/batch of 100 events, the same; over the same server without an engine",
        n=10_000,
        n_small=800,
        limit=6.0,
        events_each=100,
        connections=8,
    ),
    Ingest(
        "ingest-single-durable",
        "POST /v1/track, sync=full; over the same server that journals and commits alone",
        n=6_000,
        n_small=64,
        limit=1.43,
        events_each=1,
        connections=64,
        is_durable=True,
        pieces=5,
    ),
    Ingest(
        "ingest-batch-durable",
        "POST /v1/batch of 100 events, sync=full; over the same server that journals and commits",
        n=50_000,
        n_small=800,
        limit=2.0,
        events_each=100,
        connections=32,
        is_durable=True,
        repetitions=9,
        pieces=5,
    ),
)
