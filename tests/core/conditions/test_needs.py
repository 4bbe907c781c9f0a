from __future__ import annotations

import pytest

from engine.core import cel
from engine.core.conditions.needs import both, needs, sends_needed, unsure
from engine.core.history import Kept

DAY = 86_400_000


def told(kept: Kept) -> tuple[object, ...]:
    names = None if kept.properties is None else "".join(sorted(kept.properties))
    return kept.most, kept.window_ms, names, kept.total, kept.first


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('count("A", "1d") >= 3', (3, DAY, "", False, False)),
        ('count("A", "1d") < 3', (3, DAY, "", False, False)),
        ('count("A", "1d") == 3', (4, DAY, "", False, False)),
        ('3 < count("A", "1d")', (4, DAY, "", False, False)),
        ('3.0 <= count("A", "1d")', (3, DAY, "", False, False)),
        ('count("A", "1d") > 2.5', (4, DAY, "", False, False)),
        ('count("A", "1d") > -5', (1, DAY, "", False, False)),
        ('count("A", "1d") > 99999', (1_000, DAY, "", False, False)),
        ('count("A", "1d") + 1 > 3', (1_000, DAY, "", False, False)),
        ('count("A", "1d") > size(user.list)', (1_000, DAY, "", False, False)),
        ('count("A") >= 10', (1, 0, "", True, False)),
        ('count("A", "1d", e, e.a > 1 && has(e.b)) >= 3', (1_000, DAY, "ab", False, False)),
        ('count("A", e, e == event)', (1_000, None, None, False, False)),
        ('did("A", "1d")', (1, 0, "", False, False)),
        ('did("A", "1d", e, e["a"] == 1)', (1_000, DAY, "a", False, False)),
        ('did("A", "1d", e, e[event.b] == 1)', (1_000, DAY, None, False, False)),
        ('did("A", "1d", e, e.a.b == 1)', (1_000, DAY, "a", False, False)),
        ('did("A", "1d", e, e.list.exists(x, x.y == e.c))', (1_000, DAY, "clist", False, False)),
        ('sum("A", "a", "1d") > 5', (1_000, DAY, "a", False, False)),
        ('distinct("A", "a") > 5', (1_000, None, "a", False, False)),
        ('since("A") > "1d"', (1, 0, "", False, False)),
        ('last("A").a == 1', (1, 0, "a", False, False)),
        ('has(last("A").a)', (1, 0, "a", False, False)),
        ('size(last("A")) == 1', (1, 0, None, False, False)),
        ('first("A").a == 1', (1, 0, "a", False, True)),
        ('[1, 2].exists(x, count("A", "1d") == x)', (1_000, DAY, "", False, False)),
        ('{"k": did("A")}.k', (1, 0, "", False, False)),
        ('count("A", "1d") >= 3 && since("A") > "2h"', (3, DAY, "", False, False)),
        ('sum("A", "a", "1d") > avg("A", "b", "2h")', (1_000, DAY, "ab", False, False)),
    ],
)
def test_a_condition_says_what_to_keep(condition: str, expected: tuple[object, ...]) -> None:
    assert {name: told(kept) for name, kept in needs([cel.compile(condition)]).items()} == {
        "A": expected
    }


def test_what_asks_for_no_event_needs_none() -> None:
    program = cel.compile('idle("1d") && in_segment("vip") && score("m") > 0.5 && event.a')
    assert needs([program]) == sends_needed([program]) == {}


def test_messages_are_kept_apart_from_events() -> None:
    program = cel.compile('received("email", "1d") >= 3 || did("email")')
    assert told(needs([program])["email"]) == (1, 0, "", False, False)
    assert told(sends_needed([program])["email"]) == (3, DAY, "", False, False)


def test_all_properties_and_all_of_a_life_win() -> None:
    one, other = Kept(3, 5, frozenset("a")), Kept(2, None, None, total=True, first=True)
    assert told(both(one, other)) == told(both(other, one)) == (3, None, None, True, True)


@pytest.mark.parametrize(
    ("condition", "calls"),
    [
        ('count("A", "1d") > 20', ["count"]),
        ('count("A", "1d") >= 10', []),
        ('count("A", "1d") > 10', ["count"]),
        ('10 == count("A", "1d")', ["count"]),
        ('count("A") > 20', []),
        ('did("A", e, e.a) || sum("A", "a") > 1', ["did", "sum"]),
        ('did("A", "1d", e, e.a) || sum("A", "a", "1d") > 1', []),
        ('last("A").a && first("A").a && since("A") > "1d"', []),
    ],
)
def test_where_the_number_of_events_kept_can_be_noticed(condition: str, calls: list[str]) -> None:
    assert [asked.function for asked in unsure(cel.compile(condition), 10)] == calls
