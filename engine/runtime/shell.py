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
from typing import TYPE_CHECKING

import structlog

from engine.core.state import NEVER
from engine.failpoints import come_to
from engine.runtime.clock import STEER_EVERY_MS
from engine.runtime.inbox import Inbox, Unavailable
from engine.runtime.starting import telling
from engine.runtime.ticker import make_ticker
from engine.runtime.tidying import Tidying
from engine.store import CommitFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.inputs import HistoryFound, OfDelivery, UserInput
    from engine.core.plan import Plan
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Processor, Released
    from engine.runtime.starting import Told
    from engine.runtime.ticker import Ticker
    from engine.runtime.versions import Versions
    from engine.store import Batch, QuarantineChange, Store

SLICE_NS = 1_000_000
"""How long the shell works before it lets the loop turn."""

LOOK_EVERY = 8
"""Inputs that are taken between two looks at the clock."""

BATCH_MAX = 4_000
"""What one batch holds of inputs, effects and users to save, and what a slice adds.

A batch is sealed and released in one go, at about a microsecond each: this bounds that pause, and
so how late a bulk import makes a deadline. Inputs wait then for the commit under way; what
deadlines do goes on into the next batch.
"""

STALL_MIN_MS = 1_000
"""A deadline later than this was missed by a stall, and is treated like one after a downtime."""

LATE_MAX_MS = 20
"""A process that fires deadlines later than this has many of them to fire."""

RETRY_COMMIT_S = 0.25

_log = structlog.get_logger("hairspring")


