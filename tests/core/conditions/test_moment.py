"""What a moment answers, against lists of all that ever happened."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import cel, history
from engine.core.cel import CelError
from engine.core.conditions.moment import Moment
from engine.core.conditions.needs import needs
from engine.core.history import Kept
from engine.core.plan import Plan
from engine.core.state import NEVER, decode_user, encode_user, new_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.state import User

PLAN = Plan("p")
FAIL = "an error"


class Past:
    """Everything that happened, in order of time; at one instant in the order in which it came."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.now = 0

    def add(self, at_ms: int, name: str, properties: dict[str, Any]) -> None:
        self.events.append((at_ms, name, properties))
        self.events.sort(key=lambda event: event[0])

    def of(self, name: str, window: int | None = None) -> list[dict[str, Any]]:
        low = -math.inf if window is None else self.now - window
        return [p for at_ms, said, p in self.events if said == name and low < at_ms <= self.now]

    def numbers(self, window: int | None = None) -> list[float]:
        values = [p["n"] for p in self.of("A", window) if "n" in p]
        return [float(value) for value in values if type(value) in {int, float}]

    def since(self, name: str) -> int | str:
        found = [at_ms for at_ms, said, _ in self.events if said == name and at_ms <= self.now]
        return self.now - found[-1] if found else FAIL


def first_of(values: list[Any]) -> Any:
    return values[0] if values else FAIL


QUESTIONS: dict[str, Callable[[Past], Any]] = {
    'count("A")': lambda past: len(past.of("A")),
    'count("A", "5ms")': lambda past: len(past.of("A", 5)),
    'count("A", "7ms") >= 2': lambda past: len(past.of("A", 7)) >= 2,
    '2 > count("B", "3ms")': lambda past: len(past.of("B", 3)) < 2,
    'count("B", "6ms") == 3': lambda past: len(past.of("B", 6)) == 3,
    'count("A", "6ms", e, e.k == event.k)': lambda past: sum(
        p.get("k") == "x" for p in past.of("A", 6)
    ),
    'count("A", e, e.n > 1)': lambda past: sum(n > 1 for n in past.numbers()),
    'did("A", "4ms", e, e.n > 1 || e.k == "y")': lambda past: any(
        (type(p.get("n")) in {int, float} and p["n"] > 1) or p.get("k") == "y"
        for p in past.of("A", 4)
    ),
    'did("B")': lambda past: bool(past.of("B")),
    'did("B", "4ms")': lambda past: bool(past.of("B", 4)),
    'sum("A", "n", "5ms")': lambda past: math.fsum(past.numbers(5)),
    'sum("A", "n")': lambda past: math.fsum(past.numbers()),
    'avg("A", "n", "5ms")': lambda past: (
        math.fsum(past.numbers(5)) / len(past.numbers(5)) if past.numbers(5) else FAIL
    ),
    'min("A", "n", "9ms")': lambda past: min(past.numbers(9), default=FAIL),
    'max("A", "n", "9ms")': lambda past: max(past.numbers(9), default=FAIL),
    'distinct("A", "k", "8ms")': lambda past: len({p["k"] for p in past.of("A", 8) if "k" in p}),
    'since("B")': lambda past: past.since("B"),
    'since("B") >= "4ms"': lambda past: (
        FAIL if past.since("B") == FAIL else int(past.since("B")) >= 4
    ),
    'last("A").k': lambda past: first_of([p.get("k", FAIL) for p in past.of("A")[::-1]]),
    'first("A").k': lambda past: first_of([p.get("k", FAIL) for p in past.of("A")]),
}
PROGRAMS = {text: cel.compile(text) for text in QUESTIONS}

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),  # after the one before
        st.integers(0, 6),  # late by
        st.sampled_from("AAB"),
        st.fixed_dictionaries(
            {},
            optional={
                "n": st.sampled_from([-2, -0.5, 0.1, 1, 2, 3.5, True, "7", None]),
                "k": st.sampled_from(["x", "y", "z"]),
                "more": st.just([1, {"a": None}]),
            },
        ),
    ),
    max_size=14,
)


def answer(text: str, user: User, now_ms: int) -> tuple[Any, int]:
    """What the compiled condition gives, a duration in milliseconds, and until when."""
    moment = Moment(user, now_ms, PLAN)
    try:
        value = PROGRAMS[text].evaluate({"@": moment, "event": {"k": "x"}})
    except CelError:
        return FAIL, moment.until_ms
    return value / timedelta(milliseconds=1) if isinstance(value, timedelta) else value, (
        moment.until_ms
    )


@given(EVENTS, st.sets(st.sampled_from(list(QUESTIONS)), min_size=1))
def test_each_function_is_what_a_list_of_all_events_says_and_stays_so_for_as_long_as_it_tells(
    told: list[tuple[int, int, str, dict[str, Any]]], texts: set[str]
) -> None:
    kept = needs([PROGRAMS[text] for text in texts])
    user, past = new_user("u"), Past()
    for after, late, name, properties in told:
        past.now += after
        at_ms = max(0, past.now - late)
        past.add(at_ms, name, properties)
        if name in kept:
            raw = msgspec.json.encode(properties)
            history.insert(user, name, at_ms, kept[name], past.now, raw)
    user = decode_user(encode_user(user))
    start = past.now
    for text in sorted(texts):
        until_ms, held = start, None
        for now_ms in range(start, start + 12):
            past.now = now_ms
            value, next_ms = answer(text, user, now_ms)
            assert (type(value) is bool, value) == (
                type(QUESTIONS[text](past)) is bool,
                QUESTIONS[text](past),
            ), (text, now_ms - start)
            assert next_ms > now_ms
            if now_ms < until_ms and not text.startswith("since"):  # which moves with time
                assert value == held, text
            until_ms, held = max(until_ms, next_ms), value


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=20), st.integers(1, 3))
def test_how_many_ever_and_the_first_are_known_when_most_are_gone(
    told: list[tuple[int, bool]], most: int
) -> None:
    kept = Kept(most, None, frozenset({"id"}), total=True, first=True)
    user, past = new_user("u"), Past()
    for number, (at_ms, has_id) in enumerate(told):
        properties = {"id": number} if has_id else {}
        past.add(at_ms, "A", properties)
        history.insert(user, "A", at_ms, kept, 9, msgspec.json.encode(properties))
    past.now = 9
    moment = Moment(user, 9, PLAN)
    everything = past.of("A")
    assert moment.count("A") == len(everything)
    if everything:
        assert moment.first("A") == everything[0]
        assert moment.last("A") == everything[-1]
        assert moment.distinct("A", "id") == sum("id" in p for p in everything[-most:])


