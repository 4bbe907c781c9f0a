from __future__ import annotations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from config.foregone import ALTERNATIVES_MAX, is_always, is_never
from config.schema import FUNCTIONS, NAMES
from engine.core import cel
from engine.core.conditions.atoms import MOMENT
from engine.core.conditions.bindings import KINDS
from engine.core.conditions.moment import Moment
from tests.core.world import MINUTE, START, World, campaign

NEVER = [
    "user.x == 1 && user.x == 2",
    "user.x > 5 && user.x < 3",
    "user.x > 5 && user.x <= 5",
    "user.x > 5 && user.x == 'a'",
    "3 > user.x && user.x >= 3.0",
    "user.t == 'a' && user.t in ['b', 'c']",
    "user.t in ['a', 'b'] && !(user.t in ['a', 'b', 'c'])",
    "(user.a == 1 || user.a == 2) && user.a > 3",
    "user.x == 1 ? user.x == 2 : false",
    "user.vip && !user.vip",
    "user.a == user.b && user.a != user.b",
    "(user.x > 1) == (user.x <= 1)",
    "!(did('A') || true)",
    "did('A') && !did('A')",
    "did('A', '1h') && !did('A', '1d')",
    "count('A', '1h') >= 3 && count('A', '1h') < 2",
    "count('A', '1h') >= 3 && count('A', '1d') < 3",
    "count('A', '1h') > 2 && count('A', '1h') < 3",
    "count('A') == 2 && !did('A')",
    "count('A', '1h', e, e.p == 1) >= 2 && !did('A', '1d', f, f.p == 1)",
    "count('A', '1h') < 0",
    "received('email', '1d') < 0",
    "idle('1h') && !idle('30m')",
    "idle('1h') && did('A', '30m')",
    "since('A') > '1h' && did('A', '30m')",
    "since('A') >= duration('1h') && count('A', '1h') >= 1",
    "since('A') < '30m' && !did('A', '1d')",
    "since('A') < '0s'",
    "since('A') > '1d' && !did('A')",
    "score('m') > 1.0",
    "cart.size < 0",
    "size(user.tags) < 0",
    "now.getHours() >= 24",
    "now.getDayOfWeek(user.timezone) == 7",
]
ALWAYS = [
    "did('A') || !did('A')",
    "count('A', '1h') >= 0",
    "user.x > 5 || user.x <= 5",
    "user.a != 1 || user.a != 2",
    "idle('30m') || !idle('1h')",
    "!(user.x == 1 && user.x == 2)",
    "now.getHours() < 24",
]
EITHER = [
    "user.x == 1 || user.x == 2",
    "user.x != 1 && user.x != 2",
    "user.x > 5 && user.x < 6",
    "user.x >= 5 && user.x <= 5",
    "user.size > 5 && user.size < 6",
    "user.a / user.b > 5 || user.a / user.b <= 5",
    "!(user.a / user.b > 5) && !(user.a / user.b <= 5)",
    "did('A', '1d') && !did('A', '1h')",
    "did('A', '1d') && !did('B', '1d')",
    "count('A', '1h') > 2 && count('A', '1h') < 4",
    "count('A', '1h', e, e.p == 1) >= 2 && !did('A', '1d', e, e.p == 2)",
    "count('A', '1h') >= 2 && !did('A', '1d', e, e.p == 2)",
    "idle('30m') && !idle('1h')",
    "idle('1h') && did('A', '2h')",
    "idle('1h') && did('Session Ended', '30m')",
    "since('A') > '30m' && did('A', '1h')",
    "since('A') <= '30m' && !did('A', '30m')",
    "received('email', '1d') < 1 && received('sms', '1d') > 2",
    "since('A') in ['30m']",
    "session.duration == '10m' && session.duration > duration('5m')",
    "now == timestamp('2026-01-31T09:00:00Z')",
    "event_name == 'A' || user == dyn('A')",
    "!(double(user.s) < 5.0 || double(user.s) >= 5.0)",
    "double(user.s) < 5.0 || double(user.s) >= 5.0",
    (
        "int(user.x) >= 9007199254740993 && int(user.x) <= 9007199254740993 "
        "&& int(user.x) != 9007199254740992"
    ),
    "user.x >= 5 && user.x <= 5 && user.x != duration('5ms')",
    "dyn(since('A')) == '30m' && dyn(since('A')) > duration('10m')",
    "count('A') > 1e999",
    "count('A', '1h') < -1e999",
    "now.getHours(user.timezone) >= 9 && now.getHours() < 5",
    " && ".join(f"(user.a{n} == 1 || user.b{n} == 1)" for n in range(ALTERNATIVES_MAX)),
]


SCOPE = cel.Scope(variables=NAMES, functions=FUNCTIONS, kinds=KINDS)


def answers(text: str) -> tuple[bool, bool]:
    tree = cel.compile(text, SCOPE).tree
    return is_never(tree), is_always(tree)


@pytest.mark.parametrize("text", NEVER)
def test_what_excludes_itself_can_never_be_true(text: str) -> None:
    assert answers(text) == (True, False)
    assert answers(f"!({text})") == (False, True)


@pytest.mark.parametrize("text", ALWAYS)
def test_what_has_no_contrary_is_always_true(text: str) -> None:
    assert answers(text) == (False, True)


@pytest.mark.parametrize("text", EITHER)
def test_of_what_can_be_either_nothing_is_said(text: str) -> None:
    assert answers(text) == (False, False)


WINDOWS = st.sampled_from(["10m", "20m", "30m"])
COMPARED = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
PARTS = st.one_of(
    st.builds("user.x {} {}".format, COMPARED, st.integers(0, 2)),
    st.builds("user.x in [{}, {}]".format, st.integers(0, 2), st.integers(0, 2)),
    st.builds("count('A', '{}') {} {}".format, WINDOWS, COMPARED, st.integers(0, 3)),
    st.builds("did('{}', '{}')".format, st.sampled_from("AB"), WINDOWS),
    st.builds("did('A', '{}', e, e.p == {})".format, WINDOWS, st.integers(0, 1)),
    st.builds("since('A') {} '{}'".format, COMPARED, WINDOWS),
    st.builds("idle('{}')".format, WINDOWS),
)
CONDITIONS = st.recursive(
    PARTS,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("(({}) == ({}))".format, inner, inner),
    ),
    max_leaves=5,
)
LIVES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("AB"), st.integers(0, 1)), max_size=5)


@settings(max_examples=400)
@given(CONDITIONS, LIVES, st.sampled_from([None, 0, 1, 1.5, "a"]))
def test_nothing_false_is_said_of_any_condition(
    text: str, life: list[tuple[int, str, int]], x: float | str | None
) -> None:
    program = cel.compile(text)
    world = World(campaign("c", when=text))
    if x is not None:
        world.identify(0, x=x)
    at = 0
    never, always = is_never(program.tree), is_always(program.tree)
    event(f"never {never}, always {always}")
    world.event("Look", at)
    for later, name, p in [*life, (4, "B", 0)]:
        for now in {at, at + later * MINUTE * 2, at + later * MINUTE * 5}:
            user = world.user()
            bound = {"user": user.traits, MOMENT: Moment(user, START + now, world.processor.plan)}
            truth = program.truth(bound)
            assert not (never and truth is True)
            assert not (always and truth is False)
        at += later * MINUTE * 5
        world.event(name, at, p=p)
