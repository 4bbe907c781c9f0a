"""Guardrails against a naive twin: quiet hours read minute by minute, places counted one by one.

Over changes of daylight saving in five zones, with random campaigns that ask at equal instants.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from engine.core.messages.caps import Cap
from engine.core.messages.quiet import QuietHours
from engine.core.plan import Plan
from engine.core.policy import Policy
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from tests.core.world import DAY, HOUR, MINUTE, send, wait, when
from tests.model.interpreter import Naive
from tests.model.scripts import compiled
from tests.model.twins import Twins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Pick = Callable[[Sequence[Any]], Any]

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "America/Santiago",  # at midnight
    "Pacific/Chatham",  # an offset of quarters of an hour
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clock(zone: str, at_ms: int) -> datetime:
    return (EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone))


@cache
def changes(zone: str) -> list[int]:
    """The instants of 2026 at which the zone's offset changes, to the hour."""
    year = range(1_767_225_600_000, 1_767_225_600_000 + 365 * DAY, HOUR)
    offsets = [(at_ms, clock(zone, at_ms).utcoffset()) for at_ms in year]
    return [at_ms for (_, was), (at_ms, now) in pairwise(offsets) if was != now]


@cache
def shows_quiet(zone: str, minute: int, begins: str, ends: str, days: tuple[int, ...]) -> bool:
    """Whether a clock shows a quiet time, in that minute since 1970."""
    shown = clock(zone, minute * MINUTE)
    time, day = f"{shown:%H:%M}", shown.weekday()
    if begins < ends:
        return begins <= time < ends and day in days
    return (time >= begins and day in days) or (time < ends and (day - 1) % 7 in days)


