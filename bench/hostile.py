"""Deadlines of the real process while hostile clients do all that they can at once.

Two hundred connections each trickle a head, trickle a body, are half closed, and stay idle; gzip
bombs, JSON nested 200,000 deep, batches of 100,000 events and heads of a megabyte come ten times a
second each (`bench.attacks`). Meanwhile a client that means no harm sends an event each 20 ms. What
counts is the p99 of fired minus due, by the process's own clock: at most 20 ms. The outcome: every
deadline fired and none early, every event of the good client was answered 200, and the process grew
by no more than a bound.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from bench.attacks import HEAD, Attack
from bench.delays import requests_that_wait
from bench.harness import Run, quantile
from bench.ingest import send
from bench.instants import NS_PER_MS, now_ms, sleep_until
from bench.lateness import by_loop, promised
from bench.process import serving
from bench.shop import WAITING, write_shop

PER_S: Final = 200
LEAD_MS: Final = 2_000
PROMISED_MS: Final = 20
CROWD: Final = 200
GOOD_EACH_S: Final = 0.02
GROWS_BYTES_MAX: Final = 48 << 20

_RSS = re.compile(r"VmRSS:\s+(\d+) kB")


class Hostile:
    """Stands for the p99 of lateness; the reference is what is promised."""

    name = "deadlines-hostile"
    title = "200 deadlines a second under eight attacks at once, p99 of fired minus due; over 20 ms"
    n = 4_000
    n_small = 400
    limit = 1.0
    repetitions = 1

    def prepare(self, n: int) -> int:
        """How many deadlines."""
        return n

    def reference(self, load: int) -> Run:
        """What is promised; its laps are those of `loop.call_at`."""
        bare = asyncio.run(by_loop([200 + number * 1_000 // PER_S for number in range(load)]))
        return Run(PROMISED_MS * NS_PER_MS * load / 1e9, (load, 0, True, True), bare)

    def ours(self, load: int) -> Run:
        """The real process, and a port that everybody may reach."""
        with tempfile.TemporaryDirectory() as name:
            notes, good_ns, grown = _observe(load, Path(name))
        late_ns = [late for _, late in notes]
        good_ns.sort()
        told = f"good client: p50 {quantile(good_ns, 0.5) / 1e6:.1f} ms"
        told += f", p99 {quantile(good_ns, 0.99) / 1e6:.1f} ms; grew by {grown >> 20} MiB"
        print(told, file=sys.stderr)
        is_small = grown <= GROWS_BYTES_MAX
        outcome = (len(notes), sum(late < 0 for late in late_ns), bool(good_ns), is_small)
        return promised(late_ns, outcome, load)


def _observe(count: int, folder: Path) -> tuple[list[tuple[int, int]], list[int], int]:
    """What was noted, how long the good client waited each time, and by how much it grew."""
    shop, notes = folder / "shop", folder / "notes"
    shop.mkdir()
    write_shop(shop)
    (shop / "campaigns" / "waiting.yaml").write_text(WAITING)
    with serving(["-m", "bench.observed", str(shop), str(folder / "data"), str(notes)]) as server:
        attack = Attack(server.port)
        first_at_ms = now_ms() + LEAD_MS + count // 20
        due = {
            f"waiting-{number}": first_at_ms + number * 1_000 // PER_S for number in range(count)
        }
        send(server.port, requests_that_wait(due))
        assert now_ms() < first_at_ms, "events took longer than the lead"
        before = _rss_bytes(server.pid)
        until_ms = first_at_ms + count * 1_000 // PER_S
        good_ns, most = asyncio.run(_attacked(attack, server.port, server.pid, until_ms))
        sleep_until(until_ms + LEAD_MS)
    noted = msgspec.json.decode(notes.read_bytes(), type=list[tuple[int, int]])
    return noted, good_ns, most - before


async def _attacked(attack: Attack, port: int, pid: int, until_ms: int) -> tuple[list[int], int]:
    attack.begin(CROWD)
    body = b'{"user_id":"good","event":"Seen"}'
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waited_ns: list[int] = []
    most = 0
    while now_ms() < until_ms:
        began_ns = time.perf_counter_ns()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head[:100]
        length = re.search(rb"content-length: (\d+)", head.lower())
        assert length is not None
        await reader.readexactly(int(length[1]))
        waited_ns.append(time.perf_counter_ns() - began_ns)
        most = max(most, _rss_bytes(pid))
        await asyncio.sleep(GOOD_EACH_S)
    writer.close()
    await attack.end()
    for name, said in sorted(attack.said.items()):
        print(f"{name}: {dict(said)}", file=sys.stderr)
    return waited_ns, most


def _rss_bytes(pid: int) -> int:
    """What a process holds in memory now (Linux); 0 where the system does not say so."""
    try:
        found = _RSS.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) << 10 if found is not None else 0


SCENARIOS = (Hostile(),)
