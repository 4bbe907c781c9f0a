"""How much memory a backlog takes: what a served process grows by while its outbox does.

A shop is served as anybody would serve it, with an SMTP server that takes nothing, and everything
comes and goes over sockets: people are sent bulk until so many rows wait, and then one
transactional mail is due, which has to be the next that is attempted. The reference line is what
is promised.

It is weighed twice: with many mails to each of two thousand, and with one to each of as many people
as there are mails, who have been sent nothing before. What is kept of a person's having been in the
campaign counts as the mail's there.

The process has run for a while: it remembers as many message ids as it may, which here are few.
What ids take is bounded by `events.dedupe_max`, and the same whether anything waits or not.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import tempfile
import threading
import time
import urllib.request
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from bench.harness import Run
from bench.memory import rss_bytes
from bench.process import Server, serve_command
from bench.shop import WRITE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMISED_BYTES: Final = 50 << 20
USERS: Final = 2_000
AT_ONCE: Final = 250
IDS_MAX: Final = 10_000
_COMES_WITHIN_S: Final = 120.0
_TEXT: Final = "x" * 1_000
_SETTINGS: Final = """
[server]
rate = 0

[keys]
write = ["{key}"]

[events]
dedupe_max = {ids_max}

[channels.email]
transport = "smtp"
host = "127.0.0.1"
port = {port}
concurrency = 1
timeout = "1h"
"""
_CAMPAIGN: Final = """
campaign: {name}
purpose: {purpose}
enter: {{event: {event}, reentry: always}}
steps:
  - {{send: email, template: {name}, id: s}}
"""
_SHOP: Final = {
    "campaigns/bulk.yaml": _CAMPAIGN.format(name="bulk", purpose="marketing", event="Ping"),
    "campaigns/order.yaml": _CAMPAIGN.format(
        name="order", purpose="transactional", event="Order Completed"
    ),
    "templates/bulk.email.liquid": "---\nsubject: bulk\n---\n<p>{{ event.text }}</p>",
    "templates/order.email.liquid": "---\nsubject: order\n---\n<p>{{ event.text }}</p>",
}


class _Stuck:
    """A mail server with room for one connection, which holds the first mail until it is let go.

    Attributes:
        port: Where it listens.
        opened: Set: it takes mails from now on.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.opened = threading.Event()
        self._second = threading.Event()
        self._subjects: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def second(self) -> str:
        """The subject of the second mail, once it is there; "" where none comes."""
        return self._subjects[1] if self._second.wait(_COMES_WITHIN_S) else ""

    def close(self) -> None:
        """Take no more."""
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with suppress(OSError), connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 stuck\r\n")  # until the process is killed
                for line in lines:
                    connection.sendall(self._said(line, lines))

    def _said(self, line: bytes, lines: Iterator[bytes]) -> bytes:
        command = line[:4].upper()
        if command == b"MAIL":
            self.opened.wait()
        if command == b"DATA":
            return b"354 go on\r\n"
        if line.startswith(b"Message-ID:"):  # the mail itself
            for one in lines:
                if one.startswith(b"Subject: "):
                    self._subjects.append(one.decode().split()[1])
                if one == b".\r\n":
                    break
            if len(self._subjects) > 1:
                self._second.set()
        return b"250 OK\r\n"


class Shop:
    """A served shop, its mail server, and what is said to it: by so many people."""

    def __init__(self, folder: Path, stuck: _Stuck, people: int) -> None:
        self._people = [f"u{one}" for one in range(people)]
        for name, text in _SHOP.items():
            path = folder / "shop" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        settings = _SETTINGS.format(key=WRITE_KEY, ids_max=IDS_MAX, port=stuck.port)
        (folder / "shop/hairspring.toml").write_text(settings)
        self._database = folder / "data/hairspring.db"
        self._said = 0
        self.server = Server(serve_command(folder / "shop", folder / "data"))

    def identify(self) -> None:
        """Make everybody known, and reachable."""
        traits = {"email": "a@example.org", "consent": {"email": True}}
        calls: list[dict[str, object]] = [
            {"type": "identify", "userId": user, "traits": traits} for user in self._people
        ]
        for first in range(0, len(calls), AT_ONCE):
            self._post(calls[first : first + AT_ONCE])

    def track(self, event: str, count: int, begin: int = 0) -> None:
        """So many events, of one user after the other, as a stock client words them."""
        end = begin + count
        for first in range(begin, end, AT_ONCE):
            self._post([self._call(event, one) for one in range(first, min(first + AT_ONCE, end))])

    def waiting(self, where: str = "1") -> int:
        """Rows of the outbox."""
        address = f"file:{self._database}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            found = connection.execute(f"SELECT count(*) FROM outbox WHERE {where}")
            return int(found.fetchone()[0])

    def _call(self, event: str, number: int) -> dict[str, object]:
        self._said += 1
        return {
            "type": "track", "userId": self._people[number % len(self._people)], "event": event,
            "messageId": f"message-{self._said:08}", "properties": {"text": _TEXT},
        }  # fmt: skip

    def _post(self, calls: list[dict[str, object]]) -> None:
        body = json.dumps({"writeKey": WRITE_KEY, "batch": calls}).encode()
        url = f"http://127.0.0.1:{self.server.port}/v1/batch"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
            answer.read()


@contextmanager
def served(people: int = USERS) -> Iterator[tuple[Shop, _Stuck]]:
    """A shop whose mail server is stuck."""
    with tempfile.TemporaryDirectory() as place:
        stuck = _Stuck()
        shop = Shop(Path(place), stuck, people)
        try:
            yield shop, stuck
        finally:
            shop.server.kill()
            stuck.close()


def _settled(shop: Shop) -> int:
    """What the process holds once nothing is going on: it does not grow for a second."""
    held = rss_bytes(shop.server.pid)
    while True:
        time.sleep(1)
        before, held = held, rss_bytes(shop.server.pid)
        if held <= before:
            return held


class Backlog:
    """Bytes stand where other scenarios have microseconds."""

    name = "backlog"
    title = "bytes by which a served process grows while 100,000 messages wait; over 50 MiB"
    n = 100_000
    n_small = 5_000
    limit = 1.0
    repetitions = 1

    def prepare(self, n: int) -> int:
        """Nothing but their number."""
        return n

    def reference(self, load: int) -> Run:
        """What is promised."""
        return Run(PROMISED_BYTES / 1e6, (load, "order"))

    def ours(self, load: int) -> Run:
        """Weigh a process of its own."""
        with served(self._people(load)) as (shop, stuck):
            shop.identify()
            shop.track("Pong", IDS_MAX)  # of which nothing follows: as many ids as there may be
            shop.track("Ping", USERS)  # what is made once is there by now
            before, rows = _settled(shop), shop.waiting()
            shop.track("Ping", load, begin=USERS)
            grown, waiting = _settled(shop) - before, shop.waiting() - rows
            shop.track("Order Completed", 1)
            while not shop.waiting("urgent AND rendered IS NOT NULL"):
                time.sleep(0.05)
            stuck.opened.set()
            return Run(max(grown, 1) / 1e6, (waiting, stuck.second()))

    def _people(self, load: int) -> int:
        del load
        return USERS


class BacklogOfEach(Backlog):
    """One message to each of as many people."""

    name = "backlog-of-each"
    title = "bytes by which it grows while as many people wait for one message each; over 50 MiB"

    @override
    def _people(self, load: int) -> int:
        return USERS + load


SCENARIOS = (Backlog(), BacklogOfEach())
