"""`wait`: for a time, or until a condition is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.conditions import timed_condition
from config.schema import WAIT
from config.yaml12 import Mapping
from engine.core.steps import END, Wait, WaitWhen

if TYPE_CHECKING:
    from config.source import Fields
    from config.steps.program import Laid, Program

_WAIT_HINT: Final = "write a duration like 30s, 15m, 24h or 7d"


def read_wait(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """A wait: a duration, or a map of what it is for."""
    if isinstance(fields.get("wait"), Mapping):
        return _read_when(program, fields, step_id, path)
    node = fields.required("wait", _WAIT_HINT)
    duration_ms = fields.duration_ms("wait") if node is not None else None
    if duration_ms is None:
        return END, []
    at = program.add(Wait(step_id, duration_ms), path)
    return at, [(at, "next")]


def _read_when(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    wait = fields.map("wait", WAIT, _WAIT_HINT)
    assert wait is not None, "it is a map"
    if not any(key.later and key.name in wait.node.entries for key in WAIT.values()):
        wait.required("when", 'a condition, like `when: idle("30m")`')
    condition = timed_condition(wait, "when", has_event=True)
    at_most_ms = wait.duration_ms("at_most")
    if "else" in wait.node.entries and "at_most" not in wait.node.entries:
        wait.fault("else", "is never reached", "say how long with `at_most`")
    at = END
    if condition is not None:
        at = program.add(WaitWhen(step_id, condition, at_most_ms), path)
    tails = program.way(at, "then", wait.get("then"), f"{path}.then")
    return at, tails + program.way(at, "next", wait.get("else"), f"{path}.else")
