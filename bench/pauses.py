"""What stands still while a process grows to a million users: the longest piece done in one go.

    python -m bench.pauses COUNT WAIT

Users come one after another, each with two events and a wait that the second begins; now and then
somebody of before comes again and leaves. Their records, batches and states are made and dropped
all the time, and every table of the process grows. What is timed is each piece between two looks at
the clock: an input taken, a batch sealed or finished, and whatever the collector does in it. By the
processor's time of the thread, so that neighbours do not count. The reference line is what is
promised.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import msgspec

from bench.harness import Run
from bench.process import ROOT
from config import load_shop
from engine.core.inputs import EventReceived, decode_inputs, encode_inputs
from engine.core.state import NEVER
from engine.runtime.dedupe import Dedupe
from engine.runtime.memory import settle_collector
from engine.runtime.processor import Processor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from engine.core.inputs import Input

    _T = TypeVar("_T")

PROMISED_NS: Final = 5_000_000
START_AT_MS: Final = 1_750_000_000_000
COMES_AGAIN_EVERY: Final = 5
NINE: Final = '{until: "09:00"}'
USERS_A_BATCH: Final = 40
"""As many as come between two commits at 3,000 events a second: what is sealed at once is bounded
by `BATCH_MAX`, and is not what grows."""

_PROPERTIES: Final = msgspec.Raw(b'{"product_id":"sku-1","price":75.5}')
_CAMPAIGN: Final = """
campaign: waiting
enter: {event: Product Added, when: 'did("Product Viewed", "7d")'}
exit: {event: Order Completed}
steps:
  - wait: %s
"""
SLICE_NS: Final = 1_000_000
"""As long as the shell has deadlines fire before it looks at anything else."""


class Pauses(msgspec.Struct):
    """What was found.

    Attributes:
        longest_ns: The longest piece.
        users: Who is known at the end, and `waiting`: who is in the campaign.
    """

    longest_ns: int
    users: int
    waiting: int


class _Stopwatch:
    """Remembers the longest piece."""

    def __init__(self) -> None:
        self.longest_ns = 0

    def __call__(self, work: Callable[[], _T]) -> _T:
        begun_ns = time.thread_time_ns()
        result = work()
        self.longest_ns = max(self.longest_ns, time.thread_time_ns() - begun_ns)
        return result


def watch(count: int, wait: str) -> Pauses:
    """Have so many users come; where it is not for days that they wait, until nobody does."""
    plan = load_shop({"campaigns/waiting.yaml": _CAMPAIGN % wait}).plan
    processor = Processor(plan, now_ms=START_AT_MS, dedupe=Dedupe(86_400_000, 5_000_000))
    timed = _Stopwatch()
    settle_collector()
    for first in range(0, count, USERS_A_BATCH):
        for event in decode_inputs(
            encode_inputs(_events(first, min(first + USERS_A_BATCH, count)))
        ):
            assert isinstance(event, EventReceived)
            timed(lambda event=event: processor.take(event, event.occurred_at_ms))  # type: ignore[misc]
        batch = timed(lambda: processor.begin(processor.now_ms))
        assert batch is not None
        timed(lambda batch=batch: processor.finish(batch))  # type: ignore[misc]
    while wait == NINE and processor.wake_at_ms < NEVER:
        timed(lambda: _fire(processor))
        batch = timed(lambda: processor.begin(processor.now_ms))
        if batch is not None:
            timed(lambda batch=batch: processor.finish(batch))  # type: ignore[misc]
    waiting = sum(user.due_at_ms != NEVER for user in processor.users.values())
    return Pauses(timed.longest_ns, len(processor.users), waiting)


def _fire(processor: Processor) -> int:
    until_ns = time.thread_time_ns() + SLICE_NS
    now_ms = max(processor.now_ms, processor.wake_at_ms)
    return processor.advance(now_ms, lambda: time.thread_time_ns() < until_ns)


def _events(first: int, end: int) -> list[Input]:
    said: list[tuple[int, str]] = []
    for number in range(first, end):
        said += [(number, "Product Viewed"), (number, "Product Added")]
        if not number % COMES_AGAIN_EVERY:
            said.append((number * 7 // 11, "Order Completed"))
    at_ms = START_AT_MS + first * 3
    return [
        EventReceived(
            f"user-{number:08}", name, at_ms + place, at_ms, _PROPERTIES, f"{at_ms}-{place}"
        )
        for place, (number, name) in enumerate(said)
    ]


class LongestPause:
    """The longest piece stands where other scenarios have all of them."""

    n_small = 4_000
    limit = 1.0
    repetitions = 1

    def __init__(self, name: str, title: str, *, n: int, wait: str) -> None:
        self.name = name
        self.title = title
        self.n = n
        self._wait = wait

    def prepare(self, n: int) -> int:
        """Nothing but their number."""
        return n

    def reference(self, load: int) -> Run:
        """What is promised."""
        left = len({number * 7 // 11 for number in range(0, load, COMES_AGAIN_EVERY)})
        return Run(PROMISED_NS / 1e9, (load, 0 if self._wait == NINE else load - left))

    def ours(self, load: int) -> Run:
        """Watch a fresh process."""
        command = [sys.executable, "-m", "bench.pauses", str(load), self._wait]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        pauses = msgspec.json.decode(said, type=Pauses)
        return Run(pauses.longest_ns / 1e9, (pauses.users, pauses.waiting))


SCENARIOS = (
    LongestPause(
        "pauses",
        "the longest pause while a process grows to a million users; over 5 ms",
        n=1_000_000,
        wait="7d",
    ),
    LongestPause(
        "pauses-nine",
        "the same where all wait for nine o'clock and are let go then; over 5 ms",
        n=200_000,
        wait=NINE,
    ),
)

if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(watch(int(sys.argv[1]), sys.argv[2])))
