"""Random shops and random histories, made by choices that Hypothesis or a seed takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from engine.core.policy import Policy
from tests.core.world import campaign, leave, send, wait, when
from tests.model.interpreter import CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.plan import Campaign

    Pick: TypeAlias = "Callable[[Sequence[Any]], Any]"

Script: TypeAlias = "list[tuple[Any, ...]]"
Shop: TypeAlias = "list[dict[str, Any]]"

UNIT = 500
"""Milliseconds: two of them are what a record takes notice of."""

_CONDITIONS = sorted(CONDITIONS)
_WAITS = (0, 1, 2, 5, 12)
_CHANNELS = (("email",), ("push",), ("email", "push"), ("email", "sms", "webhook"), ("webhook",))
_EXPIRES = (None, None, 0, 2 * UNIT)
_LATER = (0, 0, 0, 1, 1, 2, 5, 20)
_AGES = (0, 0, 0, 0, 1, 3, 9, 40)
_USERS = ("u1", "u1", "u2", "u3")
_TRAITS = (
    {"email": "a@example.com", "consent": {"email": True}},
    {"email": "a@example.com", "consent": {"email": True}},
    {"email": "b@example.com", "consent": {"email": True, "sms": True}},
    {"consent": {"email": False}},
    {"consent": {"push": False}},
    {"email": None},
    {"phone": "+4912", "consent": {"sms": True}},
    {"push": {"endpoint": "https://push.example.com/1"}},
    {"vip": True},
    {"vip": False},
)
_PROPERTIES = (
    {},
    {"n": 1},
    {"n": 2},
    *({"n": 2, "k": k} for k in ("x", "1", 1, 1.0, True, None, [1], 2.5)),
)
_HAPPENINGS = (
    "event", "event", "event", "event", "again", "again", "identify", "report", "advance", "resume",
)  # fmt: skip
"""`again`: the last event once more, as another event of the same instant."""


def make_shop(pick: Pick) -> Shop:
    return [_make_campaign(pick, f"c{number}") for number in range(pick((1, 1, 2, 2, 3)))]


def _make_campaign(pick: Pick, campaign_id: str) -> dict[str, Any]:
    return {
        "id": campaign_id,
        "steps": _make_steps(pick, 2),
        "on": pick((("A",), ("A",), ("A", "B"), ("B",))),
        "exits": pick(((), ("X",), ("X",), ("A",))),
        "when": pick((None, None, None, *_CONDITIONS)),
        "per": pick((None, None, "event.k")),
        "reentry": pick((0, 0, 3 * UNIT, None)),
        "restart": pick((False, False, True)),
        "priority": pick((50, 50, 60)),
        "status": pick(("live", "live", "live", "live", "live", "test", "paused")),
        "purpose": pick(("marketing", "marketing", "transactional")),
        "audience": pick((None, None, None, None, "user.vip == true")),
    }


def _make_steps(pick: Pick, depth: int) -> tuple[dict[str, Any], ...]:
    return tuple(_make_step(pick, depth) for _ in range(pick((0, 1, 2, 3, 4))))


def _make_step(pick: Pick, depth: int) -> dict[str, Any]:
    kind = pick(("wait", "wait", "send", "send", "send", "if", "exit"))
    if kind == "if" and depth:
        then, otherwise = (_make_steps(pick, depth - 1) for _ in range(2))
        return when(pick(_CONDITIONS), then, otherwise)
    if kind == "send":
        return send(*pick(_CHANNELS), expires=pick(_EXPIRES))
    if kind == "exit":
        return leave(pick(("enough", "done")))
    return wait(pick(_WAITS) * UNIT)


def make_rules(pick: Pick) -> dict[str, Any]:
    return {
        "max_lateness": pick((4 * UNIT, 100 * UNIT)),
        "limit": pick((1, 2, 100)),
        "testers": {"u1"},
    }


def make_script(pick: Pick, lengths: Sequence[int]) -> Script:
    return [make_happening(pick) for _ in range(pick(lengths))]


def make_happening(pick: Pick) -> tuple[Any, ...]:
    """One input or the passing of time: what it is, units of time before it, particulars."""
    kind, later = pick(_HAPPENINGS), pick(_LATER)
    match kind:
        case "event":
            name = pick(("A", "A", "B", "X", "other"))
            message = pick(("", "", "", "", "m1", "m2", "m3"))
            return (kind, later, pick(_USERS), name, pick(_AGES), pick(_PROPERTIES), message)
        case "identify":
            return (kind, later, pick(_USERS), pick(_TRAITS))
        case "report":
            outcome = pick(("delivered", "failed", "failed", "cancelled"))
            return (kind, later, pick(_USERS), pick(range(4)), outcome, pick((False, False, True)))
        case "resume":
            return (kind, later, pick((0, 1, 4, 10)))
        case _:
            return (kind, later)


def compiled(one: dict[str, Any]) -> Campaign:
    """A campaign of the model as the engine wants it."""
    more = {key: value for key, value in one.items() if key not in {"id", "steps"}}
    return campaign(one["id"], *one["steps"], **more)


def policy(rules: dict[str, Any]) -> Policy:
    return Policy(
        max_lateness_ms=rules["max_lateness"],
        enrollments_max=rules["limit"],
        testers=frozenset(rules["testers"]),
    )
