"""`hairspring simulate` as a whole process, beside two hand-written rules as one (`bench.rising`).

From start-up to the last record on disk. Ten campaigns: two that users enter by a condition that
time can change, and eight whose event never comes. Both sides must tell the same of the same users
at the same milliseconds; ours writes what became of each enrollment besides.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from bench.harness import Run, Standing
from bench.process import ROOT
from engine.core.instants import format_instant

if TYPE_CHECKING:
    from contextlib import ExitStack

START_AT_MS = 1_760_000_000_000
STEP_MAX_MS = 6_000
EVENTS_A_USER = 20
AFTER_MS = 8 * 86_400_000
"""How long time goes on behind the last event: longer than the longest window."""

_NAMES = ("Product Viewed", "Page Left", "Product Added", "Order Completed")
_WEIGHTS = (50, 34, 12, 4)
_PROPERTIES = {"product_id": "sku-1", "price": 12.5}

_TIMED = {
    "cart": 'did("Product Added", "7d") && !did("Order Completed", "7d") && idle("30m")',
    "browse": 'count("Product Viewed", "24h") >= 3 && !did("Order Completed", "24h")',
}


class Told(msgspec.Struct):
    """What both sides say of an entry."""

    at: str
    user_id: str
    campaign: str
    kind: str = "entered"


class Recorded(Standing):
    """A shop, its events in a file, and where the answers go."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    @override
    def open(self, opening: ExitStack) -> None:
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory()))
        self.shop, self.events = folder / "shop", folder / "events.ndjson"
        self.out = folder / "out.ndjson"
        (self.shop / "campaigns").mkdir(parents=True)
        for name, condition in _TIMED.items():
            text = f"campaign: {name}\nenter:\n  when: {condition}\nsteps:\n  - exit: told\n"
            (self.shop / "campaigns" / f"{name}.yaml").write_text(text)
        for number in range(8):
            text = f"campaign: c{number}\nenter: {{event: Other {number}}}\nsteps: [{{wait: 1h}}]\n"
            (self.shop / "campaigns" / f"c{number}.yaml").write_text(text)
        self.until_ms = _write_events(self.events, self.n) + AFTER_MS


def _write_events(path: Path, n: int) -> int:
    """Draw n events, and the same every time; the instant of the last."""
    draw = random.Random(7)
    users = max(1, n // EVENTS_A_USER)
    at_ms = START_AT_MS
    with path.open("wb") as file:
        for _ in range(n):
            at_ms += draw.randrange(STEP_MAX_MS)
            happened = {
                "type": "track",
                "userId": f"user-{draw.randrange(users)}",
                "event": draw.choices(_NAMES, _WEIGHTS)[0],
                "timestamp": at_ms,
                "properties": _PROPERTIES,
            }
            file.write(msgspec.json.encode(happened) + b"\n")
    return at_ms


class Simulating:
    """Both as processes, one after the other."""

    name = "simulate"
    title = "hairspring simulate, ten campaigns, two by condition; over a hand-written process"
    n = 200_000
    n_small = 4_000
    limit = 8.0
    repetitions = 5

    def prepare(self, n: int) -> Recorded:
        """Write the shop and its events."""
        return Recorded(n)

    def reference(self, load: Recorded) -> Run:
        """The rules by hand."""
        return _run(load, "bench.rising", str(load.events), str(load.out), str(load.until_ms))

    def ours(self, load: Recorded) -> Run:
        """As anybody would call it."""
        until = format_instant(load.until_ms)
        simulate = ("engine", "simulate", str(load.shop), "--events", str(load.events))
        return _run(load, *simulate, "--until", until, "--out", str(load.out))


def _run(load: Recorded, *command: str) -> Run:
    """The outcome: who was told of what, when."""
    started_ns = time.perf_counter_ns()
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True)
    seconds = (time.perf_counter_ns() - started_ns) / 1e9
    decode = msgspec.json.Decoder(Told).decode
    told = [decode(line) for line in load.out.read_bytes().splitlines()]
    return Run(seconds, sorted((t.at, t.user_id, t.campaign) for t in told if t.kind == "entered"))


SCENARIOS = (Simulating(),)
