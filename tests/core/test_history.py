from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import history
from engine.core.history import Kept, instants_of
from engine.core.past.details import PROPERTIES_BYTES_MAX
from engine.core.state import User, decode_user, encode_user, new_user

if TYPE_CHECKING:
    from engine.core.past.details import Details


@given(st.lists(st.integers(0, 9)), st.integers(1, 4))
def test_a_history_holds_the_newest_in_order_however_they_came(
    instants: list[int], keep: int
) -> None:
    user = new_user("u")
    for at_ms in instants:
        history.insert(user, "A", at_ms, Kept(keep), 9)
    assert list(instants_of(user.history.get("A", b""))) == sorted(instants)[-keep:]
    assert history.newest(user, "A") == max(instants, default=-1)


def test_names_do_not_mix() -> None:
    user = new_user("u")
    history.insert(user, "A", 5, Kept(1), 9)
    assert history.newest(user, "B") == -1


def held(user: User) -> list[int]:
    return list(instants_of(user.history["A"]))


@pytest.mark.parametrize(("held_until", "expected"), [(0, [90, 95, 100]), (101, [89, 90, 95, 100])])
def test_what_no_window_holds_any_more_goes_but_not_while_deadlines_are_held_back(
    held_until: int, expected: list[int]
) -> None:
    user = new_user("u")
    user.held_until_ms = held_until
    for at_ms in (89, 90, 95, 100):
        # A millisecond ago the window still held the one at 90.
        history.insert(user, "A", at_ms, Kept(100, 10), 100)
    assert held(user) == expected


def test_the_newest_stays_however_old_it_is() -> None:
    user = new_user("u")
    for at_ms in (1, 2):
        history.insert(user, "A", at_ms, Kept(100, 10), 1_000)
    assert held(user) == [2]


def test_a_name_is_kept_as_the_plan_s_own_text() -> None:
    user, name = new_user("u"), str(b"AB", "ascii")
    history.insert(user, name, 1, Kept(1), 1)
    assert next(iter(user.history)) is name


PROPERTIES = st.sampled_from([frozenset(), frozenset("a"), frozenset("ab"), frozenset("bc"), None])
KEPT = st.builds(
    Kept,
    st.integers(1, 5),
    st.sampled_from([None, 4, 9]),
    PROPERTIES,
    total=st.booleans(),
    first=st.booleans(),
)


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 9), st.sets(st.sampled_from("abc"))), max_size=6),
            KEPT,
        ),
        max_size=5,
    )
)
def test_what_is_kept_of_an_event_stands_beside_its_instant_whatever_plans_asked_for(
    plans: list[tuple[list[tuple[int, set[str]]], Kept]],
) -> None:
    user = new_user("u")
    said: dict[int, dict[str, int]] = {}
    for told, kept in plans:
        for at_ms, names in told:
            number = len(said) + 1
            # The instant alone does not tell one from another: what it says of itself does.
            said[number] = properties = dict.fromkeys(sorted(names), number)
            history.insert(user, "A", at_ms, kept, 9, msgspec.json.encode(properties))
            user = decode_user(encode_user(user))
        details = user.details.get("A")
        if not told:
            continue
        assert kept.is_plain is (details is None)
        if details is None:
            continue
        instants = held(user)
        columns = details.columns.values()
        assert {len(column) for column in columns} <= {len(instants)}
        assert len(details.rows) == (len(instants) if kept.properties is None else 0)
        for place in range(len(instants)):
            check(details, place, instants[place], said, plans)


def check(
    details: Details,
    place: int,
    at_ms: int,
    said: dict[int, dict[str, int]],
    plans: list[tuple[list[tuple[int, set[str]]], Kept]],
) -> None:
    """What stands at a place was said by one event, of that instant."""
    events = [event for told, _ in plans for event in told]
    properties = details.properties(place)
    numbers = set(properties.values())
    assert len(numbers) <= 1
    for number in numbers:
        assert events[number - 1][0] == at_ms
        assert properties.items() <= said[number].items()
        assert details.values(next(iter(properties)), place, place + 1) == [number]


def test_a_new_plan_s_property_has_a_gap_for_each_event_before() -> None:
    user = new_user("u")
    history.insert(user, "A", 1, Kept(9, None, frozenset("a")), 1, b'{"a":1,"b":2}')
    history.insert(user, "A", 2, Kept(9, None, frozenset("ab")), 2, b'{"a":3,"b":4}')
    details = user.details["A"]
    assert [details.properties(place) for place in (0, 1)] == [{"a": 1}, {"a": 3, "b": 4}]
    history.insert(user, "A", 3, Kept(9, None, None), 3, b'{"c":5}')
    assert [details.properties(place) for place in (0, 1, 2)] == [
        {"a": 1},
        {"a": 3, "b": 4},
        {"c": 5},
    ]
    history.insert(user, "A", 0, Kept(9, None, frozenset("c")), 3, b'{"c":6}')
    assert details.values("c", 0, 4) == [6, 5]


@pytest.mark.parametrize("properties", [frozenset("a"), frozenset("ab"), None])
def test_what_is_kept_of_a_name_s_properties_is_bounded(properties: frozenset[str] | None) -> None:
    user, kept = new_user("u"), Kept(1_000, None, properties)
    text = "x" * (PROPERTIES_BYTES_MAX // 10)
    for at_ms in range(20):
        raw = msgspec.json.encode({"a": text, "b": [at_ms]})
        history.insert(user, "A", at_ms, kept, at_ms, raw)
    details = user.details["A"]
    assert len(text) * 8 < details.size <= PROPERTIES_BYTES_MAX
    assert held(user) == list(range(20 - len(held(user)), 20))
    assert details.values("a", 0, len(held(user))) == [text] * len(held(user))
    # One alone stays, whatever its size; and another plan lets the weight go.
    history.insert(user, "A", 30, kept, 30, msgspec.json.encode({"a": text * 11}))
    assert held(user) == [30]
    history.insert(user, "A", 31, Kept(1_000, None, frozenset("b")), 31, b'{"b":1}')
    assert (held(user), details.size) == ([30, 31], 8)


def test_names_beyond_ascii_are_read() -> None:
    user = new_user("u")
    name = "gr" + chr(0xF6) + "sse"
    raw = msgspec.json.encode({"more": 1, "gr\u00f6sse": 7})
    history.insert(user, "A", 1, Kept(9, None, frozenset({name, "x"})), 1, raw)
    assert user.details["A"].properties(0) == {name: 7}