@given(EVENTS, st.integers(0, 12))
def test_the_nth_newest_is_found_also_at_an_instant_that_has_passed(
    told: list[tuple[int, int, str, dict[str, Any]]], back: int
) -> None:
    user, past = new_user("u"), Past()
    kept = Kept(1_000, None, frozenset({"k"}))
    for after, late, name, properties in told:
        past.now += after
        past.add(past.now - late, name, properties)
        raw = msgspec.json.encode(properties)
        history.insert(user, name, past.now - late, kept, past.now, raw)
    past.now -= back
    instants = [at for at, name, _ in past.events if name == "A" and at <= past.now]
    chosen = [
        at for at, name, p in past.events if name == "A" and at <= past.now and p.get("k") == "x"
    ]
    moment = Moment(user, past.now, PLAN)
    for n in range(1, 6):
        assert moment.nth_newest("A", n) == (instants[-n] if len(instants) >= n else None)
        found = moment.nth_newest("A", n, lambda e: e.get("k") == "x")
        assert found == (chosen[-n] if len(chosen) >= n else None)
    assert moment.count("A") == len(instants)
    future = [at for at, name, _ in past.events if name == "A" and at > past.now]
    assert moment.until_ms == min(future, default=NEVER)


def test_idle_is_never_true_of_somebody_who_has_done_nothing() -> None:
    user = new_user("u")
    assert not Moment(user, 10**12, PLAN).idle(1)
    user.last_seen_at_ms = 100
    for now_ms, idle, until_ms in ((129, False, 130), (130, True, NEVER)):
        moment = Moment(user, now_ms, PLAN)
        assert (moment.idle(30), moment.until_ms) == (idle, until_ms)


def test_a_moment_goes_with_what_it_saw_for_the_earliest_of_its_answers() -> None:
    user = new_user("u")
    for at_ms in (10, 20):
        history.insert(user, "A", at_ms, Kept(9), at_ms)
    moment = Moment(user, 20, PLAN)
    assert (moment.count("A", 100), moment.until_ms) == (2, 110)
    assert (moment.did("A", 15), moment.until_ms) == (True, 35)
    assert (moment.did("B", 1), moment.until_ms) == (False, 35)
    assert (moment.since("A"), moment.until_ms) == (timedelta(), 35)


def test_values_are_compared_as_json_values() -> None:
    user = new_user("u")
    kept = Kept(20, None, frozenset({"v"}))
    values = [1, 1.0, True, "1", None, [1], [1.0], [True], {"a": 1, "b": 2}, {"b": 2.0, "a": 1}, 0]
    for at_ms, value in enumerate(values):
        history.insert(user, "A", at_ms, kept, at_ms, msgspec.json.encode({"v": value}))
    history.insert(user, "A", 20, kept, 20, b"{}")
    assert Moment(user, 30, PLAN).distinct("A", "v") == 8


@pytest.mark.parametrize("raw", [b"[1]", b"5", b"null", b'{"n":', b"\xff"])
def test_properties_that_are_no_object_are_none(raw: bytes) -> None:
    for properties in (frozenset({"n"}), None):
        user = new_user("u")
        history.insert(user, "A", 1, Kept(5, None, properties, first=True), 1, raw)
        moment = Moment(user, 2, PLAN)
        assert (moment.last("A"), moment.first("A"), moment.count("A")) == ({}, {}, 1)


def test_numbers_past_64_bits_are_kept_as_fractions() -> None:
    for properties in (frozenset({"n"}), None):
        user = new_user("u")
        kept = Kept(5, None, properties)
        history.insert(user, "A", 1, kept, 1, b'{"n":1' + b"0" * 400 + b"}")
        history.insert(user, "A", 2, kept, 2, b'{"n":18446744073709551616}')
        user = decode_user(encode_user(user))
        assert Moment(user, 2, PLAN).greatest("A", "n") == 1e308
        assert Moment(user, 2, PLAN).least("A", "n") == 2.0**64


HUGE = 1.7e308


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ('sum("A", "v")', [HUGE, HUGE], math.inf),
        ('sum("A", "v")', [-HUGE, -HUGE], -math.inf),
        ('sum("A", "v")', [HUGE, HUGE, -HUGE, -HUGE, 1.5], 1.5),
        ('avg("A", "v")', [HUGE, HUGE], HUGE),
        ('avg("A", "v")', [10**400, 10**400], 1e308),
    ],
)
def test_huge_numbers_are_summed_as_any(text: str, values: list[float], expected: float) -> None:
    program, user = cel.compile(text), new_user("u")
    kept = needs([program])["A"]
    for at_ms, value in enumerate(values):
        raw = json.dumps({"v": value}).encode()
        history.insert(user, "A", at_ms, kept, at_ms, raw)
    assert program.evaluate({"@": Moment(user, 10, PLAN)}) == expected