class Guarded(Naive):
    """The naive twin, with guardrails."""

    def quiet_until(self, user: dict[str, Any], now: int) -> int:
        """The first instant from now on at which it is not quiet; 0 where that is now."""
        quiet = self.policy["quiet"]
        if quiet is None:
            return 0
        zone = user["traits"].get("timezone")
        zone = zone if zone in ZONES else self.policy["zone"]
        minute = now // MINUTE
        if not shows_quiet(zone, minute, *quiet):
            return 0
        while shows_quiet(zone, minute, *quiet):
            minute += 1
        return minute * MINUTE

    def is_capped(self, user: dict[str, Any], channel: str, now: int) -> bool:
        places = user.setdefault("places", {})
        return any(
            sum(
                now - per < at <= now and only in (None, by) for by, at in places.values()
            ) >= most
            for most, per, only in self.policy["caps"]
            if only in (None, channel)
        )  # fmt: skip

    def is_marketing(self, campaign: str) -> bool:
        return bool(self.campaign(campaign)["purpose"] == "marketing")

    @override
    def walk(self, user: Any, live: Any, sends: Any = None) -> None:
        if "deferred" in live:
            step, due = live.pop("deferred")
            if not self.ask(user, live, step, due):
                return
        if sends is not None:
            super().walk(user, live, sends)
            return
        while live["rest"] and "send" in live["rest"][0]:
            step, *live["rest"] = live["rest"]
            if not self.ask(user, live, step, live["at"]):
                return
        if not live["rest"] or "send" not in live["rest"][0]:
            first, rest = live["rest"][:1], live["rest"][1:]
            if not first or "if" not in first[0]:
                super().walk(user, live)
                return
            truth = self.holds(first[0]["if"], user, live["event"], live["properties"])
            way = "then" if truth else "else"
            self.tell(user, "branched", live, step=first[0]["id"], branch=way)
            live["rest"] = [*first[0][way], *rest]
            self.walk(user, live)

    @override
    def start_late(self, user: Any, live: Any) -> None:
        """Who is to be held walks again, once it is known which sends are the latest."""
        self.late_start = True
        quiet = self.is_marketing(live["campaign"]) and self.quiet_until(user, user["judge"])
        other, told = deepcopy(user) if quiet else user, len(self.log)
        walker = next(one for one in other["live"] if one["key"] == live["key"])
        sends: list[tuple[int, Any]] = []
        Naive.walk(self, other, walker, sends)
        latest = max((due for due, _ in sends), default=0)
        if not quiet:
            for due, step in sends:
                if due == latest:
                    self.ask(user, live, step, due)
                else:
                    self.skip(user, live, step, "expired")
            return
        del self.log[told:]
        while live["rest"]:
            step, *live["rest"] = live["rest"]
            if "wait" in step:
                live["due"] = live["at"] + step["wait"]
                if live["due"] > user["clock"]:
                    return
                live["at"], live["due"] = live["due"], None
            elif "if" in step:
                truth = self.holds(step["if"], user, live["event"], live["properties"])
                way = "then" if truth else "else"
                self.tell(user, "branched", live, step=step["id"], branch=way)
                live["rest"] = [*step[way], *live["rest"]]
            elif live["at"] < latest:
                self.skip(user, live, step, "expired")
            elif not self.ask(user, live, step, live["at"]):
                return
        user["live"].remove(live)
        self.tell(user, "finished", live)

    def ask(self, user: Any, live: Any, step: Any, due: int) -> bool:
        """Decide on a send; False where it is deferred."""
        now, expires = user["judge"], step["expires"]
        if expires is None or now - due <= expires:
            channel = self.open_channel(user, step["send"], live["campaign"])
            if channel and self.is_marketing(live["campaign"]):
                until = self.quiet_until(user, now)
                if until:
                    self.tell(user, "deferred", live, step=step["id"], channel=channel)
                    live["deferred"], live["due"] = (step, due), until
                    return False
                if self.is_capped(user, channel, now):
                    self.tell(
                        user, "skipped", live, step=step["id"], channel=channel, reason="capped"
                    )
                    return True
        self.send(user, live, step, due)
        return True

    def open_channel(self, user: Any, channels: Any, campaign: str) -> str:
        return next((one for one in channels if not self.closed_to(user, one, campaign)), "")

    @override
    def send_first_open(self, user: Any, draft: Any, channels: Any, instead_of: Any) -> str:
        channel = self.open_channel(user, channels, draft["campaign"])
        stands_in = instead_of is not None and channel and self.is_marketing(draft["campaign"])
        if stands_in and self.is_capped(user, channel, user["judge"]):
            self.tell(user, "skipped", {**draft, "channel": channel}, reason="capped")
            return "capped"
        reason = super().send_first_open(user, draft, channels, instead_of)
        if not reason:
            key = (draft["key"], draft["step"], channel)
            user.setdefault("places", {})[key] = (channel, user["judge"])
        return reason

    @override
    def report(self, name: str, now: int, key: Any, outcome: str, *, invalid: bool) -> None:
        user = self.user(name)
        self.let_time_pass(user, now)
        if key in user["outbox"] and outcome != "delivered":
            del user["places"][key]
        super().report(name, now, key, outcome, invalid=invalid)


class GuardedTwins(Twins):
    """Both, with the same guardrails, from an instant on."""

    def __init__(self, shop: list[dict[str, Any]], rules: dict[str, Any]) -> None:
        quiet = rules["quiet"]
        policy = Policy(
            max_lateness_ms=rules["max_lateness"],
            caps=tuple(Cap(most, per, only or "") for most, per, only in rules["caps"]),
            quiet_hours=quiet and QuietHours(
                *(int(one[:2]) * 60 + int(one[3:]) for one in quiet[:2]),
                frozenset(quiet[2]),
            ),
            timezone=rules["zone"],
        )  # fmt: skip
        self.now = rules["start"]
        plan = Plan("p", [compiled(one) for one in shop], policy)
        self.engine = Processor(plan, now_ms=self.now, dedupe=Dedupe(10**9, 1_000))
        self.naive = Guarded(shop, rules)
        self.known: set[str] = set()
        self.ids: dict[str, Any] = {}
        self.last = ("u1", "A", self.now, {"n": 2})

    @override
    def play(self, script: Any) -> None:
        for kind, later, *rest in script:
            before, self.now = self.now, self.now + later
            getattr(self, f"_{kind}")(before, *rest)
            self._compare()
        self.now += 9 * DAY
        self._advance(self.now)
        self._compare()


