"""Campaigns started for many users: at a pace, as they are found, and first of all looked at.

A bulk start is work of whoever asked for it, and ends with him: each piece of it goes the way of
any other input, and is durable before the next one begins. What makes it safe to break off is its
name, the *run*: each user's start has a message id by it, so that the same run, asked for again,
passes over whoever was started before. A process that is told to stop breaks it off itself, between
two pieces, and says how far it came.

A pace keeps it from making deadlines late and from sending all its messages at one instant. What is
found of a segment is asked once more of each user when his turn comes, which may be hours later.
Where the shop's segment is another one by then it is broken off, too: what the old one asked of the
past may not be kept any more, so that it would hold of whom it never held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import structlog

from engine.core.conditions.condition import Condition
from engine.core.intake.starts import StartSaid
from engine.core.state import new_user, stands
from engine.core.transition import step
from engine.core.turn import Turn
from engine.errors import HairspringError
from engine.runtime.admin.explaining import as_he_is
from engine.runtime.inbox import Unavailable
from engine.runtime.starting import ERASED, Outcomes, Started, outcome_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from typing import TypeAlias

    from engine.core.effects import Effect
    from engine.core.inputs import TriggerReceived
    from engine.core.state import User
    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell

    OnProgress: TypeAlias = Callable[[int, int], None]

PER_SECOND: Final = 100.0
"""Users who are started a second, unless somebody says otherwise."""

PER_SECOND_MAX: Final = 10_000.0

PIECE_MAX: Final = 50
"""Users who are started together: some two milliseconds of work."""

PIECES_PER_SECOND: Final = 10
"""At a lower pace pieces are smaller, so that nobody's messages come in a burst."""

TOLD_MAX: Final = 1_000
"""Users of whom it is told one by one what came of them; beyond that they are counted."""

AGAIN_AFTER_S: Final = 0.5
AGAIN_MAX: Final = 120
"""How often a piece is tried again while the process can take nothing: for a minute."""

_HINTS: Final = (
    "name a `run` next time: then the same can be said again",
    "say the same again under the same run {when}: it goes on with the others",
)
"""What to do where it broke off, without the name of a run and with one."""

_log = structlog.get_logger("hairspring")

_T = TypeVar("_T")

_ASKED_AT_ONCE: Final = 32
_LOOKED_AT_AT_ONCE: Final = 8
"""Users between two turns of the loop: at some 20 and 80 microseconds each."""


class Bulk(msgspec.Struct, frozen=True, eq=False):
    """Whom to start, of which campaign, how fast.

    Attributes:
        said: What each is started with; its message id, if any, is that of the run.
        user_ids: Each once; None: whoever is in `segment`.
        segment: Whoever is to be started is in it, also when his turn comes; one of the shop's.
        per_second: Users a second.
        over_ms: In how long; None: as long as it takes `per_second`.
    """

    said: StartSaid
    user_ids: Sequence[str] | None = None
    segment: Condition | None = None
    per_second: float = PER_SECOND
    over_ms: int | None = None


class Bulked(msgspec.Struct):
    """What came of it, or, where it was only looked at, what would.

    Attributes:
        campaign: The campaign's id.
        asked: Users who were found.
        entered: Those who came in.
        refused: Those who did not, by reason.
        known: Those who were started before, in the same run.
        left: Those who had left the segment by the time of their turn.
        started: One by one, where there are `TOLD_MAX` of them or fewer.
    """

    campaign: str
    asked: int = 0
    entered: int = 0
    refused: dict[str, int] = {}
    known: int = 0
    left: int = 0
    started: list[Started] = []

    def count(self, started: Iterable[Started]) -> None:
        """Have some more in it."""
        for one in started:
            if one.outcome == "entered":
                self.entered += 1
            elif one.outcome == "known":
                self.known += 1
            else:
                self.refused[one.reason] = self.refused.get(one.reason, 0) + 1
            if self.asked <= TOLD_MAX:
                self.started.append(one)


