"""Random conditions, campaigns and histories, made by choices that Hypothesis or a seed takes.

Windows are some milliseconds long, so that every millisecond can be asked; `Scale` has the lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.conditions.functions import (
    AnyItem,
    Calendar,
    Cart,
    Count,
    FirstSession,
    Idle,
    InSegment,
    Now,
    Outermost,
    Received,
    Reckoned,
    Score,
    SessionLasts,
    Since,
    Visits,
    iso,
)
from tests.conditions.trees import (
    Both,
    Choice,
    Compared,
    Computed,
    Either,
    EventName,
    Has,
    Literal,
    No,
    Read,
)
from tests.core.world import START

Pick: TypeAlias = Callable[[Sequence[Any]], Any]

NAMES = ("A", "A", "B", "C")
BY = ("==", "!=", "<", "<=", ">", ">=", ">=", ">=", "<")
TEXTS = ("x", "y")
NUMBERS = (-3, -1, 0, 1, 2, 3, 2.5, -0.5)
SAID = (
    {}, {"n": 1}, {"n": 2}, {"n": 1, "s": "x"}, {"n": 2, "s": "y"}, {"n": -3, "s": "x"},
    {"n": 1.0}, {"n": 2.5, "s": "x"}, {"n": "x"}, {"n": None}, {"n": True}, {"s": 1},
)  # fmt: skip
CARTED = (
    ("Product Added", {"product_id": "p", "price": 10}),
    ("Product Added", {"product_id": "p", "price": 20.5, "quantity": 2}),
    ("Product Added", {"product_id": "q", "price": 300, "quantity": 2}),
    ("Product Removed", {"product_id": "p"}),
    ("Product Removed", {"product_id": "q", "quantity": 5}),
    ("Order Completed", {}),
    ("Cart Cleared", {}),
    ("Product Viewed", {"product_id": "p"}),
    ("Product Viewed", {"product_id": "q"}),
)
ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC",
    "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia",
)  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """How long things last, in milliseconds, and what may be asked.

    Instants that are named lie from `begin` on, within `span`. `event` says whether the event at
    hand may be asked for, `segments` which there are.
    """

    windows: tuple[int, ...]
    steps: tuple[int, ...]
    ages: tuple[int, ...]
    span: int
    begin: int = START
    calendar: bool = False
    cart: bool = False
    scored: bool = False
    adopts: bool = False
    sends: bool = False
    sessions: bool = False
    imports: bool = False
    downtimes: bool = False
    makes: bool = False
    event: bool = False
    segments: tuple[str, ...] = ()


GRACE_MAX = 30
"""Milliseconds: the longest grace after a downtime."""

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SMALL = Scale((1, 2, 5, 8, 13), (0, 0, 1, 1, 2, 3, 5, 8), (0, 0, 0, 0, 0, 1, 3, 9), 60)
DAYS = Scale(
    (20 * MINUTE, HOUR, 5 * HOUR, DAY), (0, 1, 10 * MINUTE, HOUR, 5 * HOUR, 13 * HOUR),
    (0, 0, 0, 0, 40 * MINUTE, 6 * HOUR), 3 * DAY, calendar=True,
)  # fmt: skip
"""Days on which clocks are set: `begin` is one of `CHANGES`."""

CHANGES = tuple(START + day * DAY for day in (44, 65, 80, 86, 92, 274, 296, 303))
"""Days before one on which a zone of `ZONES` sets its clocks: in 2026, in UTC."""


def make_condition(pick: Pick, scale: Scale, depth: int = 3) -> Any:
    """A condition, true or false."""
    kind = pick(("both", "both", "either", "no", "choice", "same", "plain", "plain"))
    if depth == 0 or kind == "plain":
        return make_literal(pick, scale)
    parts = (make_condition(pick, scale, depth - 1) for _ in range(9))
    if kind in {"both", "either"}:
        several = tuple(next(parts) for _ in range(pick((2, 2, 3))))
        return Both(several) if kind == "both" else Either(several)
    if kind == "no":
        return No(next(parts))
    if kind == "choice":
        return Choice(next(parts), next(parts), next(parts))
    return Compared(next(parts), pick(("==", "!=")), next(parts))


def make_literal(pick: Pick, scale: Scale) -> Any:
    kinds = ["did"] * 3 + ["number"] * 3 + ["idle", "since", "last", "user", "now"]
    kinds += ["score"] * scale.scored + ["received"] * 4 * scale.sends
    kinds += ["session"] * 4 * scale.sessions
    kinds += ["calendar"] * 4 * scale.calendar + ["cart"] * 3 * scale.cart
    kinds += ["event"] * scale.event + ["segment"] * 2 * bool(scale.segments)
    return _LITERALS[pick(kinds)](pick, scale)


def make_did(pick: Pick, scale: Scale) -> Any:
    return Count(pick(NAMES), window(pick, scale), make_counted(pick, scale), "did")


def make_compared(pick: Pick, scale: Scale) -> Any:
    left, right = make_number(pick, scale), make_number(pick, scale, plain=True)
    return Compared(left, pick(BY), right)


def make_of_user(pick: Pick, _: Scale) -> Any:
    return pick(
        (
            Compared(Read("user", "n"), pick(BY), Literal(pick(NUMBERS))),
            Compared(Read("user", "plan"), pick(("==", "!=")), Literal(pick(TEXTS))),
            Has("user", "n"),
            Read("user", "vip"),
        )
    )


def make_of_event(pick: Pick, _: Scale) -> Any:
    return pick(
        (
            Compared(EventName(), "==", Literal(pick(NAMES))),
            Compared(Read("event", "n"), pick(BY), Literal(pick(NUMBERS))),
            Compared(Read("event", "s"), "==", Literal(pick(TEXTS))),
        )
    )


def window(pick: Pick, scale: Scale) -> int | None:
    return pick((None, *scale.windows, *scale.windows))


def make_number(pick: Pick, scale: Scale, *, plain: bool = False) -> Any:
    kinds = ("count", "count", "sum", "sum", "avg", "min", "max", "distinct", "computed")
    kind = "literal" if plain and pick((0, 0, 0, 1)) == 0 else pick(kinds)
    match kind:
        case "literal":
            return Literal(pick(NUMBERS))
        case "count":
            return Count(pick(NAMES), window(pick, scale), make_counted(pick, scale))
        case "computed":
            left = make_number(pick, scale, plain=True)
            return Computed(left, pick(("+", "-", "*")), make_number(pick, scale, plain=True))
        case function:
            wanted = pick(("n", "s")) if function == "distinct" else "n"
            return Reckoned(function, pick(NAMES), wanted, window(pick, scale))


def make_counted(pick: Pick, scale: Scale) -> Any:
    """A condition on the events that are counted, or None."""
    plain = [
        Compared(Read("e", "n"), pick(BY), Literal(pick(NUMBERS))),
        Compared(Read("e", "s"), pick(("==", "!=")), Literal(pick(TEXTS))),
        Compared(Read("e", "n"), pick(BY), Read("user", "n")),
        Has("e", "s"),
    ]
    if scale.event:
        plain += [Compared(Read("e", "s"), "==", Read("event", "s"))] * 2
    kind = pick((None, None, None, "one", "one", "both", "either", "no"))
    match kind:
        case None:
            return None
        case "one":
            return pick(plain)
        case "no":
            return No(pick(plain))
        case _:
            parts = (pick(plain), pick(plain))
            return Both(parts) if kind == "both" else Either(parts)


def make_received(pick: Pick, scale: Scale) -> Any:
    what = pick(("in_app", "in_app", "c0"))
    return Compared(Received(what, window(pick, scale)), pick(BY), Literal(pick((0, 1, 2))))


def make_outermost(pick: Pick, _: Scale) -> Any:
    function, name = pick(("last", "first")), pick(NAMES)
    if pick((0, 1)):
        return Compared(Outermost(function, name, "n"), pick(BY), Literal(pick(NUMBERS)))
    return Compared(Outermost(function, name, "s"), pick(("==", "!=")), Literal(pick(TEXTS)))


def make_session(pick: Pick, scale: Scale) -> Any:
    return pick(
        (
            Compared(Visits(window(pick, scale)), pick(BY), Literal(pick((0, 1, 2, 3)))),
            Compared(Visits(window(pick, scale)), ">=", Literal(pick((1, 2)))),
            SessionLasts(pick(BY), pick((1, 3, 5, 8))),
            FirstSession(),
            Count(pick(("Session Started", "Session Ended")), window(pick, scale), None, "did"),
        )
    )


def make_cart(pick: Pick, _: Scale) -> Any:
    return pick(
        (
            Compared(Cart("size"), pick(BY), Literal(pick((0, 1, 2)))),
            Compared(Cart("value"), pick(BY), Literal(pick((0, 10.0, 20, 41, 500.0)))),
            AnyItem("cart.items", pick(("p", "q"))),
            AnyItem("recent", pick(("p", "q"))),
        )
    )


def make_now(pick: Pick, scale: Scale) -> Any:
    by = pick(("<", "<=", ">", ">=", ">="))
    shift = pick(scale.windows)
    form, shift = pick(
        (
            ("now {by} {instant}", 0),
            ("now {by} {instant}", 0),
            ('now {by} {instant} + duration("{shift}")', shift),
            ('now {by} {instant} - duration("{shift}")', -shift),
            ('now - {instant} {by} duration("{shift}")', shift),
            ('now + duration("{shift}") {by} {instant}', -shift),
        )
    )
    if pick((0, 0, 1)):
        return Now(by, "until", shift, form=form)
    return Now(by, make_instant(pick, scale), shift, pick((0, 0, 0, 1, 500, 999)), form)


def make_instant(pick: Pick, scale: Scale) -> int:
    return scale.begin + pick(range(0, scale.span, max(1, scale.span // 30)))


def make_calendar(pick: Pick, _: Scale) -> Any:
    """A part of the local time; minutes turn at quarters, or a minute after them."""
    getter, numbers = pick(
        (
            ("getHours", range(24)), ("getHours", range(24)), ("getHours", (0, 1, 2, 3, 23)),
            ("getDayOfWeek", range(7)), ("getDate", range(1, 32)), ("getDayOfYear", range(366)),
            ("getMinutes", (0, 15, 30, 45)), ("getMonth", range(12)), ("getDayOfMonth", range(31)),
        )
    )  # fmt: skip
    return Calendar(getter, pick(BY), pick(numbers), pick(("user.timezone", "", *ZONES)))


_LITERALS: dict[str, Callable[[Pick, Scale], Any]] = {
    "did": make_did,
    "idle": lambda pick, scale: Idle(pick(scale.windows)),
    "since": lambda pick, scale: Since(pick(NAMES), pick(BY), pick(scale.windows)),
    "number": make_compared,
    "last": make_outermost,
    "user": make_of_user,
    "event": make_of_event,
    "segment": lambda pick, scale: InSegment(pick(scale.segments)),
    "cart": make_cart,
    "calendar": make_calendar,
    "received": make_received,
    "session": make_session,
    "score": lambda pick, _: Compared(Score(), pick(BY), Literal(pick((0.25, 0.5, 1)))),
    "now": make_now,
}


# Campaigns


def make_shop(pick: Pick, scale: Scale) -> dict[str, Any]:
    """Segments and campaigns."""
    segments: dict[str, Any] = {}
    for name in ("s", "t")[: pick((0, 0, 1, 2))]:
        segments[name] = make_condition(pick, _with(scale, tuple(segments), event=False), 2)
    scale = _with(scale, tuple(segments), event=False)
    campaigns = [make_campaign(pick, scale, f"c{n}") for n in range(pick((1, 2, 3, 3)))]
    shop = {"campaigns": campaigns, "segments": segments}
    if scale.sessions:
        shop["session_gap"] = pick((2, 5, 8))
    if not scale.adopts:
        return shop
    names = [campaign["id"] for campaign in campaigns]
    return {**shop, "comes": (names[0],), "goes": (names[-1],) if pick((0, 0, 1)) else ()}


def make_script(pick: Pick, scale: Scale, lengths: Sequence[int]) -> list[dict[str, Any]]:
    return [make_happening(pick, scale) for _ in range(pick(lengths))]


def _with(scale: Scale, segments: tuple[str, ...], *, event: bool) -> Scale:
    return Scale(**{**vars(scale), "segments": segments, "event": event})


def make_campaign(pick: Pick, scale: Scale, campaign_id: str) -> dict[str, Any]:
    own = _with(scale, scale.segments, event=True)
    kinds = ("when", "when", "when", "event", "event", *(["segment"] * len(scale.segments)))
    match pick(kinds):
        case "when":
            enter: dict[str, Any] = {"when": make_condition(pick, scale)}
        case "segment":
            enter = {"segment": pick(scale.segments)}
        case _:
            began = [["Go"], ["Session Started"], ["Session Ended", "Go"]]
            on = pick(began) if scale.sessions else ["Go"]
            enter = {"event": on, "when": pick((None, make_condition(pick, own, 2)))}
    if scale.adopts and "event" not in enter:
        enter["backfill"] = pick((False, True))
    enter["per"] = pick((*[None] * 6, Read("event", "n"), Read("user", "n"), Read("event", "s")))
    enter["reentry"] = pick((0, 0, 0, None, max(scale.windows)))
    enter["restart"] = pick((False, False, False, True))
    leave: dict[str, Any] = {}
    if pick((0, 0, 1)):
        ends = ("Session Ended", "Session Started") if scale.sessions else ()
        leave["event"] = [pick((*NAMES, *ends))]
    if pick((0, 1)):
        leave["when"] = make_condition(pick, scale, 2)
    return {
        "id": campaign_id,
        "priority": pick((50, 50, 60)),
        "enter": enter,
        "exit": leave,
        "audience": pick((*[None] * 7, Compared(Read("user", "n"), ">", Literal(0)))),
        "steps": make_steps(pick, scale, pick((0, 1, 2))),
    }


def make_steps(pick: Pick, scale: Scale, depth: int) -> list[dict[str, Any]]:
    steps = [make_step(pick, scale, depth) for _ in range(pick((1, 1, 2)))]
    if scale.sends:
        steps.insert(pick((0, len(steps))), {"send": "in_app"})
    if scale.makes:
        steps.insert(pick((0, len(steps))), make_change(pick))
    return [*steps, {"exit": pick(("done", "enough"))}] if pick((0, 1)) else steps


def make_change(pick: Pick) -> dict[str, Any]:
    """A step that makes an event, or tells something of the user."""
    if pick((0, 1)):
        return {"emit": {"event": pick(NAMES), "properties": pick(SAID)}}
    traits = ({"n": 1}, {"n": 2}, {"n": "x"}, {"plan": "x"}, {"vip": True}, {"vip": False})
    return {"set": pick(traits)}


def make_step(pick: Pick, scale: Scale, depth: int) -> dict[str, Any]:
    if not depth:
        return {"wait": pick((0, *scale.windows))}
    asked = make_condition(pick, scale, 2)
    ways: dict[str, Any] = {"then": make_steps(pick, scale, depth - 1)}
    if pick((0, 1)):
        ways["else"] = make_steps(pick, scale, depth - 1)
    if pick((0, 1, 1)):
        return {"wait": {"when": asked, "at_most": pick(scale.windows), **ways}}
    return {"if": asked, **ways}


# What happens


def make_happening(pick: Pick, scale: Scale) -> dict[str, Any]:
    """One input, or the passing of time, `later` than the one before."""
    kinds = ["event"] * 4 + ["go", "cart", "again", "identify", "advance"]
    kinds += ["score"] * 2 * scale.scored + ["adopt", "restart"] * scale.adopts
    kinds += ["import"] * 2 * scale.imports + ["down"] * 2 * scale.downtimes
    kind = pick(kinds)
    one: dict[str, Any] = {
        "kind": kind, "later": pick(scale.steps), "user": pick(("u", "u", "v")),
        "age": pick(scale.ages), "said": pick(SAID), "name": pick((*NAMES, "other")),
    }  # fmt: skip
    if kind == "go":
        # What a late start sends at once, `tests/model` holds against its naive twin.
        age = 0 if scale.sends else pick((0, one["age"]))
        one |= {"kind": "event", "name": "Go", "age": age}
    elif kind == "cart":
        one["kind"] = "event"
        if scale.cart:
            one["name"], one["said"] = pick(CARTED)
    elif kind == "score":
        one["score"] = pick((0.0, 0.25, 0.5, 0.75, 1.0))
    elif kind == "down":
        one["later"], one["grace"] = pick((1, 3, 8, 20)), pick((0, 5, 13, GRACE_MAX))
    elif kind == "adopt":
        one["at_once"] = pick((False, True))
    elif kind == "identify":
        one["said"] = pick(
            (
                {"n": 1}, {"n": 2}, {"n": "x"}, {"n": None}, {"plan": "x"}, {"plan": "y"},
                {"vip": True}, {"vip": False}, {"vip": 1},
                {"until": iso(make_instant(pick, scale))},
                {"until": "soon"}, {"timezone": pick(ZONES)}, {"timezone": "Nowhere"},
            )
        )  # fmt: skip
    return one
