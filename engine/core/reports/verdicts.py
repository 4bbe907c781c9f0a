"""The verdict on one user and one campaign, in words: what decided, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from engine.core.conditions.explaining import because, told_instant
from engine.core.durations import format_duration
from engine.core.past.sessions import SESSION_ENDED, SESSION_STARTED
from engine.core.reports.account import AHEAD_MS_MAX

if TYPE_CHECKING:
    from engine.core.conditions.explaining import Part
    from engine.core.plan import Campaign
    from engine.core.reports.account import Account, Ahead, Place
    from engine.core.reports.records import RecordLine

_REASONS: Final = {
    "status": "the campaign takes nobody in, or testers alone",
    "audience": "the audience's condition was not true",
    "late": "the event came too late",
    "per": "`per` gave no value that could be used",
    "group": "he was in another campaign of its group",
    "active": "he was in it already",
    "reentry": "his last entry was not long enough ago for `reentry`",
    "limit": "he was in as many campaigns as one user may be",
    "erased": "his erasure is under way",
    "loop": "too much followed from it, at one instant or round and round",
}

_STATUSES: Final = {"paused": "paused", "draft": "a draft", "test": "for testers alone"}
"""Those that hold whoever is inside."""

_PARTS_NAMED = 3
"""Parts of a condition that a sentence names."""

_CODES = {"exited": "left", "finished": "finished"}


class Verdict(msgspec.Struct, omit_defaults=True):
    """What it comes to.

    Attributes:
        kind: `in` (he is in it), `ended` (he was), `refused`, `not_true`, `true` (but it was when
            it could have brought him in), `would_enter`, `would_be_refused`, `waits` (for an
            event), `unknown` (what came of it is not kept any more).
        text: One sentence or two.
        at: The instant that it speaks of.
        reason: Of a refusal: as in its record.
    """

    kind: Literal[
        "in", "ended", "refused", "not_true", "true", "would_enter", "would_be_refused",
        "waits", "unknown",
    ]  # fmt: skip
    text: str
    at: str = ""
    reason: str = ""


def verdict(campaign: Campaign, found: Account, ahead: Ahead) -> Verdict:
    """The verdict on what was found, and on what would come (`look_ahead`)."""
    if found.places:
        return _in_it(found.places, found.status)
    if campaign.entry.edge is not None:
        return _by_condition(found, ahead)
    return _by_event(campaign, found)


def _in_it(places: list[Place], status: str) -> Verdict:
    newest = max(places, key=lambda place: place.entered_at)
    again = len(places) - 1
    times = "once" if again == 1 else f"{again} times"
    more = f", and {times} more" if again else ""
    out = ", held out: he is sent nothing" if newest.held_out else ""
    held = f"; held while the campaign is {_STATUSES[status]}" if newest.is_held else ""
    text = f"entered at {newest.entered_at}{more}{out}; {waiting(newest)}{held}"
    return Verdict("in", text, newest.entered_at)


def waiting(place: Place) -> str:
    """Where an enrollment is, and what it waits for."""
    until = f"until {place.until}" if place.until else "for as long as it takes"
    if place.is_held and not place.until:
        return f"stands at step {place.step}"
    if place.deferred:
        return f"its message of step {place.step} is deferred {until}, the end of the quiet hours"
    if place.clock:
        return f"waits in step {place.step} {until}, {place.clock}"
    if place.times is not None:
        begun, times = place.times
        return f"pauses in step {place.step} {until}, after time {begun} of {times}"
    waits_for = _waits_for(place)
    if not waits_for:
        return f"waits in step {place.step} {until}"
    latest = f"{until} at the latest" if place.until else until
    return f"waits in step {place.step} for {waits_for}, {latest}"


def _waits_for(place: Place) -> str:
    if place.waits_for is not None:
        return place.waits_for.text
    such = f" with {place.awaits_when}" if place.awaits_when else ""
    return " or ".join(place.awaits) + such


def _by_condition(found: Account, ahead: Ahead) -> Verdict:
    condition = found.enter_when
    assert condition is not None
    before = _before(found)
    refused = found.refusals[0] if found.refusals else None
    if condition.value is True:
        if refused is not None and refused.at > _newest_entry(found):
            return _refused(refused.at, refused.reason, _ANEW)
        return Verdict("true", f"true already{before}: {_ANEW}")
    if ahead.kind == "entered":
        at = told_instant(ahead.at_ms)
        text = f"would enter at {at} if nothing happens until then{before}"
        return Verdict("would_enter", text, at)
    if ahead.kind == "refused":
        at, reason = told_instant(ahead.at_ms), ahead.reason
        text = f"would be refused at {at} if nothing happens until then: {why(reason)}{before}"
        return Verdict("would_be_refused", text, at, reason)
    never = "time alone does not make it true"
    if ahead.is_cut:
        never += f" within {format_duration(AHEAD_MS_MAX)}, or too many deadlines come before"
    return Verdict("not_true", f"{_not_true(condition)}; {never}{before}")


_ANEW = "he comes in when it becomes true anew"


def _by_event(campaign: Campaign, found: Account) -> Verdict:
    names = " or ".join(campaign.entry.events) or "a manual start"
    came = found.came
    refused = found.refusals[0] if found.refusals else None
    since = max(_newest_entry(found), "" if came is None else came.at)
    if refused is not None and refused.at > since:
        # Nothing that is kept has come since he was: he was to be started by hand.
        return _refused(refused.at, refused.reason, f"waits for {names}")
    if came is None:
        # What the engine makes is in no archive: who came in shows that there was one.
        before = _before(found)
        made = before or {SESSION_STARTED, SESSION_ENDED} & {*campaign.entry.events}
        none = "none that came is kept" if made else "none has come, imported history aside"
        return Verdict("waits", f"waits for {names}: {none}{before}")
    asked = came.when
    last = f"the last {came.event} came at {came.at}"
    for refusal in found.refusals:
        if refusal.at == came.at:
            return _refused(refusal.at, refusal.reason, f"waits for another {names}")
    entry = next((one for one in found.records if (one.kind, one.at) == ("entered", came.at)), None)
    if entry is not None:
        return Verdict("ended", f"entered at {came.at}{_end(found, entry)}", came.at)
    if asked is not None and asked.value is not True:
        text = f"{last}, and enter.when was {_not_true(asked)}{_before(found)}"
        return Verdict("not_true", text, came.at)
    lost = f" ({came.lost})" if came.lost else ""
    return Verdict("unknown", f"{last}; what came of it is not kept{lost}", came.at)


def _refused(at: str, reason: str, then: str) -> Verdict:
    return Verdict("refused", f"refused at {at}: {why(reason)}; {then}", at, reason)


def why(reason: str) -> str:
    """A refusal's reason, and what it means."""
    return f"{reason} ({_REASONS[reason]})" if reason in _REASONS else reason


def _not_true(condition: Part) -> str:
    parts = because(condition)
    named = [_said(part) for part in parts[:_PARTS_NAMED]]
    more = f" and {len(parts) - _PARTS_NAMED} more" if len(parts) > _PARTS_NAMED else ""
    return f"not true because {', '.join(named)}{more}"


def _said(part: Part) -> str:
    if part.error:
        return f"{part.text} is an error: {part.error}"
    return f"{part.text} is {'true' if part.value is True else 'false'}"


def _before(found: Account) -> str:
    """What came of his last entry, where one is kept."""
    entry = next((one for one in found.records if one.kind == "entered"), None)
    return "" if entry is None else f"; he last entered at {entry.at}{_end(found, entry)}"


def _end(found: Account, entry: RecordLine) -> str:
    for record in found.records:
        if record.enrollment == entry.enrollment and record.kind in _CODES:
            reason = f" ({record.reason})" if record.reason else ""
            return f" and {_CODES[record.kind]} at {record.at}{reason}"
    return ""


def _newest_entry(found: Account) -> str:
    return next((one.at for one in found.records if one.kind == "entered"), "")
