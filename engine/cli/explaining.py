"""An explanation as lines for people: the verdict, and the tree of each condition under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.holding import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.conditions.explaining import Part
    from engine.core.reports.account import Account, Came, Place, Preference
    from engine.core.reports.records import RecordLine
    from engine.runtime.admin.explaining import Explanation

_MARKS: Final = {True: "+", False: "-"}
_ERROR: Final = "!"
_VALUE: Final = "="
_VALUE_SHOWN_MAX: Final = 80
_INDENT: Final = "  "


def lines_of(told: Explanation) -> Iterator[str]:
    """What is printed: `+` stands before what is true, `-` before what is not, `!` before an error.

    Before a value that is neither stands `=`.
    """
    found = told.account
    yield f"{told.user_id}, {told.campaign}, as of {told.at}"
    yield told.verdict.text
    for alias, at in told.aliases.items():
        yield f"{alias} was merged into {told.user_id} at {at}"
    if found.status:
        yield f"the campaign's status is {found.status}: {STATUSES[found.status]}"
    for place in found.places:
        yield from _place(place)
    yield from _entry(found)
    if found.audience is not None:
        yield from _titled("audience, as it is now", found.audience)
    if found.refusals:
        yield from ("", "refused, newest first")
        yield from (f"{_INDENT}{one.at}  {one.reason}" for one in found.refusals)
    if found.awaiting:
        yield from ("", "ended, and may still reach its goal")
        yield from (
            f"{_INDENT}entered at {one.entered_at}: {' or '.join(one.events)}, before {one.until}"
            for one in found.awaiting
        )
    if found.preferences:
        yield from ("", "send: preferred, the channel that he answers to first")
        yield from (f"{_INDENT}{_preference(one)}" for one in found.preferences)
    if found.undelivered:
        yield from ("", "sent, and not delivered yet: the log tells of each attempt by this id")
        yield from (
            f"{_INDENT}{one.message}  {one.step} {one.channel}" for one in found.undelivered
        )
    if found.records:
        yield from ("", "what happened, newest first")
        yield from (f"{_INDENT}{_record(one)}" for one in found.records)


def _preference(one: Preference) -> str:
    barred = f": {one.barred}" if one.barred else ""
    return f"{one.step}  {one.channel}, answered {one.answered} of {one.sent}{barred}"


def _entry(found: Account) -> Iterator[str]:
    if found.enter_when is not None:
        yield from _titled("enter.when", found.enter_when)
    elif found.enter_events:
        yield from ("", f"comes in by {' or '.join(found.enter_events)}")
        if found.came is not None:
            yield from _came(found.came)


def _came(came: Came) -> Iterator[str]:
    happened = "" if came.timestamp == came.at else f" (it happened at {came.timestamp})"
    yield f"{_INDENT}the last one: {came.event} at {came.at}{happened}"
    if came.lost:
        yield f"{_INDENT}what was said of it is not known any more: {came.lost}"
    if came.when is not None:
        yield f"{_INDENT}enter.when, as it was then"
        yield from _tree(came.when, 2)


def _place(place: Place) -> Iterator[str]:
    by = f" by {place.event}" if place.event else " by hand" if place.by_hand else ""
    per = f", per {place.per}" if place.per else ""
    yield from ("", f"enrollment {place.enrollment}, entered at {place.entered_at}{by}{per}")
    if place.held_out:
        yield f"{_INDENT}held out: goes through everything, and is sent nothing"
    yield from (f"{_INDENT}variant {one} of {split}" for split, one in place.variants.items())
    until = f" until {place.until}" if place.until else ""
    yield f"{_INDENT}waits in step {place.step} since {place.since}{until}"
    if place.next_at and place.next_at != place.until:
        yield f"{_INDENT}is looked at again at {place.next_at}"
    if place.waits_for is not None:
        yield f"{_INDENT}wait.when"
        yield from _tree(place.waits_for, 2)
    if place.goal_events:
        yield f"{_INDENT}its goal is {' or '.join(place.goal_events)}, before {place.goal_until}"
    if place.exit_events:
        yield f"{_INDENT}leaves by {' or '.join(place.exit_events)}"
    if place.exit_when is not None:
        yield f"{_INDENT}exit.when"
        yield from _tree(place.exit_when, 2)


def _titled(title: str, part: Part) -> Iterator[str]:
    yield from ("", title)
    yield from _tree(part, 1)


def _tree(part: Part, depth: int) -> Iterator[str]:
    indent = _INDENT * depth
    yield f"{indent}{_said(part)}"
    for event in part.events:
        yield f"{indent}{_INDENT * 2}{event.event} at {event.at}"
    for inner in part.parts:
        yield from _tree(inner, depth + 1)


def _said(part: Part) -> str:
    if part.error:
        return f"{_ERROR} {part.text}: error: {part.error}{_until(part)}"
    if isinstance(part.value, bool):
        return f"{_MARKS[part.value]} {part.text}: {_json(part.value)}{_until(part)}"
    return f"{_VALUE} {part.text}: {_json(part.value)}{_until(part)}"


def _until(part: Part) -> str:
    return f", at least until {part.until}" if part.until else ""


def _json(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _VALUE_SHOWN_MAX else f"{text[: _VALUE_SHOWN_MAX - 1]}…"


def _record(record: RecordLine) -> str:
    words = (record.kind, record.step, record.channel, record.branch, record.variant, record.reason)
    until = f" until {record.until}" if record.until else ""
    worth = "" if record.value is None else f" worth {record.value:,.2f}"
    return f"{record.at}  {' '.join(filter(None, words))}{until}{worth}"
