"""From a deadline to the webhook that tells of it: `hairspring serve` and a sink beside it.

A delay is an event whose own time lies as long before the instant it is to be due as the campaign
waits, so that instants can be chosen. The sink says when a webhook came, by the clock of the same
machine that the process steers by; both go by whole milliseconds, so a webhook may seem early by
one at most.

`deadline-webhook` compares with `loop.call_at` in a process that does nothing else.
`durable-delays` ends the process by `kill -9` in the middle and starts it again at once: what
counts is that each delay arrives, under one key, and how much longer it takes until all have.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from bench.harness import Run, Standing
from bench.ingest import request_of, send
from bench.instants import NS_PER_MS, now_ms, sleep_until
from bench.lateness import by_loop, promised
from bench.process import Server, serve_command, serving
from bench.shop import WAIT_S, WAITING, WRITE_KEY
from bench.sink import Arrival

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

LEAD_MS = 3_000
"""From the call that sends the events to the first deadline."""

ARRIVE_WITHIN_S = 60.0
QUIET_S = 1.0
"""Once all have come: what comes again, or under another key, has that long to do so."""

EARLY_MAX_NS = NS_PER_MS
OVER_BARE_NS = 10 * NS_PER_MS
"""What the way from a deadline to a webhook's arrival may take beyond a bare timer's lateness."""

_SETTINGS = f"""
[shop]
name = "Bench"

[server]
rate = 0

[keys]
write = ["{WRITE_KEY}"]

[storage]
sync = "full"
resume_grace = "0s"

[channels.webhook]
"""

_BY_HTTP = """
transport = "http"
url = "http://127.0.0.1:{port}/"
concurrency = 16
"""

_BY_FILE = """
transport = "file"
concurrency = 1000
"""

_CAMPAIGN = f"""{WAITING}
  - send: webhook
    template: hook