def make_shop(pick: Pick) -> list[dict[str, Any]]:
    return [
        {
            "id": f"c{number}", "steps": make_steps(pick, 1), "on": pick((("A",), ("A", "B"))),
            "exits": pick(((), ("X",))), "when": None, "per": None, "reentry": 0,
            "restart": pick((False, True)), "priority": pick((10, 50, 50, 90)), "status": "live",
            "purpose": pick(("marketing", "marketing", "marketing", "transactional")),
            "audience": None,
        }
        for number in range(pick((1, 2, 3, 4)))
    ]  # fmt: skip


def make_steps(pick: Pick, depth: int) -> tuple[dict[str, Any], ...]:
    steps = []
    for _ in range(pick((1, 2, 3, 4))):
        kind = pick(("send", "send", "send", "wait", "wait", "if"))
        if kind == "if" and depth:
            steps.append(when("event.n > 1", make_steps(pick, 0), make_steps(pick, 0)))
        elif kind == "wait":
            steps.append(wait(pick((0, 10 * MINUTE, HOUR, 5 * HOUR, DAY))))
        else:
            channels = pick((("email",), ("push",), ("email", "push"), ("in_app",)))
            steps.append(send(*channels, expires=pick((None, None, HOUR, 12 * HOUR))))
    return tuple(steps)


def make_rules(pick: Pick) -> dict[str, Any]:
    zone = pick(ZONES)
    every_day = tuple(range(7))
    return {
        "max_lateness": DAY, "limit": 100, "testers": set(), "zone": zone,
        "start": pick(changes(zone)) - pick((4, 26, 50)) * HOUR,
        "quiet": pick((
            None, ("21:00", "08:00", every_day), ("22:30", "02:30", every_day),
            ("02:15", "02:45", every_day), ("01:30", "23:45", every_day),
            ("23:30", "00:30", (5, 6)), ("02:30", "01:00", (5,)), ("00:00", "23:59", (6, 0)),
        )),
        "caps": pick((
            [], [(1, 5 * MINUTE, None)], [(2, HOUR, None), (3, DAY, "email")],
            [(1, 20 * HOUR, None)], [(2, DAY, None), (1, DAY, "push"), (1, HOUR, None)],
        )),
    }  # fmt: skip


def make_script(pick: Pick, length: int) -> list[tuple[Any, ...]]:
    script: list[tuple[Any, ...]] = [
        ("identify", 0, user, {
            "email": "a@example.com", "push": "p", "timezone": pick((*ZONES, "Nowhere", None)),
            "consent": {"email": True},
        })
        for user in ("u1", "u2")
    ]  # fmt: skip
    return [*script, *(make_happening(pick) for _ in range(length))]


def make_happening(pick: Pick) -> tuple[Any, ...]:
    later = pick((0, 0, MINUTE, 5 * MINUTE, 29 * MINUTE + 59_999, HOUR, HOUR, 7 * HOUR))
    user = pick(("u1", "u1", "u2"))
    match pick(("event", "event", "event", "again", "identify", "report", "report", "resume")):
        case "event":
            age = pick((0, 0, 0, HOUR // 500, 11 * HOUR // 500))  # as its twin counts
            return ("event", later, user, pick(("A", "A", "B", "X")), age, {"n": pick((1, 2))}, "")
        case "identify":
            return ("identify", later, user, {"timezone": pick(ZONES)})
        case "report":
            outcome = pick(("delivered", "failed", "failed", "cancelled"))
            return ("report", later, user, pick((0, 1, 2)), outcome, False)
        case "resume":
            return ("resume", later, pick((0, 7_200)))
        case again:
            return (again, later)


@settings(max_examples=40)
@given(st.data())
def test_guardrails_are_those_of_the_naive_twin(data: st.DataObject) -> None:
    def pick(choices: Sequence[Any]) -> Any:
        return data.draw(st.sampled_from(choices))

    GuardedTwins(make_shop(pick), make_rules(pick)).play(make_script(pick, pick((3, 8, 15))))


@pytest.mark.parametrize("seed", range(3))
def test_guardrails_are_those_of_the_naive_twin_over_long_histories(seed: int) -> None:
    for case in range(40):
        pick = Random(seed * 1_000 + case).choice
        shop, rules, script = make_shop(pick), make_rules(pick), make_script(pick, 40)
        try:
            GuardedTwins(shop, rules).play(script)
        except AssertionError:
            print(f"seed {seed}, case {case}:\nshop = {shop}\nrules = {rules}\nscript = {script}")
            raise
