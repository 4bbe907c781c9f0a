"""Where users got to in each campaign, step by step.

Records tell where an enrollment was, and not each step that it came by. Between two of its records
lies no branch that was not recorded, so that the shortest way from one to the other is the way that
it took; each time of a repeat is told as it begins. Who leaves in the second of two waits that
follow each other counts in the first. Kept is one place for each enrollment that is under way, and
counts.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from engine.core.steps.kinds import END, WAITS, Choose, If, Repeat, Split, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.core.effects import CountTime, Record
    from engine.core.plan import Campaign, Plan
    from engine.core.state import User

START: Final = (-2, (0,))
"""Where an enrollment is that has just begun: before its first step."""

_AT_A_STEP: Final = frozenset({"sent", "skipped", "deferred", "branched"})


class StepCounts(msgspec.Struct, omit_defaults=True):
    """What came of one step.

    Attributes:
        step: Its id.
        reached: How often an enrollment came to it; more than once each where it is repeated.
        sent: Messages, by channel; those that stood in for a failed one too.
        skipped: Messages that were not sent, or taken back, by reason.
        deferred: How often a message was put off.
        branched: By way or variant.
        exited: Enrollments that left while they were here, by reason.
        waiting: Enrollments that were here at the end.
    """

    step: str
    reached: int = 0
    sent: dict[str, int] = {}
    skipped: dict[str, int] = {}
    deferred: int = 0
    branched: dict[str, int] = {}
    exited: dict[str, int] = {}
    waiting: int = 0


class Funnel:
    """Counts records as they come, by campaign and step."""

    def __init__(self, plan: Plan) -> None:
        self._tracks = {campaign.id: _Track(campaign) for campaign in plan.campaigns.values()}
        self._before: Record | None = None

    def add(self, records: Iterable[Record], times: Sequence[tuple[int, CountTime]] = ()) -> None:
        """Count records, in the order in which they happened. O(records).

        `times` are those of repeats, each with how many of the records came before it.
        """
        begun: dict[int, list[CountTime]] = {}
        for place, one in times:
            begun.setdefault(place, []).append(one)
        place = 0
        for place, record in enumerate(records, start=1):
            if begun:
                self._begin(begun.pop(place - 1, ()))
            track = self._tracks.get(record.campaign)
            if track is not None and record.enrollment:
                track.add(record, stands_in=_stands_in(self._before, record))
            self._before = record
        self._begin(begun.pop(place, ()))

    def _begin(self, times: Iterable[CountTime]) -> None:
        for one in times:
            track = self._tracks.get(one.campaign)
            if track is not None:
                track.begin(one.enrollment, one.step)

    def close(self, users: Iterable[User]) -> None:
        """Note where everybody is at the end. O(enrollments)."""
        for user in users:
            for enrollment in user.enrollments:
                track = self._tracks.get(enrollment.campaign)
                if track is not None:
                    track.rest(enrollment.enrollment, enrollment.position)

    def steps(self, campaign_id: str) -> list[StepCounts]:
        """The steps of a campaign, in the order of its file. O(counted kinds)."""
        track = self._tracks.get(campaign_id)
        return [] if track is None else track.told()


_Place: TypeAlias = tuple[int, tuple[int, ...]]
"""A step that an enrollment came to, and those that may come next."""


class _Track:
    """One campaign's enrollments and counts."""

    def __init__(self, campaign: Campaign) -> None:
        self._steps = campaign.steps
        self._at = {step.id: position for position, step in enumerate(campaign.steps)}
        self._led = [ways_of(position, step) for position, step in enumerate(campaign.steps)]
        self._ways: dict[tuple[tuple[int, ...], int], tuple[int, ...]] = {}
        self._places: dict[str, _Place] = {}
        self._deferred: dict[str, int] = {}
        self._reached: Counter[int] = Counter()
        self._counts: Counter[tuple[int, str, str]] = Counter()

    def add(self, record: Record, *, stands_in: bool) -> None:
        enrollment, kind = record.enrollment, record.kind
        if kind == "entered":
            self._places[enrollment] = START
        elif kind == "finished":
            self._move(enrollment, END)
            self._places.pop(enrollment, None)
        elif kind == "exited":
            self._leave(record)
        elif kind in _AT_A_STEP and record.step in self._at:
            position = self._at[record.step]
            self._counts[position, kind, _said(record)] += 1
            # What becomes of a message later is no sign of where its enrollment is by now.
            if not stands_in and not (kind == "skipped" and record.message):
                self._come_to(enrollment, position, deferred=kind == "deferred")
            if kind == "branched":
                self._places[enrollment] = (position, self._taken(position, _said(record)))

    def begin(self, enrollment: str, step: str) -> None:
        """One more time of a repeat begins: its steps come next.

        It may be one of another plan, in whose place this one has no repeat.
        """
        position = self._at.get(step, END)
        if position != END and isinstance(self._steps[position], Repeat):
            self._move(enrollment, position)
            self._places[enrollment] = (position, (position + 1,))

    def rest(self, enrollment: str, position: int) -> None:
        if enrollment not in self._deferred:
            self._move(enrollment, position)
        self._counts[position, "waiting", ""] += 1

    def told(self) -> list[StepCounts]:
        told = [
            StepCounts(step.id, self._reached[position])
            for position, step in enumerate(self._steps)
        ]
        for (position, kind, said), count in sorted(self._counts.items()):
            if position == END:
                continue
            counts = told[position]
            if kind in {"deferred", "waiting"}:
                setattr(counts, kind, getattr(counts, kind) + count)
            else:
                setattr(counts, kind, {**getattr(counts, kind), said: count})
        return told

    def _come_to(self, enrollment: str, position: int, *, deferred: bool) -> None:
        if self._deferred.pop(enrollment, None) != position:
            self._move(enrollment, position)
        if deferred:
            self._deferred[enrollment] = position

    def _taken(self, position: int, said: str) -> tuple[int, ...]:
        """Where a branch goes on by the way, or the variant, that its record says.

        Another plan may have said it: where this one knows no such way, any of them.
        """
        match self._steps[position]:
            case If(then=way) if said == "then":
                return (way,)
            case If(next=way) | Choose(next=way) if said == "else":
                return (way,)
            case Choose(ways=ways) if said.isdecimal() and int(said) < len(ways):
                return (ways[int(said)],)
            case Split(weights=weights, ways=ways) if said in weights:
                return (ways[[*weights].index(said)],)
            case _:
                return self._led[position]

    def _leave(self, record: Record) -> None:
        enrollment = record.enrollment
        at = self._at.get(record.step, END)
        if at == END:
            at = self._deferred.get(enrollment, END)
        if at == END and enrollment in self._places:
            at = self._next_wait(*self._places[enrollment])
        if at != END and enrollment not in self._deferred:
            self._move(enrollment, at)
        self._counts[at, "exited", record.reason] += 1
        self._places.pop(enrollment, None)
        self._deferred.pop(enrollment, None)

    def _next_wait(self, place: int, ways: tuple[int, ...]) -> int:
        """The first step behind a place at which somebody waits; END where it is not known.

        It ends: only a repeat leads back, and who comes round to one waits there.
        """
        while len(ways) == 1 and ways[0] != END:
            (position,) = ways
            step = self._steps[position]
            if isinstance(step, Repeat) and place < position:
                ways = (position + 1,)  # the first time begins at once
            elif isinstance(step, WAITS):
                return position
            else:
                ways = self._led[position]
            place = position
        return END

    def _move(self, enrollment: str, position: int) -> None:
        """An enrollment came to a step: it has come by all that lies between."""
        place = self._places.get(enrollment)
        if place is None:  # from before what is run: only where it is now is known
            way: tuple[int, ...] = (position,)
        else:
            way = self._way(place[1], position)
        for at in way:
            self._reached[at] += 1
        self._places[enrollment] = (position, () if position == END else self._led[position])

    def _way(self, ahead: tuple[int, ...], position: int) -> tuple[int, ...]:
        """The positions from those that may come next to another. O(steps) once a pair."""
        known = self._ways.get((ahead, position))
        if known is None:
            known = self._ways[ahead, position] = self._search(ahead, position)
        return known

    def _search(self, ahead: tuple[int, ...], position: int) -> tuple[int, ...]:
        """Breadth first (Moore 1959); where no way leads there, the position alone."""
        waiting: deque[tuple[int, ...]] = deque((at,) for at in ahead)
        seen: set[int] = set()
        while waiting:
            way = waiting.popleft()
            at = way[-1]
            if at == position:
                return way
            if at == END or at in seen:
                continue
            seen.add(at)
            waiting.extend((*way, led) for led in self._led[at])
        return (position,)


def ways_of(position: int, step: Step) -> tuple[int, ...]:
    """Where a step may go on."""
    ways = [*getattr(step, "ways", ())]
    ways += [getattr(step, way) for way in ("then", "next") if hasattr(step, way)]
    if isinstance(step, Repeat):
        ways.append(position + 1)
    return tuple(dict.fromkeys(ways))


def _stands_in(before: Record | None, record: Record) -> bool:
    """Whether a message, or the lack of it, follows a delivery that failed just before."""
    return (
        before is not None
        and before.kind == "failed"
        and before.enrollment == record.enrollment
        and before.step == record.step
    )


def _said(record: Record) -> str:
    match record.kind:
        case "sent":
            return record.channel
        case "skipped":
            return record.reason
        case "branched":
            return record.branch or record.variant
        case _:
            return ""