purpose: transactional
"""

_TEMPLATE = """---
---
{"name": "{{ event.name }}", "due_at_ms": {{ event.due_at_ms }}}
"""


class Arrivals(msgspec.Struct, frozen=True):
    """What came of delays, counted by their names.

    Attributes:
        lost: Delays that never came.
        doubled: Delays that came under more than one key.
        again: Webhooks that came under a key that had come before: a sink passes over these.
        early: Delays that came more than a millisecond before they were due.
        late_ns: How late each delay came first.
    """

    lost: int
    doubled: int
    again: int
    early: int
    late_ns: list[int]


class Shop(Standing):
    """A served shop whose webhooks go to a sink.

    Args:
        count: How many delays a run has.
        gap_ms: Between one and the next; may be a part of one.

    Attributes:
        folder: Where shop and data are, while it is open.
    """

    folder: Path

    def __init__(self, count: int, gap_ms: float) -> None:
        super().__init__()
        self.count = count
        self.gap_ms = gap_ms
        self._runs = 0

    @override
    def open(self, opening: ExitStack) -> None:
        self.folder = folder = Path(opening.enter_context(tempfile.TemporaryDirectory()))
        sink = opening.enter_context(serving(["-m", "bench.sink"]))
        self._sink = f"http://127.0.0.1:{sink.port}"
        write_shop(folder, sink.port)
        self._command = serve_command(folder, folder / "data")
        self._server = Server(self._command)
        opening.callback(self._end)

    def run(self, *, is_killed: bool) -> Arrivals:
        """Have delays come due, and wait for them all; `kill -9` when half of them are due."""
        self._runs += 1
        names = [f"run-{self._runs}-{number}" for number in range(self.count)]
        first_at_ms = now_ms() + LEAD_MS + self.count // 5
        due = {name: first_at_ms + int(self.gap_ms * number) for number, name in enumerate(names)}
        before = self._count()
        send(self._server.port, requests_that_wait(due))
        assert now_ms() < first_at_ms, "events took longer than the lead"
        if is_killed:
            sleep_until(due[names[self.count // 2]])
            self._server.kill()
            self._server = Server(self._command)
        sleep_until(due[names[-1]])
        give_up_s = time.monotonic() + ARRIVE_WITHIN_S
        while self._count() < before + self.count and time.monotonic() < give_up_s:
            time.sleep(0.05)
        # What came twice is counted above; whoever is missing then has a little while to come.
        while len(self._came_of(due)) < self.count and time.monotonic() < give_up_s:
            time.sleep(0.2)
        time.sleep(QUIET_S)
        return self._counted(due, self._came_of(due))

    def _came_of(self, due: dict[str, int]) -> dict[str, list[Arrival]]:
        came: dict[str, list[Arrival]] = {}
        for arrival in msgspec.json.decode(self._get("/arrivals"), type=list[Arrival]):
            if arrival.hook.name in due:
                came.setdefault(arrival.hook.name, []).append(arrival)
        return came

    def _counted(self, due: dict[str, int], came: dict[str, list[Arrival]]) -> Arrivals:
        firsts = [arrivals[0] for arrivals in came.values()]
        keys = [{arrival.key for arrival in arrivals} for arrivals in came.values()]
        return Arrivals(
            lost=len(due) - len(came),
            doubled=sum(len(one) - 1 for one in keys),
            again=sum(map(len, came.values())) - sum(map(len, keys)),
            early=sum(first.late_ns < -EARLY_MAX_NS for first in firsts),
            late_ns=[first.late_ns for first in firsts],
        )

    def _count(self) -> int:
        return int(self._get("/count"))

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self._sink + path, timeout=ARRIVE_WITHIN_S) as answer:
            body: bytes = answer.read()
        return body

    def _end(self) -> None:
        self._server.kill()


def requests_that_wait(due: dict[str, int]) -> list[bytes]:
    """Events from which delays follow, of a name and an instant each; a hundred a request."""
    items = [
        {
            "user_id": name,
            "message_id": name,
            "event": "Go",
            "timestamp": at_ms - WAIT_S * 1_000,
            "properties": {"name": name, "due_at_ms": at_ms},
        }
        for name, at_ms in due.items()
    ]
    return [request_of("/events", items[at : at + 100]) for at in range(0, len(items), 100)]


def write_shop(folder: Path, sink_port: int | None) -> None:
    """Write a shop whose one campaign waits a minute and then tells a sink, or else a file."""
    for name, text in _files(sink_port):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def _files(sink_port: int | None) -> Iterator[tuple[str, str]]:
    transport = _BY_FILE if sink_port is None else _BY_HTTP.format(port=sink_port)
    yield "hairspring.toml", _SETTINGS + transport
    yield "campaigns/waiting.yaml", _CAMPAIGN
    yield "templates/hook.webhook.liquid", _TEMPLATE


class DeadlineWebhook:
    """A hundred a second; what is promised is the bare timer's p99 and ten milliseconds."""

    name = "deadline-webhook"
    title = "deadline to webhook at 100 a second, p99; over loop.call_at's p99 and 10 ms"
    n = 1_000
    n_small = 50
    limit = 1.0
    repetitions = 3
    gap_ms = 10.0

    def prepare(self, n: int) -> Shop:
        """A shop and a sink."""
        return Shop(n, self.gap_ms)

    def reference(self, load: Shop) -> Run:
        """`loop.call_at` for each, in this process."""
        due_after_ms = [200 + int(load.gap_ms * number) for number in range(load.count)]
        late_ns = asyncio.run(by_loop(due_after_ms))
        return promised(late_ns, (load.count, 0), load.count, OVER_BARE_NS)

    def ours(self, load: Shop) -> Run:
        """Wheel, core, commit, rendering, its commit, a request."""
        arrivals = load.run(is_killed=False)
        assert not arrivals.again, "nothing went wrong, so nothing is tried again"
        outcome = (len(arrivals.late_ns) - arrivals.doubled, arrivals.early)
        return promised(arrivals.late_ns, outcome, load.count)


class DurableDelays:
    """Ten thousand within five seconds, and `kill -9` in the middle."""

    name = "durable-delays"
    title = "10,000 due within 5 s, kill -9 in the middle; time to the last over that without"
    n = 10_000
    n_small = 200
    limit = 1.5
    repetitions = 1
    gap_ms = 0.5

    def prepare(self, n: int) -> Shop:
        """A shop and a sink."""
        return Shop(n, self.gap_ms)

    def reference(self, load: Shop) -> Run:
        """The same, and nobody is killed."""
        return self._run(load, is_killed=False)

    def ours(self, load: Shop) -> Run:
        """Killed when half of them are due, and started again at once."""
        return self._run(load, is_killed=True)

    def _run(self, load: Shop, *, is_killed: bool) -> Run:
        arrivals = load.run(is_killed=is_killed)
        outcome = {"lost": arrivals.lost, "doubled": arrivals.doubled, "early": arrivals.early}
        span_ns = int(load.gap_ms * NS_PER_MS * load.count)
        return Run((span_ns + max(arrivals.late_ns)) / 1e9, outcome, arrivals.late_ns)


SCENARIOS = (DeadlineWebhook(), DurableDelays())
