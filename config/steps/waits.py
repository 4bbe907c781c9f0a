"""`wait`: for a time, until a local time, until a condition is true, or for an event."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from config.conditions import condition, timed_condition
from config.faults import nearest, shown
from config.schema import WAIT
from config.yaml12 import Mapping
from engine.core.calendar import DAYS, EVERY_DAY
from engine.core.steps.kinds import END, Wait, WaitEvent, WaitUntil, WaitWhen

if TYPE_CHECKING:
    from config.source import Fields
    from config.steps.program import Laid, Program

_WAIT_HINT: Final = "write a duration like 30s, 15m, 24h or 7d"
_FOR: Final = ("when", "event", "until")
_FOR_HINT: Final = 'write `when: CONDITION`, `event: NAME`, or `until: "18:30"`'
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def read_wait(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """A wait: a duration, or a map of what it is for."""
    if not isinstance(fields.peek("wait"), Mapping):
        node = fields.required("wait", _WAIT_HINT)
        duration_ms = fields.duration_ms("wait") if node is not None else None
        if duration_ms is None:
            return END, []
        at = program.add(Wait(step_id, duration_ms), path)
        return at, [(at, "next")]
    wait = fields.map("wait", WAIT, _WAIT_HINT)
    assert wait is not None, "it is a map"
    if "until" in wait.node.entries:
        return _read_until(program, wait, step_id, path)
    for name in ("days", "timezone"):
        if name in wait.node.entries:
            wait.fault(name, "goes with `until`", 'write `until: "18:30"`, or leave it out')
    if not any(name in wait.node.entries for name in _FOR):
        program.source.fault(wait.node.line, f"{wait.prefix[:-1]} is for nothing", _FOR_HINT)
    at = _read_event(program, wait, step_id, path)
    tails = program.way(at, "then", wait.get("then"), f"{path}.then")
    return at, tails + program.way(at, "next", wait.get("else"), f"{path}.else")


def _read_event(program: Program, wait: Fields, step_id: str, path: str) -> int:
    """What ends by an event or a condition, or when the time is up."""
    at_most_ms = wait.duration_ms("at_most")
    if "else" in wait.node.entries and "at_most" not in wait.node.entries:
        wait.fault("else", "is never reached", "say how long with `at_most`")
    if "event" in wait.node.entries:
        events = wait.names("event", "an event's name")
        asked = condition(wait, "when")
        return program.add(WaitEvent(step_id, events, asked, at_most_ms), path) if events else END
    timed = timed_condition(wait, "when", has_event=True)
    return END if timed is None else program.add(WaitWhen(step_id, timed, at_most_ms), path)


def _read_until(program: Program, wait: Fields, step_id: str, path: str) -> Laid:
    for name in ("when", "event", "at_most", "then", "else"):
        if name in wait.node.entries:
            wait.fault(name, "beside `until`", "make two waits of it")
    minute, days, timezone = _minute(wait), _days(wait), _timezone(wait)
    if minute is None or days is None or timezone is None:
        return END, []
    at = program.add(WaitUntil(step_id, minute, days, timezone), path)
    return at, [(at, "next")]


def _minute(wait: Fields) -> int | None:
    hint = 'a time of day from "00:00" to "23:59"'
    text = wait.text("until", hint) if wait.required("until", hint) else None
    if text is None:
        return None
    found = _CLOCK.fullmatch(text)
    if found is None:
        wait.fault("until", f"is {shown(text)}", hint)
        return None
    return int(found[1]) * 60 + int(found[2])


def _days(wait: Fields) -> frozenset[int] | None:
    if "days" not in wait.node.entries:
        return EVERY_DAY
    names = wait.names("days", "a day like mon")
    unknown = [name for name in names if name not in DAYS]
    for name in unknown:
        wait.fault("days", f"has no day {shown(name)}", nearest(name, DAYS))
    return None if unknown or not names else frozenset(DAYS.index(name) for name in names)


def _timezone(wait: Fields) -> str | None:
    """Whose clock it goes by; an empty one where that is not said."""
    return wait.zone("timezone") if "timezone" in wait.node.entries else ""
