"""Two shops over the same events: who would be sent what more, and what less.

Both live through the same stream side by side, so that it is read once and may be a pipe. What is
kept of it is what one is ahead of the other: for each user for whom they differ, by how much.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from copy import copy
from heapq import nsmallest
from itertools import tee
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from xxhash import xxh3_64_intdigest

from engine.core.state import User, decode_user, encode_user
from engine.sim.exported import beginning, seen_by, users_inputs
from engine.sim.reading import Reading
from engine.sim.run import Options, Report, Run, arriving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from config import Shop
    from engine.core.effects import Record
    from engine.core.inputs import UserInput
    from engine.sim.sources import Source

    Write: TypeAlias = Callable[[bytes], object]

SAMPLE_MAX: Final = 10
"""Users that are named of those for whom the shops differ."""


class Change(msgspec.Struct):
    """Messages of one campaign on one channel.

    Attributes:
        before: How many the shop sends.
        after: How many the other one sends.
        users_more: Users who are sent more of them by the other one.
        users_less: Users who are sent fewer.
        other_time: Of those that both send, how many the other one sends at another time; the first
            of a user is held against his first, and so on.
        other_template: Likewise, from another template.
    """

    campaign: str
    channel: str
    before: int = 0
    after: int = 0
    users_more: int = 0
    users_less: int = 0
    other_time: int = 0
    other_template: int = 0


class UserChange(msgspec.Struct):
    """One user, and how many messages more, or below zero fewer, by campaign and channel."""

    user_id: str
    messages: dict[str, int]


class Compared(msgspec.Struct):
    """What another shop would change.

    Attributes:
        changes: Where a message is sent by either, in order of campaign and channel.
        users: Users who would be sent more messages, or fewer.
        sample: Some of them, drawn by a hash of their ids: the same each time.
        entered: Enrollments by campaign, before and after, where those differ.
    """

    changes: list[Change]
    users: int
    sample: list[UserChange]
    entered: dict[str, tuple[int, int]]


_What = tuple[str, str]


class _Ahead(NamedTuple):
    """Messages to one user that one side has sent and the other has not: when, which template."""

    side: int
    messages: deque[tuple[int, str]]

    @property
    def lead(self) -> int:
        """Of the other shop: below 0 where the first is ahead."""
        return len(self.messages) if self.side else -len(self.messages)


class _Difference:
    """Counts what two shops send, and keeps for whom it differs."""

    def __init__(self) -> None:
        self._sent: tuple[Counter[_What], Counter[_What]] = (Counter(), Counter())
        self._other_time: Counter[_What] = Counter()
        self._other_template: Counter[_What] = Counter()
        self._users: defaultdict[str, dict[_What, _Ahead]] = defaultdict(dict)

    def add(self, records: Iterable[Record], side: int) -> None:
        """Count what the first (0) or the other shop (1) did. O(records)."""
        for record in records:
            if record.kind != "sent":
                continue
            what = (record.campaign, record.channel)
            self._sent[side][what] += 1
            message = (record.at_ms, record.template)
            kept = self._users[record.user_id]
            ahead = kept.setdefault(what, _Ahead(side, deque()))
            if ahead.side == side:
                ahead.messages.append(message)
                continue
            at_ms, template = ahead.messages.popleft()
            self._other_time[what] += at_ms != message[0]
            self._other_template[what] += template != message[1]
            if not ahead.messages:
                del kept[what]
                if not kept:
                    del self._users[record.user_id]

    def told(self, entered: dict[str, tuple[int, int]]) -> Compared:
        before, after = self._sent
        changes = {
            what: Change(
                *what,
                before[what],
                after[what],
                other_time=self._other_time[what],
                other_template=self._other_template[what],
            )
            for what in sorted(before | after)
        }
        for kept in self._users.values():
            for what, ahead in kept.items():
                changes[what].users_more += ahead.lead > 0
                changes[what].users_less += ahead.lead < 0
        drawn = nsmallest(SAMPLE_MAX, self._users, key=_drawn)
        sample = [
            UserChange(
                user_id,
                {
                    " ".join(what): ahead.lead
                    for what, ahead in sorted(self._users[user_id].items())
                },
            )
            for user_id in drawn
        ]
        return Compared(list(changes.values()), len(self._users), sample, entered)


def compare_shops(
    shop: Shop,
    other: Shop,
    source: Source,
    *,
    options: Options,
    write: Callable[[bytes], object] | None = None,
    on_progress: Callable[[int], None] | None = None,
    label: str = "",
) -> tuple[Report, Compared]:
    """Run two shops over a source in virtual time; what came of the first, and the difference.

    The events of an exported journal are taken at their stamps. What is written is of the first.
    Arguments and errors are as `run.run_shop` has them.
    """
    reading = Reading(label or source.path, shop.tracking_plan)
    begins_ms, users = 0, list[User]()
    if source.is_journal(reading.label):
        begins_ms, users, lines = beginning(source.journal(reading.label))
        read: Iterable[UserInput] = users_inputs(lines, reading, seen_by(users))
    else:
        read = source.inputs(reading, options.columns)
    names: Counter[str] = Counter()
    twins = [decode_user(encode_user(one)) for one in users]  # a run changes those that it has
    runs = (
        Run(shop, options, users=users, now_ms=begins_ms),
        Run(other, options, users=twins, now_ms=begins_ms),
    )
    later = [0]
    streams = tee(_up_to(arriving(read, names, on_progress), options.until_ms, later))
    taken = [0, 0]
    left = {
        0: runs[0].records(_counted(streams[0], taken, 0), write),
        1: runs[1].records(_counted(streams[1], taken, 1), None),
    }
    difference = _Difference()
    while left:
        side = min(left, key=taken.__getitem__)  # neither gets far ahead: what lies between is kept
        records = next(left[side], None)
        if records is None:
            del left[side]
        else:
            difference.add(records, side)
    first, second = (run.report(reading, names) for run in runs)
    first.after_until = second.after_until = later[0]
    return first, difference.told(_entered(first, second))


def compare_past(
    run: Run,
    inputs: Iterable[UserInput],
    happened: Iterable[list[Record]],
    *,
    campaign: str = "",
    write: Write | None = None,
) -> Compared:
    """Run a shop over what came in, and tell how that differs from what came of it then.

    `happened` are the records of then; entries are left to who counts them. One `campaign` alone
    is compared where it is named.
    """
    difference = _Difference()
    for side, each in enumerate((happened, run.records(inputs, write))):
        for records in each:
            asked = [one for one in records if one.campaign == campaign] if campaign else records
            difference.add(asked, side)
    return difference.told({})


def _counted(inputs: Iterable[UserInput], taken: list[int], side: int) -> Iterator[UserInput]:
    for happened in inputs:
        taken[side] += 1
        yield copy(happened)  # a processor stamps what it takes


def _up_to(
    inputs: Iterable[UserInput], until_ms: int | None, later: list[int]
) -> Iterator[UserInput]:
    """Without what lies behind the end, which is counted: one run would be ahead by all of it."""
    for happened in inputs:
        if until_ms is None or happened.received_at_ms <= until_ms:  # type: ignore[union-attr]
            yield happened
        else:
            later[0] += 1


def _entered(first: Report, second: Report) -> dict[str, tuple[int, int]]:
    before = {one.campaign: one.entered for one in first.campaigns}
    after = {one.campaign: one.entered for one in second.campaigns}
    both = {name: (before.get(name, 0), after.get(name, 0)) for name in sorted(before | after)}
    return {name: counts for name, counts in both.items() if counts[0] != counts[1]}


def _drawn(user_id: str) -> tuple[int, str]:
    return xxh3_64_intdigest(user_id.encode()), user_id
