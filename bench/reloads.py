"""A reload of 200 changed campaigns with 100,000 users in them, and what is due meanwhile.

Each campaign is another than before with each reload, and everybody's wait is reckoned anew. What
counts is the worst: no deadline that is due from the call that reloads until everybody has taken
the change on is more than 20 ms late, by the process's own clock (`bench.observed`).
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.delays import requests_that_wait
from bench.harness import Run
from bench.ingest import request_of, send
from bench.instants import NS_PER_MS, now_ms, sleep_until
from bench.lateness import by_loop
from bench.process import serving
from bench.shop import WAITING, WRITE_KEY
from engine.cli.running import Running, reach

if TYPE_CHECKING:
    from bench.process import Server

CAMPAIGNS = 200
RELOADS = 3
PER_S = 100
"""Deadlines beside it."""

SETTLES_MS = 8_000
"""After the answer to a reload, so that everybody has taken it on."""

LEAD_MS = 6_000
PROMISED_NS = 20 * NS_PER_MS
EVENTS_EACH = 500

_CAMPAIGN = """
campaign: waits-{number}
description: Edition {edition}
enter: {{event: Event {number}, when: event.price > 20.0, reentry: 1h}}
exit:
  event: Order Completed
  when: count("Order Completed", "24h") >= 1 && user.country != "XX"
steps:
  - {{wait: {days}d, id: long}}
  - if: count("Event {number}", "7d") >= 3 || user.tier == "gold"
    id: keen
    then: [{{send: in_app, template: note, id: keen-one}}]
    else: [{{send: in_app, template: other, id: other-one}}]
  - {{wait: 2d, id: later}}
  - {{send: in_app, template: note, id: last}}
"""

_TEMPLATE = "---\ntitle: To {{ user.id }}\n---\n<p>{{ event.price }}, {{ campaign.id }}</p>\n"


class Load(msgspec.Struct, frozen=True):
    """How many users wait, and how many times the shop is reloaded beside them."""

    users: int
    reloads: int


class Reload:
    """The worst lateness stands where other scenarios have their seconds an item."""

    name = "reload"
    title = "200 campaigns reloaded thrice with 100,000 users in them, worst lateness; over 20 ms"
    n = 100_000
    n_small = 500
    limit = 1.0
    repetitions = 1

    def prepare(self, n: int) -> Load:
        """A small one is reloaded once."""
        return Load(n, RELOADS if n == self.n else 1)

    def reference(self, load: Load) -> Run:
        """What is promised; its laps are those of `loop.call_at`."""
        bare = asyncio.run(by_loop([200 + number * 1_000 // PER_S for number in range(400)]))
        return Run(PROMISED_NS * load.users / 1e9, (load.reloads, 0), bare)

    def ours(self, load: Load) -> Run:
        """The real process."""
        with tempfile.TemporaryDirectory() as name:
            notes, reloads = _observe(load, Path(name))
        late_ns = [late for due, late in notes for began, ended in reloads if began <= due <= ended]
        assert late_ns, "no deadline was due during a reload"
        outcome = (len(reloads), sum(late < 0 for _, late in notes))
        return Run(max(late_ns) * load.users / 1e9, outcome, late_ns)


def _observe(load: Load, folder: Path) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """What was noted, and from when to when each reload was taken on, by the wall clock."""
    shop, data, notes = folder / "shop", folder / "data", folder / "notes"
    write_edition(shop, 0)
    with serving(["-m", "bench.observed", str(shop), str(data), str(notes)]) as server:
        _fill(server, load.users)
        running = reach(data)
        assert isinstance(running, Running)
        reloads = [_reload(server, running, shop, number) for number in range(load.reloads)]
    return msgspec.json.decode(notes.read_bytes(), type=list[tuple[int, int]]), reloads


def _fill(server: Server, users: int) -> None:
    """Have each user wait in one of the campaigns."""
    items = [
        {
            "user_id": f"user-{number}",
            "event": f"Event {number % CAMPAIGNS}",
            "properties": {"price": 21 + number % 50},
        }
        for number in range(users)
    ]
    bodies = [items[at : at + EVENTS_EACH] for at in range(0, len(items), EVENTS_EACH)]
    send(server.port, [request_of("/events", body) for body in bodies])


def _reload(server: Server, running: Running, shop: Path, number: int) -> tuple[int, int]:
    """Reload another edition beside deadlines; from when to when it was taken on."""
    write_edition(shop, number + 1)
    first_at_ms = now_ms() + LEAD_MS
    count = (2 * LEAD_MS + SETTLES_MS) * PER_S // 1_000
    names = [f"due-{number}-{place}" for place in range(count)]
    due = {name: first_at_ms + place * 1_000 // PER_S for place, name in enumerate(names)}
    send(server.port, requests_that_wait(due))
    assert now_ms() < first_at_ms, "events took longer than the lead"
    sleep_until(first_at_ms)
    began_ms = now_ms()
    running.ask("POST", "api", "reload", body=b"")
    ended_ms = now_ms() + SETTLES_MS
    sleep_until(max(ended_ms, due[names[-1]]))
    return began_ms, ended_ms


def write_edition(shop: Path, edition: int) -> None:
    """Write the shop, each campaign with a wait of its own length in each edition."""
    files = {
        "hairspring.toml": f'[keys]\nwrite = ["{WRITE_KEY}"]\n[server]\nrate = 0\n',
        "campaigns/waiting.yaml": WAITING,
        "templates/note.in_app.liquid": _TEMPLATE,
        "templates/other.in_app.liquid": _TEMPLATE,
    }
    for number in range(CAMPAIGNS):
        said = _CAMPAIGN.format(number=number, edition=edition, days=1 + edition)
        files[f"campaigns/waits-{number}.yaml"] = said
    for name, text in files.items():
        path = shop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


SCENARIOS = (Reload(),)
