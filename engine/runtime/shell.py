"""The asyncio shell: one task owns the processor.

It wakes for input, for the next deadline and for finished commits. Long work is done in slices of
about a millisecond, with the loop and due deadlines served between slices. At most one commit is
under way; while it is, the next batch fills, up to a bound. A commit that fails for lack of room is
tried again as it is, and meanwhile new input is refused before it is stamped. However slow the disk
is and whatever clients send, what is held of it is bounded in number and in bytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import chain
from math import inf
from typing import TYPE_CHECKING

import structlog

from engine.core.state import NEVER
from engine.errors import HairspringError
from engine.runtime.clock import STEER_EVERY_MS
from engine.runtime.ticker import make_ticker
from engine.store import CommitFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.inputs import DeliveryReported, UserInput
    from engine.core.plan import Plan
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Processor, Released
    from engine.runtime.ticker import Ticker
    from engine.runtime.versions import Versions
    from engine.store import Batch, Quarantined, Store

SLICE_NS = 1_000_000
"""How long the shell works before it lets the loop turn."""

INBOX_MAX = 20_000
"""Items that may wait for the processor; past that, clients are told to come again."""

BATCH_MAX = 2_000
"""Items that one batch takes, and one body more; then they wait for the commit under way.

A batch is sealed and released in one go, at some 3 us an item: this bounds that pause, and so how
late a bulk import makes a deadline.
"""

HELD_BYTES_MAX = 64 << 20
"""Bytes of bodies that are not durable yet; past that, clients are told to come again."""

PRUNE_EVERY = 64
"""Commits between two looks for what is older than it is kept."""

STALL_MIN_MS = 1_000
"""A deadline later than this was missed by a stall, and is treated like one after a downtime."""

RETRY_COMMIT_S = 0.25
ANSWER_WITHIN_S = 20.0
"""A client whose commit takes longer hears 503: not known."""

_log = structlog.get_logger("hairspring")


class Unavailable(HairspringError):  # noqa: N818 - a state, said to the client as 503
    """New input cannot be taken now; nothing is known of it, and it may be sent again."""

    code = "unavailable"


class _Submission:
    __slots__ = ("answer", "answer_by_s", "awaited", "inputs", "quarantined", "size", "taken")

    def __init__(
        self,
        inputs: Sequence[UserInput],
        quarantined: Sequence[Quarantined],
        answer: asyncio.Future[None] | None,
        answer_by_s: float = inf,
        size: int = 0,
    ) -> None:
        self.inputs = inputs
        self.quarantined = quarantined
        self.answer = answer
        self.answer_by_s = answer_by_s
        self.size = size
        self.taken = 0
        self.awaited = 0


class Shell:
    """Runs a processor against a clock and a store.

    Args:
        processor: Recovered, and owned by the shell from here on.
        release: Called with what each finished batch lets out.

    Attributes:
        failure: Why commits do not go through at present, or "".
        waiting: Items in the inbox.
        held_bytes: Of bodies that were taken and are not durable yet.
    """

    def __init__(
        self,
        processor: Processor,
        store: Store,
        clock: Clock,
        release: Callable[[Released], None],
    ) -> None:
        self.processor = processor
        self.failure = ""
        self.waiting = 0
        self.held_bytes = 0
        self._store = store
        self._clock = clock
        self._monotonic_ns = clock.monotonic_ns
        self._release = release
        self._inbox: deque[_Submission] = deque()
        self._awaiting: deque[_Submission] = deque()
        self._patience: asyncio.TimerHandle | None = None
        self._steering: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._commit: asyncio.Task[None] | None = None
        self._armed_at_ms = NEVER
        self._filled = 0
        self._pruning: asyncio.Task[None] | None = None
        self._finished = processor.finished
        self._prune_at = self._finished + PRUNE_EVERY
        self._stopping = False

    async def submit(
        self,
        inputs: Sequence[UserInput],
        quarantined: Sequence[Quarantined] = (),
        size_bytes: int = 0,
    ) -> None:
        """Take inputs, in order; returns once they, and what they follow from, are durable.

        `size_bytes` is that of the body that brought them.

        Raises Unavailable where the inbox is full, the journal cannot be written, the process is
        draining, or the commit takes too long: then it is not known whether they were taken.
        """
        if self._stopping:
            raise Unavailable("the process is stopping", hint="send it again in a moment")
        if self.failure:
            raise Unavailable(f"the journal cannot be written: {self.failure}")
        held_bytes = self.held_bytes
        # One body may be larger than either bound, as the shop has set it: it comes through alone.
        waiting = self.waiting
        if (waiting and waiting + len(inputs) + len(quarantined) > INBOX_MAX) or (
            held_bytes and held_bytes + size_bytes > HELD_BYTES_MAX
        ):
            raise Unavailable("too much is waiting to be taken", hint="send it again in a moment")
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        answer_by_s = loop.time() + ANSWER_WITHIN_S
        self._put(_Submission(inputs, quarantined, answer, answer_by_s, size_bytes))
        if self._patience is None:
            # One timer for all who wait: one each would cost more than taking the input.
            self._patience = loop.call_at(answer_by_s, self._give_up, loop)
        await answer

    def report(self, outcome: DeliveryReported) -> None:
        """Take the outcome of a delivery; never refused."""
        self._put(_Submission((outcome,), (), None))

    def adopt(self, plan: Plan, content: bytes, versions: Versions) -> None:
        """Put another plan into force as of now; `content` is what it was compiled from."""
        self.processor.adopt(plan, self._clock.now_ms(), content, versions)
        self._wake.set()

    def resume(self, grace_ms: int) -> None:
        """Say that the process was down since the last stamp, before `run`."""
        # What fell due up to there fired before the commit that had the stamp, or fires now as it
        # would have then: that is what the journal gives to whoever reads it from its first input.
        self.processor.resume(self.processor.now_ms, grace_ms, self._clock.now_ms())

    async def run(self) -> None:
        """Work until cancelled, or until a commit fails for good (raises CommitFailed)."""
        ticker = make_ticker(self._ring)
        self._armed_at_ms = NEVER
        self._steer()
        try:
            while True:
                self._wake.clear()
                if self._work():
                    await asyncio.sleep(0)
                else:
                    self._arm(ticker)
                    await self._wake.wait()
                if self._commit is not None and self._commit.done():
                    self._commit.result()
                    self._commit = None
                self._look_after_pruning()
        finally:
            ticker.close()
            if self._steering is not None:
                self._steering.cancel()
            # A commit that fails would be tried again for ever, on a store that is closed by then.
            begun = [task for task in (self._commit, self._pruning) if task is not None]
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)

    def _steer(self) -> None:
        """Keep the clock near the wall clock, and adopt one that has been far ahead for a while."""
        clock, loop = self._clock, asyncio.get_running_loop()
        self._steering = loop.call_later(STEER_EVERY_MS / 1_000, self._steer)
        slew_ppm = clock.slew_ppm
        at_ms = clock.steer()
        if at_ms is not None:
            before_ms = clock.now_ms()
            clock.jump(at_ms)
            self.processor.adjust(before_ms, at_ms)
            _log.warning("clock.adjusted", by_ms=at_ms - before_ms)
        if at_ms is not None or clock.slew_ppm != slew_ppm:
            # What is armed was reckoned for another speed.
            self._armed_at_ms = NEVER
            self._wake.set()

    def stop_taking(self) -> None:
        """Refuse new input from now on; what waits is still taken."""
        self._stopping = True

    async def settle(self) -> None:
        """Wait until everything taken so far is durable and every user is saved."""
        await self._pass_through()  # what waits in the inbox is taken first
        self.processor.save_all()
        await self._pass_through()

    async def _pass_through(self) -> None:
        answer = asyncio.get_running_loop().create_future()
        self._put(_Submission((), (), answer))
        await answer

    def _put(self, submission: _Submission) -> None:
        self._inbox.append(submission)
        self.waiting += len(submission.inputs) + len(submission.quarantined)
        self.held_bytes += submission.size
        self._wake.set()

    def _work(self) -> bool:
        """One slice; whether there is more to do at once."""
        until_ns = self._monotonic_ns() + SLICE_NS
        processor = self.processor
        now_ms = self._clock.now_ms()
        if processor.wake_at_ms <= now_ms:
            self._advance(now_ms, until_ns)
        inbox = self._inbox
        while self._may_take() and self._monotonic_ns() < until_ns:
            self._take(inbox[0], until_ns)
        sweeps = processor.sweep(lambda: self._monotonic_ns() < until_ns)
        self._begin()
        return sweeps or self._may_take() or processor.wake_at_ms <= self._clock.now_ms()

    def _may_take(self) -> bool:
        return bool(self._inbox) and not self.failure and self._filled < BATCH_MAX

    def _advance(self, now_ms: int, until_ns: int) -> None:
        processor = self.processor
        due_at_ms = processor.wake_at_ms
        if now_ms - due_at_ms >= STALL_MIN_MS * self._clock.rate and due_at_ms > processor.now_ms:
            processor.resume(processor.now_ms, 0, now_ms)
        processor.advance(now_ms, lambda: self._monotonic_ns() < until_ns)

    def _take(self, submission: _Submission, until_ns: int) -> None:
        """Apply inputs of the first submission until it is through, or the slice is over."""
        processor = self.processor
        inputs = submission.inputs
        count = len(inputs)
        place = submission.taken
        now_ms = self._clock.now_ms()
        take = processor.take_unless_erased if processor.tombstones else processor.take
        while place < count:
            take(inputs[place], now_ms)
            place += 1
            if not place & 7 and self._monotonic_ns() >= until_ns:
                break
        self.waiting -= place - submission.taken
        self._filled += place - submission.taken
        submission.taken = place
        if place < count:
            return
        for item in submission.quarantined:
            processor.quarantine(item)
        self.waiting -= len(submission.quarantined)
        self._filled += len(submission.quarantined)
        self._inbox.popleft()
        if submission.answer is not None:
            submission.awaited = processor.awaited()
            self._awaiting.append(submission)

    def _begin(self) -> None:
        if self._commit is None:
            batch = self.processor.begin(self._clock.now_ms())
            self._filled = 0
            if batch is not None:
                self._commit = asyncio.create_task(self._run_commit(batch))
            else:
                self._answer()

    async def _run_commit(self, batch: Batch) -> None:
        try:
            while True:
                try:
                    await self._store.commit(batch)
                    break
                except CommitFailed as error:
                    if not error.again:
                        raise
                    if not self.failure:
                        _log.error("commit.failed", why=error.message, hint=error.hint)
                    self.failure = error.message
                    self._refuse_waiting()
                    await asyncio.sleep(RETRY_COMMIT_S)
            if self.failure:
                _log.info("commit.recovered")
            self.failure = ""
            released = self.processor.finish(batch)
            self._finished = batch.number
            self._answer()
            self._release(released)
        finally:
            self._wake.set()

    def _look_after_pruning(self) -> None:
        """Begin to prune now and then, in slices that commits come between; one at a time."""
        if self._pruning is None:
            if self._finished >= self._prune_at:
                self._prune_at = self._finished + PRUNE_EVERY
                self._pruning = asyncio.create_task(self._prune())
        elif self._pruning.done():
            self._pruning.result()
            self._pruning = None

    async def _prune(self) -> None:
        try:
            while await self._store.prune(self.processor.now_ms):
                pass
            while await self._store.keep_archive(self.processor.now_ms):
                pass
        except CommitFailed as error:
            if not error.again:
                raise  # what cannot be mended ends the work, as a commit's own would

    def _refuse_waiting(self) -> None:
        """Clients whose input was not stamped yet hear at once that it is not known."""
        kept: deque[_Submission] = deque()
        for submission in self._inbox:
            if submission.answer is None or submission.taken:
                kept.append(submission)
                continue
            self.waiting -= len(submission.inputs) + len(submission.quarantined)
            self.held_bytes -= submission.size
            if not submission.answer.done():
                submission.answer.set_exception(
                    Unavailable(f"the journal cannot be written: {self.failure}")
                )
        self._inbox = kept

    def _answer(self) -> None:
        """Tell those whose batch is durable."""
        awaiting = self._awaiting
        finished = self._finished
        while awaiting and awaiting[0].awaited <= finished:
            submission = awaiting.popleft()
            self.held_bytes -= submission.size
            answer = submission.answer
            if answer is not None and not answer.done():
                answer.set_result(None)

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Those who have waited too long hear that it is not known; they wait in order of time."""
        self._patience = None
        now_s = loop.time()
        for submission in chain(self._awaiting, self._inbox):
            answer = submission.answer
            if answer is None or answer.done() or submission.answer_by_s == inf:
                continue
            if submission.answer_by_s > now_s:
                self._patience = loop.call_at(submission.answer_by_s, self._give_up, loop)
                break
            answer.set_exception(Unavailable("the commit takes too long", hint="send it again"))

    def _ring(self) -> None:
        self._armed_at_ms = NEVER
        self._wake.set()

    def _arm(self, ticker: Ticker) -> None:
        wake_at_ms = self.processor.wake_at_ms
        if wake_at_ms == self._armed_at_ms:
            return  # setting it again is a system call, after every turn of a busy loop
        self._armed_at_ms = wake_at_ms
        if wake_at_ms == NEVER:
            ticker.disarm()
        else:
            ticker.arm(self._clock.delay_ns(wake_at_ms))
