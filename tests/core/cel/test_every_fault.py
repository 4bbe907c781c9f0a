from __future__ import annotations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from engine.core import cel
from engine.core.cel.limits import FAULTS_MAX

SCOPE = cel.Scope(
    frozenset({"event", "user", "cart", "now"}),
    frozenset(cel.QUESTIONS),
    {"now": cel.Kind.TIMESTAMP},
)


def faults_of(text: str) -> list[tuple[int, str]]:
    """Column and message of all that is wrong, in order of place."""
    with pytest.raises(cel.CelCheckError) as raised:
        cel.compile(text, SCOPE)
    return sorted((one.column, one.message) for one in raised.value.every())


def test_two_unknown_functions_and_a_bad_window_are_three_faults() -> None:
    assert faults_of('cnt("A") > 3 && did("B", "soon") && siz(event.x) > 2') == [
        (1, "unknown function cnt()"),
        (26, "'soon' is not a duration"),
        (37, "unknown function siz()"),
    ]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a + b", [1, 5]),
        ("f(a, g(b))", [1, 6, 8]),  # `a` may be meant for each element
        ("f(g(b), a)", [1, 3, 5, 9]),
        ("user.x.any(e, e.y > z)", [8, 21]),
        ("[a, b].all(e, f(e) && e.x == y)", [2, 5, 15, 30]),
        ("user.all(1, a)", [10, 13]),
        ("user.filter(a)", [6, 13]),
        ("has(a) || has(b.x, 1)", [5, 5, 11, 15]),
        ("{1.5: a, null: b}", [2, 7, 10, 16]),
        ("a ? b : c", [1, 5, 9]),
        ("a.b[c].d(e)", [1, 5, 8, 10]),
        ('1 + "x" > 2 && -"x" < 3', [3, 16]),
        ('count(a, b, c.d, e.f > g, h) > "x"', [7, 10, 15, 22, 30]),
        ('sum("A") > 1 || sum("A", "7d") > 1 || idle() || idle(7)', [1, 17, 39, 54]),
        ('did("A", "7d", e, count("B") > e.x && now > e.y)', [19, 39]),
        ('did("A", "7d", e, 3) || did("")', [19, 29]),
        ('"x".startsWith(1) || "x".matches("[") || now.getHours("No") == 1', [16, 34, 55]),
        ('now - "x" > "y" || since("A") > "z"', [5, 33]),
        ("int(1, a) == b", [1, 8, 14]),
        ('last("A").x && 3', [16]),
        ("now == '2026-01-31' || user.x == 1", [5]),
        ("count('A') == '3' || did('A') != 1", [12, 31]),
        ("since('A') == 5 || !(since('A') == '5m')", [12]),
        ("size(user.x) in [1, '2', null, 3.5, user.y]", [21, 26]),
        ("type(user.x) == 'int' || user.x == null || [] == {}", [14, 47]),
    ],
)
def test_what_is_wrong_in_several_places_is_told_of_each(text: str, columns: list[int]) -> None:
    assert [column for column, _ in faults_of(text)] == columns


def test_a_part_at_fault_makes_no_fault_of_what_stands_around_it() -> None:
    assert faults_of('(nme + 1).startsWith("x") && siz(nme.a) == "b"') == [
        (2, "unknown name 'nme'"),
        (30, "unknown function siz()"),
        (34, "unknown name 'nme'"),
    ]


def test_so_many_faults_are_told_and_no_more() -> None:
    assert len(faults_of(" || ".join(f"x{at}" for at in range(1000)))) == FAULTS_MAX


def test_what_is_too_deep_is_told_beside_what_was_wrong_before() -> None:
    deep = " + ".join(["1"] * 150)
    assert [message for _, message in faults_of(f"nme || ({deep} > 1)")] == [
        "unknown name 'nme'",
        "the expression is more than 100 operations deep",
    ]


PARTS = st.recursive(
    st.sampled_from(
        ["user.a", "usr", "1", "'x'", "now", "true", "did('A', 'b')", "since('A')", "[]", "{}"]
    ),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "==", "+", "<"]), inner),
        st.builds("!{}".format, inner),
        st.builds("siz({})".format, inner),
        st.builds("size({}, {})".format, inner, inner),
        st.builds("{}.all(e, {})".format, inner, inner),
        st.builds("count('A', '1h', e, {}) > 1".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(PARTS, PARTS)
def test_two_expressions_in_one_have_the_faults_of_both(left: str, right: str) -> None:
    apart = [*_faults_at(left, 1), *_faults_at(right, 3 + len(left))]
    together = _faults_at(f"[{left}, {right}]", 0)
    event(f"{min(len(apart), 5)} faults")
    if len(apart) < FAULTS_MAX:
        assert together == apart


def _faults_at(text: str, offset: int) -> list[tuple[int, str]]:
    try:
        cel.compile(text, SCOPE)
    except cel.CelCheckError as error:
        return sorted((one.column + offset, one.message) for one in error.every())
    return []