class Shell:
    """Runs a processor against a clock and a store.

    Args:
        processor: Recovered, and owned by the shell from here on.
        release: Called with what each finished batch lets out.

    Attributes:
        failure: Why commits do not go through at present, or "".
        inbox: What waits to be taken, and who waits for an answer.
        is_holding: Whether what is in the inbox waits a moment, be it never so little.
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
        self.is_holding = False
        self.inbox = Inbox()
        self._store = store
        self._clock = clock
        self._monotonic_ns = clock.monotonic_ns
        self._release = release
        self._steering: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._commit: asyncio.Task[None] | None = None
        self._broken: Exception | None = None
        self._armed_at_ms = NEVER
        self._sealed: deque[Batch] = deque()
        self._tidying = Tidying(processor, store)
        self._stopping = False
        self._running = False

    async def submit(
        self,
        inputs: Sequence[UserInput],
        quarantined: Sequence[QuarantineChange] = (),
        size_bytes: int = 0,
        told: Told | None = None,
    ) -> None:
        """Take inputs, in order; returns once they, and what they follow from, are durable.

        `size_bytes` is that of the body that brought them. Where somebody is to be `told`, it is of
        each input as it is taken: what came of it is durable once this returns.

        Raises Unavailable where the inbox is full, the journal cannot be written, the process is
        draining, or the commit takes too long: then it is not known whether they were taken.
        """
        if self._stopping:
            raise Unavailable("the process is stopping", hint="send it again in a moment")
        if self.failure:
            raise Unavailable(f"the journal cannot be written: {self.failure}")
        count = len(inputs)
        answer = self.inbox.put(inputs, quarantined, size_bytes, told)
        del inputs  # of whom else they are nobody's, they are let go of as soon as they are taken
        if count > LOOK_EVERY:
            self._take_at_once()
        self._wake.set()
        await answer

    def report(self, outcome: Sequence[OfDelivery]) -> None:
        """Take the outcome of a delivery, into one batch; never refused."""
        come_to("before-outcome")
        self.inbox.put_own(outcome, None)
        self._wake.set()

    def adopt(self, plan: Plan, content: bytes, versions: Versions) -> None:
        """Put another plan into force as of now; `content` is what it was compiled from."""
        self.processor.adopt(plan, self._clock.now_ms(), content, versions)
        come_to("in-plan-change")
        self._wake.set()

    def announce(self, plan: Plan, content: bytes) -> None:
        """Keep of users what a coming plan asks for, too, as of now."""
        self.processor.announce(plan, self._clock.now_ms(), content)
        self._wake.set()

    def find(self, found: HistoryFound) -> None:
        """Have what was found of a user's past in his state."""
        self.processor.take(found, self._clock.now_ms())
        self._wake.set()

    async def durable(self) -> None:
        """Wait until all that the processor has taken by now is durable, however long it takes.

        Raises Unavailable where nothing more is committed.
        """
        awaited = self.processor.awaited()
        if self.processor.finished < awaited:
            self._wake.set()
            await self.inbox.wait(awaited)

    async def in_time(self) -> None:
        """Wait until what is due fires within `LATE_MAX_MS`; nothing is waited for where it does.

        Raises Unavailable where nothing more is committed.
        """
        late_max_ms = LATE_MAX_MS * self._clock.rate
        while self._clock.now_ms() - self.processor.wake_at_ms > late_max_ms:
            await self._pass_through()

    def resume(self, grace_ms: int) -> None:
        """Say that the process was down since the last stamp, before `run`."""
        # What fell due up to there fired before the commit that had the stamp, or fires now as it
        # would have then: that is what the journal gives to whoever reads it from its first input.
        self.processor.resume(self.processor.now_ms, grace_ms, self._clock.now_ms())

    async def run(self) -> None:
        """Work until cancelled, or until a commit fails for good (raises CommitFailed)."""
        ticker = make_ticker(self._ring)
        self._armed_at_ms = NEVER
        self._running = True
        self._steer()
        try:
            while True:
                self._wake.clear()
                if self._work():
                    await asyncio.sleep(0)
                else:
                    self._arm(ticker)
                    await self._wake.wait()
                if self._broken is not None:
                    raise self._broken
                self._tidying.look_after()
        except CommitFailed as error:
            # Clients hear it now: the drain would wait for them, and they for an answer.
            self.failure = error.message
            self.inbox.abandon(f"the journal cannot be written: {self.failure}")
            raise
        finally:
            self._running = False
            ticker.close()
            if self._steering is not None:
                self._steering.cancel()
            # A commit that fails would be tried again for ever, on a store that is closed by then.
            begun = [task for task in (self._commit, self._tidying.task) if task is not None]
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
        elif self._tidying.is_due(clock.now_ms()):
            self._wake.set()

    def stop_taking(self) -> None:
        """Refuse new input from now on; what waits is still taken."""
        self._stopping = True

    async def settle(self) -> None:
        """Wait until everything taken so far is durable and every user is saved."""
        await self._pass_through()  # what waits in the inbox is taken first
        come_to("in-drain")
        self.processor.save_all()
        await self._pass_through()

    async def _pass_through(self) -> None:
        answer = asyncio.get_running_loop().create_future()
        self.inbox.put_own((), answer)
        self._wake.set()
        await answer

    def _work(self) -> bool:
        """One slice; whether there is more to do at once."""
        until_ns = self._monotonic_ns() + SLICE_NS
        processor = self.processor
        now_ms = self._clock.now_ms()
        if processor.wake_at_ms <= now_ms:
            self._advance(now_ms, until_ns)
        if self._may_take() and self._monotonic_ns() < until_ns:
            self._take(until_ns)
        sweeps = processor.sweep(lambda: self._monotonic_ns() < until_ns)
        self._begin()
        return sweeps or self._may_take() or processor.wake_at_ms <= self._clock.now_ms()

    def _take_at_once(self) -> None:
        """Apply a slice of what just came, where nothing waits before it and nothing is due.

        It is in the cache still; and what is made of the next body comes into the same memory.
        """
        if (
            not self._running
            or len(self.inbox.queue) > 1
            or not self._may_take()
            or self._broken is not None
            or self.processor.wake_at_ms <= self._clock.now_ms()
        ):
            return
        try:
            self._take(self._monotonic_ns() + SLICE_NS)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._broken = error

    def _may_take(self) -> bool:
        return (
            bool(self.inbox.queue)
            and not self.is_holding
            and not self.failure
            and not self._sealed
            and self.processor.open_size < BATCH_MAX
        )

    def _advance(self, now_ms: int, until_ns: int) -> None:
        processor = self.processor
        due_at_ms = processor.wake_at_ms
        if now_ms - due_at_ms >= STALL_MIN_MS * self._clock.rate and due_at_ms > processor.now_ms:
            processor.resume(processor.now_ms, 0, now_ms)
        processor.advance(now_ms, lambda: self._monotonic_ns() < until_ns)

    def _take(self, until_ns: int) -> None:
        """Apply inputs, in order, until all are through, the batch is full or the slice is over.

        Many clients bring one each: what costs more than taking it is done once for some of them.
        """
        inbox, processor = self.inbox, self.processor
        now_ms = self._clock.now_ms()
        take = processor.tombstones.guard(processor.take, processor)
        while True:
            left = LOOK_EVERY
            while left > 0 and inbox.queue and processor.open_size < BATCH_MAX:
                submission, some = inbox.take(left)
                left -= len(some) or 1
                told = submission.told
                take_one = take if told is None else telling(processor, take, told)
                for happened in some:
                    take_one(happened, now_ms)
                if submission.quarantined and submission.is_through:
                    for item in submission.quarantined:
                        processor.quarantine(item)
            inbox.end(processor.awaited())
            if not self._may_take() or self._monotonic_ns() >= until_ns:
                break
        processor.encode()

    def _begin(self) -> None:
        """Have the oldest batch committed where none is, and seal one that is full."""
        if self._broken is not None:
            return
        idle = self._commit is None
        if self.processor.open_size >= BATCH_MAX or (idle and not self._sealed):
            now_ms = self._clock.now_ms()
            is_time = idle and self._tidying.wants_commit(now_ms)
            batch = self.processor.begin(now_ms, be_it_empty=is_time)
            if batch is not None:
                self._sealed.append(batch)
        if not idle:
            return
        if self._sealed:
            self._commit = asyncio.create_task(self._run_commit(self._sealed.popleft()))
        else:
            self.inbox.answer(self.processor.finished)

    async def _run_commit(self, batch: Batch) -> None:
        """Commit a batch, have the next one committed, and give out what waited for this one."""
        come_to("before-commit")
        try:
            await self._make_durable(batch)
            released = self.processor.finish(batch)
            # First of all the disk gets what it can do while those who waited are answered.
            self._commit = None
            self._begin()
            self.inbox.answer(batch.number)
            come_to("before-release")
            self._release(released)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._broken = error
        finally:
            self._wake.set()

    async def _make_durable(self, batch: Batch) -> None:
        """Commit it, again where there is no room; new input is refused meanwhile."""
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
                self.inbox.refuse(f"the journal cannot be written: {self.failure}")
                await asyncio.sleep(RETRY_COMMIT_S)
        if self.failure:
            _log.info("commit.recovered")
        self.failure = ""

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
