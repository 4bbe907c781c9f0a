"""A live run's exported journal, run again as it was: the same inputs, stamps, plans and outcomes.

What comes of it is held against what came of the live run, record by record and state by state, as
bytes. Users are independent of each other, so that each one's records are compared in their order;
between users, the live process had no order that meant anything. Refusals are not compared: they
are kept by no one but the user, in whose state they are.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import msgspec
from xxhash import xxh3_64_intdigest

from config import ContentInvalid, ShopInvalid, decode_content, load_shop
from engine.core.inputs import (
    ClockAdjusted,
    OfPlan,
    PlanChanged,
    TimeResumed,
    UserErased,
)
from engine.core.plan import Plan
from engine.core.reports.records import record_line
from engine.core.state import decode_user, encode_user
from engine.runtime.processor import Processor
from engine.sim.exported import (
    ChangeLine,
    End,
    FloorLine,
    Head,
    InputLine,
    JournalUnreadable,
    PlanLine,
    RecordLine,
    StateLine,
)
from engine.sim.exporting import come_to_rest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.core.effects import CountTime, Record
    from engine.core.inputs import Input
    from engine.core.state import User
    from engine.sim.exported import Line

SHOWN_MAX = 10
"""Differences that are told; the rest is counted."""

OPEN_MAX = 64
"""What may gather before it is let out: a replay looks at all of it with each input."""


class Comparison(msgspec.Struct):
    """How a replay compares with the run.

    Attributes:
        inputs: Inputs that were run again.
        records: Records of the live run.
        states: States of the live run.
        different: How many users differ, in a record or in their last state.
        shown: The first differences, in words.
        engine: The version that ran it.
        tzdata: The release of its time-zone data.
    """

    inputs: int = 0
    records: int = 0
    states: int = 0
    different: int = 0
    shown: list[str] = []
    engine: str = ""
    tzdata: str = ""


class Replay:
    """One journal, run again.

    Args:
        on_progress: Told how many inputs were run.

    Attributes:
        comparison: What was found, once `run` is through.
        first_at_ms: When the first input was taken; 0 before there was one.
        last_at_ms: When the last one was.
    """

    def __init__(self, on_progress: Callable[[int], None] | None = None) -> None:
        self.comparison = Comparison()
        self.first_at_ms = 0
        self.last_at_ms = 0
        self._told = on_progress
        self._head: Head | None = None
        self._plans: dict[str, Plan] = {}
        self._users: dict[str, User] = {}
        self._changes: list[tuple[int, Input]] = []
        self._processor: Processor | None = None
        self._ended = False
        self.times: list[tuple[int, CountTime]] = []
        """Times of repeats among the records that were given last."""
        self._made: dict[str, array[int]] = {}
        self._live: dict[str, array[int]] = {}
        self._erased: set[str] = set()
        self.differences: dict[str, str] = {}
        """By user, the first thing that differs."""
        self._stateless: set[str] = set()

    @property
    def processor(self) -> Processor:
        """Users, and logical time, as far as it has come."""
        if self._processor is None:
            plan = next(iter(self._plans.values()), Plan(""))
            self._processor = Processor(plan, self._users, changes=self._changes, plans=self._plans)
        return self._processor

    @property
    def _is_cut(self) -> bool:
        """Whether it begins with states, where the archive was cut."""
        return self._head is not None and self._head.exact_from_ms > 0

    def run(self, lines: Iterable[Line]) -> Iterator[list[Record]]:
        """Run it; gives records, those of one piece in order of `at_ms`.

        Raises JournalUnreadable where the journal does not begin with its head, or names a plan
        that this version cannot read.
        """
        for line in lines:
            match line:
                case Head():
                    self._head = line
                case PlanLine():
                    self._plans[line.plan_id] = _plan(line)
                case FloorLine():
                    user = decode_user(line.state)
                    self._users[user.user_id] = user
                case ChangeLine():
                    self._changes.append((line.number, line.input))
                case InputLine():
                    yield from self._take(line)
                case RecordLine() | StateLine() | End():
                    yield from self._end()
                    self._compare(line)

    def _take(self, line: InputLine) -> Iterator[list[Record]]:
        happened = line.input
        processor = self.processor
        if not isinstance(happened, TimeResumed | ClockAdjusted):
            # Nobody lived through what was skipped; in all else, time passes up to the input.
            processor.advance(happened.at_ms)
        if isinstance(happened, OfPlan) and happened.plan_id not in self._plans:
            raise JournalUnreadable(
                f"the journal names a plan that it does not hold: {happened.plan_id}",
                hint="export it again",
            )
        if isinstance(happened, UserErased):
            self._erased.add(happened.user_id)
        processor.replay([(line.number, happened)])
        while isinstance(happened, PlanChanged) and processor.sweep():
            pass  # it may make deadlines due sooner, before the next input
        self.comparison.inputs += 1
        self.first_at_ms = self.first_at_ms or happened.at_ms
        self.last_at_ms = happened.at_ms
        if self._told is not None and self.comparison.inputs % 2_048 == 0:
            self._told(self.comparison.inputs)
        if processor.open_size >= OPEN_MAX:
            yield self._let_out()

    def _let_out(self) -> list[Record]:
        batch = self.processor.begin(self.processor.now_ms)
        if batch is None:
            return []
        released = self.processor.finish(batch)
        self.times = released.times
        return self._noted(released.records)

    def _noted(self, records: list[Record]) -> list[Record]:
        assert self._head is not None
        for record in records:
            if record.at_ms >= self._head.exact_from_ms and record.kind != "refused":
                mark = xxh3_64_intdigest(record_line(record))
                self._made.setdefault(record.user_id, array("Q")).append(mark)
        return records

    def _end(self) -> Iterator[list[Record]]:
        if self._ended:
            return
        self._ended = True
        if self._head is None:
            raise JournalUnreadable("the journal has no head", hint="export it again")
        yield self._let_out()
        yield self._noted(come_to_rest(self.processor, self._head.last_at_ms))
        self._stateless.update(self.processor.users)

    def _compare(self, line: RecordLine | StateLine | End) -> None:
        comparison = self.comparison
        match line:
            case RecordLine():
                comparison.records += 1
                self._compare_record(line.record)
            case StateLine():
                comparison.states += 1
                self._stateless.discard(line.user_id)
                user = self.processor.users.get(line.user_id)
                if user is None or encode_user(user) != line.state:
                    self._differs(line.user_id, "the last state is another")
            case End():
                self._compare_counts()

    def _compare_record(self, record: Record) -> None:
        told = record_line(record)
        mark = xxh3_64_intdigest(told)
        live = self._live.setdefault(record.user_id, array("Q"))
        place = len(live)
        live.append(mark)
        made = self._made.get(record.user_id, ())
        if not self._is_cut and (place >= len(made) or made[place] != mark):
            self._differs(record.user_id, f"the run had {told.decode().rstrip()}")

    def _compare_counts(self) -> None:
        # Before the records: of somebody who is missing, those of the end are missing too.
        for user_id in sorted(self._stateless):
            self._differs(user_id, "the run has no state of this user, and its inputs make one")
        nothing = array("Q")
        for user_id in self._made.keys() | self._live.keys():
            made, live = self._made.get(user_id, nothing), self._live.get(user_id, nothing)
            if self._is_cut:
                # The archive lets records go by age, the oldest first.
                made = made[max(0, len(made) - len(live)) :]
            if made != live and user_id not in self._erased:
                self._differs(user_id, f"of {len(live)} records of the run some are others")
        comparison = self.comparison
        comparison.different = len(self.differences)
        assert self._head is not None
        comparison.engine, comparison.tzdata = self._head.engine, self._head.tzdata

    def _differs(self, user_id: str, why: str) -> None:
        if user_id not in self.differences and len(self.comparison.shown) < SHOWN_MAX:
            self.comparison.shown.append(f"{user_id}: {why}")
        self.differences.setdefault(user_id, why)


def _plan(line: PlanLine) -> Plan:
    try:
        return load_shop(decode_content(bytes(line.content))).plan
    except (ShopInvalid, ContentInvalid) as error:
        raise JournalUnreadable(
            f"the plan {line.plan_id} cannot be read by this version: {error.message}",
            hint="run it with the version that wrote it",
        ) from error
