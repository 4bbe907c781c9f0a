"""Conditions that somebody thought of to be hard, each over random histories.

Each is a way in, a way out and an end of waiting at once, alone and in segments within segments; as
in `test_conditions` the engine is held against an oracle that asks at every millisecond or, of days
on which clocks are set, at every instant at which anything could change.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random  # noqa: TID251 - seeded, and the seed is in the test
from typing import Any

import pytest

from tests.conditions.choices import CHANGES, DAY, DAYS, HOUR, MINUTE, SMALL, ZONES, make_script
from tests.conditions.comparing import TIMES, compare
from tests.conditions.functions import (
    AnyItem,
    Calendar,
    Cart,
    Idle,
    InSegment,
    Now,
    Reckoned,
    Since,
)
from tests.conditions.scripts import campaign, count, did, total
from tests.conditions.trees import Both, Choice, Compared, Either, Literal, No, Read

SCRIPTS = 8 * TIMES


def size(by: str, number: int) -> Compared:
    return Compared(Cart("size"), by, Literal(number))


def value(by: str, number: float) -> Compared:
    return Compared(Cart("value"), by, Literal(number))


def distinct(by: str, number: int, window: int) -> Compared:
    return Compared(Reckoned("distinct", "A", "s", window), by, Literal(number))


N1 = Compared(Read("user", "n"), "==", Literal(1))
NASTY: dict[str, Any] = {
    "a window of a millisecond": did("A", 1),
    "nothing in a window of a millisecond": Both((No(did("A", 1)), did("A", 13))),
    "two of one instant": count("A", ">=", 2, 1),
    "exactly one, in a window that another leaves": count("A", "==", 1, 5),
    "not two and not none": Both((count("A", "!=", 2, 8), count("A", "!=", 0, 8))),
    "windows of one event that overlap": Both((did("A", 8), No(did("A", 5)))),
    "either window, and neither's edge": Either((No(did("A", 5)), count("B", ">=", 2, 5))),
    "a sum that falls and rises as what is negative goes": Both(
        (total(">", 0, 5), No(did("B", 2)))
    ),
    "values that become fewer": Both((distinct("==", 1, 8), count("A", ">=", 2, 8))),
    "idle just as something leaves": Both((Idle(5), did("A", 6))),
    "idle for as long as a window": Either((Both((Idle(8), did("A", 8))), No(Idle(1)))),
    "idle and a cart": Both((Idle(2), size(">", 0), No(did("Order Completed", 13)))),
    "a cart above a value, but not of what was just added": Both(
        (value(">", 50.0), Since("Product Added", ">=", 2))
    ),
    "a product in the cart and looked at": Both(
        (AnyItem("cart.items", "p"), AnyItem("recent", "p"))
    ),
    "more than since and less than since": Both((Since("A", ">", 2), Since("A", "<=", 5))),
    "since what may never have been": Either((Since("C", ">=", 5), Since("A", ">=", 8))),
    "a choice by what moves": Choice(did("A", 2), Idle(1), No(did("B", 5))),
    "alike or not as time goes": Compared(did("A", 5), "==", did("B", 8)),
    "unlike idleness": Compared(Idle(2), "!=", count("A", ">=", 2, 8)),
    "a trait beside an instant": Either(
        (Both((N1, Now(">=", "until"))), Both((No(N1), did("A", 2))))
    ),
    "not, not, not": No(Both((No(No(did("A", 5))), No(Both((Idle(2), No(did("B", 13)))))))),
}


def local(getter: str, by: str, number: int, zone: str = "user.timezone") -> Calendar:
    return Calendar(getter, by, number, zone)


SET = {
    "an hour that may come twice": local("getHours", "==", 2),
    "an hour that may not come": Both((local("getHours", ">=", 2), local("getHours", "<", 3))),
    "a minute of two zones": Both(
        (local("getMinutes", ">=", 30, "Australia/Lord_Howe"), local("getHours", "!=", 1))
    ),
    "a day of the week and an hour of another zone": Both(
        (local("getDayOfWeek", "==", 0), local("getHours", ">=", 23, "Pacific/Apia"))
    ),
    "a date that one zone has already": Compared(
        local("getDate", "==", 25, "Asia/Kathmandu"), "!=", local("getDate", "==", 25, "UTC")
    ),
    "the hour only while idle": Both((Idle(HOUR), local("getHours", ">=", 2), did("A", DAY))),
    "the hour or a window": Either(
        (Both((local("getHours", "<", 1), No(did("A", HOUR)))), count("A", ">=", 2, 20 * MINUTE))
    ),
    "the night of a month": Both(
        (local("getMonth", "==", 9), local("getHours", ">", 1), Since("A", ">=", 5 * HOUR))
    ),
    "the year's day, by another's noon": Choice(
        local("getHours", ">=", 12, "America/Sao_Paulo"),
        local("getDayOfYear", ">", 297),
        local("getDayOfMonth", "<", 24, "Africa/Casablanca"),
    ),
}


def shop_of(condition: Any, *, waits: int, nested: bool) -> dict[str, Any]:
    """The condition as a way in, a way out and the end of a wait; nested: three segments deep."""
    segments: dict[str, Any] = {}
    asked = condition
    if nested:
        segments = {
            "s": condition,
            "t": No(InSegment("s")),
            "v": Both((No(InSegment("t")), did("A"))),
        }
        asked = Either((InSegment("v"), Both((InSegment("s"), No(did("A"))))))
    go = {"event": ["Go"], "when": None}
    wait = {"wait": {"when": asked, "at_most": waits, "then": [{"exit": "met"}]}}
    return {
        "campaigns": [
            campaign({"when": asked}),
            {**campaign(go, {"wait": waits}), "id": "d", "exit": {"when": asked}},
            {**campaign(go, wait), "id": "e"},
        ],
        "segments": segments,
    }


@pytest.mark.parametrize("nested", [False, True], ids=["alone", "in segments"])
@pytest.mark.parametrize("name", NASTY)
def test_what_is_hard_says_the_same(name: str, nested: bool) -> None:
    pick = Random(f"{name} {nested}").choice
    shop = shop_of(NASTY[name], waits=13, nested=nested)
    scale = replace(SMALL, cart=True)
    for number in range(SCRIPTS):
        case = {**shop, "script": make_script(pick, scale, (4, 8, 12)), "after": 28}
        compare(case, f"{name}, {number}")


@pytest.mark.parametrize("nested", [False, True], ids=["alone", "in segments"])
@pytest.mark.parametrize("name", SET)
def test_what_is_hard_where_clocks_are_set_says_the_same(name: str, nested: bool) -> None:
    pick = Random(f"{name} {nested}").choice
    shop = shop_of(SET[name], waits=5 * HOUR, nested=nested)
    for number in range(2 * TIMES):
        scale = replace(DAYS, begin=pick(CHANGES))
        arriving = {"kind": "identify", "later": 0, "user": "u", "age": 0,
                    "said": {"timezone": pick(ZONES)}}  # fmt: skip
        script = [arriving, *make_script(pick, scale, (3, 6))]
        case = {**shop, "script": script, "after": DAY, "begin": scale.begin, "scale": scale}
        compare(case, f"{name}, {number}")
