"""How much memory a user takes: what a process grows by, all in all.

    python -m bench.memory COUNT

Each user has five events behind him, of two names that a campaign counts, and waits in a campaign
for one deadline. They come in as events that are decoded, so that no two users share a name or a
text that the process would not have them share, through the processor with its wheel and batches,
in a process of its own, so that nothing is reused that something else has left. The reference line
is what is promised.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.harness import Run
from bench.process import ROOT
from config import load_shop
from engine.core.inputs import EventReceived, decode_inputs, encode_inputs
from engine.core.state import NEVER
from engine.runtime.memory import settle_collector
from engine.runtime.processor import Processor

if TYPE_CHECKING:
    from engine.core.inputs import Input

PROMISED_BYTES = 1_200
USERS_A_BATCH = 200

_CAMPAIGN = """
campaign: waiting
enter:
  event: Product Added
  when: count("Product Viewed", "7d") >= 4 && did("Product Added", "7d")
exit:
  event: Order Completed
steps:
  - wait: 7d
"""

_EVENTS = (*["Product Viewed"] * 4, "Product Added")
_PROPERTIES = msgspec.Raw(b'{"product_id":"sku-1","price":75.5}')


class Weight(msgspec.Struct):
    """What was weighed.

    Attributes:
        bytes_each: By which the process grew, over its users.
        users: Whom it holds.
        waiting: Those of them who have five events in two names and a deadline.
    """

    bytes_each: float
    users: int
    waiting: int


def weigh(count: int) -> Weight:
    """Fill this process with users."""
    now_ms = 1_750_000_000_000
    plan = load_shop({"campaigns/waiting.yaml": _CAMPAIGN}).plan
    processor = Processor(plan, now_ms=now_ms)
    _fill(processor, range(USERS_A_BATCH), now_ms)  # what is made once is there by now
    settle_collector()
    before = rss_bytes()
    for first in range(USERS_A_BATCH, count, USERS_A_BATCH):
        _fill(processor, range(first, min(first + USERS_A_BATCH, count)), now_ms)
    gc.collect()
    grown = rss_bytes() - before
    users = processor.users
    waiting = sum(
        user.due_at_ms != NEVER and sorted(map(len, user.history.values())) == [8, 32]
        for user in users.values()
    )
    return Weight(grown / (count - USERS_A_BATCH), len(users), waiting)


def _fill(processor: Processor, numbers: range, now_ms: int) -> None:
    for place, name in enumerate(_EVENTS):
        instants = [now_ms + number * len(_EVENTS) + place for number in numbers]
        events: list[Input] = [
            EventReceived(f"user-{number:08}", name, at_ms, at_ms, _PROPERTIES)
            for number, at_ms in zip(numbers, instants, strict=True)
        ]
        for event, at_ms in zip(decode_inputs(encode_inputs(events)), instants, strict=True):
            assert isinstance(event, EventReceived)
            processor.take(event, at_ms)
    batch = processor.begin(processor.now_ms)
    assert batch is not None
    processor.finish(batch)


def rss_bytes(pid: int | None = None) -> int:
    """What a process, or else this one, holds in memory now (Linux)."""
    process = "self" if pid is None else str(pid)
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0]) << 10
    raise RuntimeError("this system does not say how much memory a process holds")


class Memory:
    """Bytes stand where other scenarios have microseconds."""

    name = "memory"
    title = "bytes a user with five events of two names and a deadline; over 1,200"
    n = 200_000
    n_small = 4_000
    limit = 1.0
    repetitions = 1

    def prepare(self, n: int) -> int:
        """Nothing but their number."""
        return n

    def reference(self, load: int) -> Run:
        """What is promised."""
        return Run(PROMISED_BYTES * load / 1e6, (load, load))

    def ours(self, load: int) -> Run:
        """Weigh in a fresh process."""
        command = [sys.executable, "-m", "bench.memory", str(load)]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        weight = msgspec.json.decode(said, type=Weight)
        return Run(weight.bytes_each * load / 1e6, (weight.users, weight.waiting))


SCENARIOS = (Memory(),)

if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(weigh(int(sys.argv[1]))))
