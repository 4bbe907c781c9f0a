"""Functions of history in expressions: how they are read, and how each form of code asks them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from engine.core.cel import (
    QUESTIONS,
    CelCheckError,
    CelError,
    Scope,
    compile,  # noqa: A004 - as the package calls it
)
from engine.core.cel.emit import CarefulCode
from engine.core.cel.limits import WORK_MAX

SCOPE = Scope(frozenset({"event", "user", "now"}), frozenset(QUESTIONS))


class Told:
    """Answers with what it was asked; counts over three events."""

    events = ({"n": 1, "k": "a"}, {"n": "x"}, {"n": 5, "k": "b", "list": [1, 2]})

    def count(self, name: str, window_ms: int | None, predicate: Any = None) -> int:
        assert name == "A"
        assert window_ms in {None, 1_000}
        return 3 if predicate is None else sum(map(predicate, self.events))

    def did(self, name: str, window_ms: int | None, predicate: Any = None) -> bool:
        return self.count(name, window_ms, predicate) >= 1

    def since(self, name: str) -> timedelta:
        if name == "B":
            raise CelError("never")
        return timedelta(minutes=30)

    def total(self, name: str, field: str, window_ms: int | None) -> float:
        assert (name, field, window_ms) == ("A", "n", 1_000)
        return 6.0

    average = least = greatest = total

    def last(self, name: str) -> dict[str, Any]:
        return {"name": name}

    def idle(self, window_ms: int) -> bool:
        return window_ms < 5

    def received(self, what: str, window_ms: int | None) -> int:
        assert what == "email"
        return window_ms or -1


BINDINGS = {"@": Told(), "event": {"k": "b"}, "user": {"least": 4}, "now": None}
FAIL = "an error"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('count("A")', 3),
        ('count("A", "1s")', 3),
        ('count("A", e, e.n > 0)', 2),
        ('count("A", "1s", e, e.k == event.k)', 1),
        ('count("A", "1s", e, e.n >= user.least)', 1),
        ('count("A", e, e.n > 0 || true)', 3),
        ('count("A", e, e.n)', 0),
        ('count("A", e, e.list.exists(x, x == 2))', 1),
        ('count("A", event, event.k == "a")', 1),
        ('did("A", "1s", e, e.n > 9)', False),
        (
            'sum("A", "n", "1s") + avg("A", "n", "1s") + min("A", "n", "1s") + max("A", "n", "1s")',
            24,
        ),
        ('since("A") >= "30m" && since("A") < duration("31m")', True),
        ('"30m" == since("A")', True),
        ('since("B") >= "30m"', FAIL),
        ('since("B") >= "30m" || count("A") == 3', True),
        ('last("A").name', "A"),
        ('last("A").other', FAIL),
        ('idle("4ms") && !idle("5ms")', True),
        ('received("email", "7ms") + received("email")', 6),
        ('[1, 2, 3].filter(x, x < count("A"))', [1, 2]),
        ('count("A", e, [1, 5].exists(x, x == e.n)) == 2 ? "two" : "other"', "two"),
    ],
)
def test_both_forms_of_code_ask_the_moment(text: str, expected: Any) -> None:
    for program in (compile(text), compile(text, SCOPE)):
        try:
            value = program.evaluate(BINDINGS)
        except CelError:
            value = FAIL
        assert value == expected
        assert "@" in program.names
        try:
            careful = CarefulCode().function(program.tree)(BINDINGS)
        except CelError:
            careful = FAIL
        assert careful == expected


def test_visits_are_sessions_that_started() -> None:
    for text, counted in (
        ('visits("7ms")', 'count("Session Started", "7ms")'),
        ("visits()", 'count("Session Started")'),
    ):
        asked, same = compile(text, SCOPE).tree, compile(counted, SCOPE).tree
        assert msgspec.structs.replace(asked, at=0) == msgspec.structs.replace(same, at=0)


def test_without_a_moment_it_is_an_error() -> None:
    with pytest.raises(CelError, match="no such variable"):
        compile('did("A")').evaluate({})


def test_what_an_event_makes_of_the_work_allowed_is_an_error_of_the_whole() -> None:
    program = compile('count("A", e, user.list.all(x, user.list.all(y, x + y >= 0))) > 0')
    many = list(range(int(WORK_MAX**0.5)))
    with pytest.raises(CelError, match="too much work"):
        program.evaluate({**BINDINGS, "user": {"list": many}})


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("count()", 1, "wants an event"),
        ("count(event.name)", 13, "as a text in quotes"),
        ('count("")', 7, "names nothing"),
        ('count("A\\n")', 7, "names nothing"),
        ('count("A", 5)', 12, "its window as a text"),
        ('count("A", "0s")', 12, "nothing is in a window"),
        ('count("A", "5 days")', 12, "not a duration"),
        ('count("A", "1d", e)', 12, "wants a name for the counted event"),
        ('count("A", 5, e.n > 1)', 12, "wants a name for the counted event"),
        ('count("A", "1d", e, e.n > 1, 5)', 25, "wants a name for the counted event"),
        ('count("A", "1d", "2d", e, true)', 18, "no more than that"),
        ('count("A", e, 5)', 15, "wants a condition"),
        ('count("A", e, e.at < now)', 22, "cannot be asked of each event"),
        ('count("A", e, count("A") > 1)', 15, "asks of the past again"),
        ('[1].exists(x, did("A", e, e.n == x))', 34, "cannot be asked of each event"),
        ('sum("A")', 1, "wants a property"),
        ('sum("A", "1d")', 1, "wants a property before its window"),
        ("idle()", 1, "wants a window"),
        ('idle("1d", "2d")', 12, "no more than that"),
        ('since("A", "1d")', 12, "no more than that"),
        ('since("A") > 30', 12, "does not take a duration and a whole number"),
        ('last("A") > 3', 11, "does not take a map"),
        ('did("A") + 1', 10, "does not take true or false"),
        ('user.count("A")', 6, "unknown function count()"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_at_its_place(
    text: str, column: int, told: str
) -> None:
    with pytest.raises(CelCheckError) as refused:
        compile(text, SCOPE)
    assert told in refused.value.message
    assert (refused.value.line, refused.value.column) == (1, column)


def test_a_function_that_the_scope_has_not_is_unknown() -> None:
    scope = Scope(frozenset({"event"}), frozenset({"count"}))
    assert compile('count("A") > 1', scope).names == {"@"}
    with pytest.raises(CelCheckError, match=r"unknown function did\(\)"):
        compile('did("A")', scope)
    with pytest.raises(CelCheckError) as refused:
        compile('cuont("A")', scope)
    assert refused.value.hint == "did you mean 'count'?"


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_example_is_one(name: str) -> None:
    example = QUESTIONS[name].example
    assert example.startswith(f"{name}(")
    assert compile(example, SCOPE).names == {"@"}