class SegmentChanged(HairspringError):  # noqa: N818 - said of the shop, as `Unavailable` is
    """The segment that a bulk start is for is another one by now, or gone."""

    code = "segment.changed"


class Starting:
    """Does it for one process.

    Args:
        now_ms: Logical time.
        stopping: Set once the process is told to stop.
    """

    def __init__(self, shell: Shell, now_ms: Callable[[], int], stopping: asyncio.Event) -> None:
        self._shell = shell
        self._processor = shell.processor
        self._now_ms = now_ms
        self._looking = Looking(self._processor, now_ms)
        self._stopping = stopping

    async def start(self, bulk: Bulk, on_progress: OnProgress) -> Bulked:
        """Start them all; returns once that is durable. O(users known + users started).

        Raises Unavailable where the process can take nothing for a while, or is stopping, and
        SegmentChanged.
        """
        found = await self._found(bulk)
        bulked = Bulked(bulk.said.campaign, len(found))
        user_ids = []
        async for _, user_id in _some_at_a_time(found, _ASKED_AT_ONCE):
            if self._is_known(bulk, user_id):
                bulked.count([Started(user_id, "known")])  # in no time: a run is taken up again
            else:
                user_ids.append(user_id)
        per_second = bulk.per_second
        if bulk.over_ms:
            per_second = min(max(len(user_ids), 1) * 1_000 / bulk.over_ms, PER_SECOND_MAX)
        size = max(1, min(PIECE_MAX, int(per_second / PIECES_PER_SECOND)))
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for done in range(0, len(user_ids), size):
            if await self._is_stopping_within(began_s + done / per_second - loop.time()):
                stopping = Unavailable("the process is stopping")
                raise _broken_off(stopping, bulk, done, len(user_ids), "once it is back")
            try:
                segment = self._segment(bulk)
            except SegmentChanged as changed:
                said = "if it is what you mean"
                raise _broken_off(changed, bulk, done, len(user_ids), said) from None
            piece = [one for one in user_ids[done : done + size] if self._still(segment, one)]
            bulked.left += min(size, len(user_ids) - done) - len(piece)
            bulked.count(await self._start(bulk, piece))
            on_progress(min(done + size, len(user_ids)), len(user_ids))
        return bulked

    async def look(self, bulk: Bulk, on_progress: OnProgress) -> Bulked:
        """What `start` would do if it all happened now: each user's copy is started, and let go.

        O(users known + users looked at).
        """
        user_ids = await self._found(bulk)
        bulked = Bulked(bulk.said.campaign, len(user_ids))
        async for done, user_id in _some_at_a_time(user_ids, _LOOKED_AT_AT_ONCE):
            bulked.count([self._looking.one(bulk.said.of_many(user_id, self._now_ms()))])
            on_progress(done, len(user_ids))
        return bulked

    async def _found(self, bulk: Bulk) -> Sequence[str]:
        if bulk.user_ids is not None:
            return bulk.user_ids
        found: dict[str, None] = {}
        for some in self._processor.users.slices(_ASKED_AT_ONCE):
            segment = self._segment(bulk)
            found.update((one.user_id, None) for one in some if self._still(segment, one.user_id))
            await asyncio.sleep(0)
        return [*reversed(found)]  # those first who came first

    def _segment(self, bulk: Bulk) -> Condition | None:
        """The segment as the plan in force has it. O(segments).

        Raises SegmentChanged where it has none that asks the same.
        """
        if bulk.segment is None:
            return None
        for one in self._processor.plan.segments.values():
            if one.signature == bulk.segment.signature:
                return one
        raise SegmentChanged(
            "the shop was changed, and the segment with it", hint="ask again of the shop as it is"
        )

    def _still(self, segment: Condition | None, user_id: str) -> bool:
        """Whether a user is in the segment now, where one is asked for."""
        if segment is None:
            return True
        user = self._processor.users.get(user_id)
        return user is not None and is_in(self._processor, user, segment, self._now_ms())

    async def _start(self, bulk: Bulk, user_ids: Sequence[str]) -> list[Started]:
        """Have a piece taken, again where it is not known whether it was: it has message ids."""
        if not user_ids:
            return []
        for tries in count(1):
            outcomes = Outcomes()
            inputs = [bulk.said.of_many(user_id, self._now_ms()) for user_id in user_ids]
            try:
                await self._shell.submit(inputs, told=outcomes.tell)
            except Unavailable:
                if tries >= AGAIN_MAX or not bulk.said.message_id:
                    raise
                if await self._is_stopping_within(AGAIN_AFTER_S):
                    raise
            else:
                return outcomes.started
        raise AssertionError("counts without an end")

    async def _is_stopping_within(self, within_s: float) -> bool:
        """Wait so long; whether the process is told to stop by then, which ends the wait."""
        if within_s <= 0:
            await asyncio.sleep(0)
            return self._stopping.is_set()
        try:
            async with asyncio.timeout(within_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    def _is_known(self, bulk: Bulk, user_id: str) -> bool:
        """Whether the run has started a user before."""
        return self._looking.is_known(bulk.said.of_many(user_id, 0))


class Looking:
    """What manual starts would come to in one process now: nothing is taken.

    Args:
        now_ms: Logical time.
    """

    def __init__(self, processor: Processor, now_ms: Callable[[], int]) -> None:
        self._processor = processor
        self._now_ms = now_ms

    async def would(self, inputs: Sequence[TriggerReceived]) -> list[Started]:
        """What would come of each, the loop turning now and then. O(inputs)."""
        return [self.one(each) async for _, each in _some_at_a_time(inputs, _LOOKED_AT_AT_ONCE)]

    def one(self, happened: TriggerReceived) -> Started:
        """What would come of one: a copy of its user is started, and let go."""
        processor, now_ms, user_id = self._processor, self._now_ms(), happened.user_id
        if self.is_known(happened):
            return Started(user_id, "known")
        if processor.tombstones.erased_at_ms(user_id) > now_ms:
            return Started(user_id, "refused", ERASED)
        happened.at_ms = now_ms
        effects: list[Effect] = []
        lived = as_he_is(processor, user_id, now_ms)
        step(processor.plan, lived.user or new_user(user_id), happened, effects)
        return outcome_of(user_id, effects)

    def is_known(self, happened: TriggerReceived) -> bool:
        """Whether it was taken before, by its message id."""
        dedupe = self._processor.dedupe
        return dedupe is not None and bool(happened.message_id) and happened.message_id in dedupe


def _broken_off(
    why: HairspringError, bulk: Bulk, done: int, total: int, when: str
) -> HairspringError:
    """What to say where it ends in the middle, and `when` to go on; in the log, too."""
    _log.warning("bulk.broken_off", campaign=bulk.said.campaign, started=done, of=total)
    return type(why)(
        f"{why.message}: {done:,} of {total:,} users were started",
        hint=_HINTS[bool(bulk.said.message_id)].format(when=when),
    )


def is_in(processor: Processor, user: User, segment: Condition, now_ms: int) -> bool:
    """Whether a user is in a segment, as things stand. O(what the condition asks)."""
    if user.seen < processor.plans.number and stands(user):
        lived = as_he_is(processor, user.user_id, now_ms)  # he has not taken the plan on yet
        user = lived.user or user
    return Turn(processor.plan, user, now_ms, now_ms, []).ask(segment, "")[0]


async def _some_at_a_time(all_of: Sequence[_T], at_once: int) -> AsyncIterator[tuple[int, _T]]:
    """Each, with how many that makes; the loop turns now and then, so that nothing is late."""
    for done, one in enumerate(all_of, start=1):
        yield done, one
        if not done % at_once:
            await asyncio.sleep(0)
