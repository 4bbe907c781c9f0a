from __future__ import annotations

import pytest

from engine.core import cel

SCOPE = cel.Scope(frozenset({"event", "user", "cart", "now", "session.duration"}))


def _fault(text: str, scope: cel.Scope | None = SCOPE) -> cel.CelCheckError:
    with pytest.raises(cel.CelCheckError) as raised:
        cel.compile(text, scope)
    return raised.value


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("usr.plan == 'a'", 1, "unknown name 'usr'", "did you mean 'user'?"),
        ("true && evnt.x", 9, "unknown name 'evnt'", "did you mean 'event'?"),
        ("cart.items.exists(itm, item.x)", 24, "unknown name 'item'", "did you mean 'itm'?"),
        (
            "user.a.startWith(1)",
            8,
            "unknown function startWith()",
            "did you mean 'startsWith'?",
        ),
        ("siz(cart)", 1, "unknown function siz()", "did you mean 'size'?"),
        (
            "contains(cart)",
            1,
            "contains() is not called in this way",
            "write value.contains(…)",
        ),
        ("now.timestamp()", 5, "timestamp() is not called in this way", "write timestamp(value)"),
        ("cart.items.al(e, e)", 12, "unknown function al()", "did you mean 'all'?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known(
    text: str, column: int, message: str, hint: str
) -> None:
    fault = _fault(text)
    assert (fault.line, fault.column, fault.message, fault.hint) == (1, column, message, hint)


def test_a_name_like_no_other_is_refused_with_the_list_of_known() -> None:
    assert _fault("zzz").hint == "known here: cart, event, now, session.duration, user"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("1 + 'a'", 3, "no such overload: `+` of int and string"),
        ("'a' < 1", 5, "no such overload: `<` of string and int"),
        ("!5", 1, "no such overload: `!` of int"),
        ("-'a'", 1, "no such overload: `-` of string"),
        ("user.x + null", 8, "no such overload: `+` of dyn and null_type"),
        ("5 % 2.0", 3, "no such overload: `%` of int and double"),
        ("1 in 2", 3, "no such overload: `in` of int and int"),
        ("[1]['a']", 4, "no such overload: `[]` of list and string"),
        ("'a'.b", 5, "a string has no field 'b'"),
        ("has(user)", 5, "has() asks for a field"),
        ("has('a'.b)", 9, "a string has no field 'b'"),
        ("1 ? 2 : 3", 1, "`?` wants a condition before it, found a value of type int"),
        ("size(1)", 6, "no such overload: size() of a value of type int"),
        ("size()", 1, "size() takes 1 arguments, found 0"),
        ("[1].all(e)", 5, "all() takes 2 arguments, found 1"),
        ("[1].map(e, e, e, e)", 5, "map() takes 2 or 3 arguments, found 4"),
        ("[1].all(1, true)", 9, "all() wants a name for each element first"),
        ("'a'.all(e, true)", 1, "all() goes over a list or a map, found a value of type string"),
        ("[1].filter(e, 5)", 15, "filter() wants a condition, found a value of type int"),
        ("{1.5: 2}", 2, "unsupported key type: double"),
        ("user.a.matches('(')", 16, "not a regular expression: expected `)`, found the end at 2"),
        ("duration('soon')", 10, "type conversion error: 'soon' is not a duration"),
        ("user.a && 'x'", 11, "`&&` wants conditions, found a value of type string"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text: str, column: int, message: str) -> None:
    fault = _fault(text)
    assert (fault.column, fault.message) == (column, message)


@pytest.mark.parametrize("text", ["1 + 'a'", "!5", "size()", "1 ? 2 : 3"])
def test_what_cannot_be_is_refused_without_a_scope_too(text: str) -> None:
    _fault(text, None)


def test_without_a_scope_any_name_may_be_bound_and_any_function_fails_when_asked() -> None:
    program = cel.compile("nobody.knows(1) || me")
    assert program.names == {"me"}
    assert program.truth({"me": True}) is True
    assert isinstance(program.truth({"me": False}), cel.CelError)


def test_the_names_are_those_read_outside_of_macros() -> None:
    program = cel.compile("cart.items.exists(e, e.price > user.limit) && type(now) == timestamp")
    assert program.names == {"cart", "user", "now", "timestamp"}
    assert cel.compile("[1].all(e, e > 0) && int == type(1)").names == frozenset()
    assert cel.compile("e && [1].all(e, .e)").names == {"e"}


def test_a_dotted_name_of_the_scope_is_one_variable() -> None:
    program = cel.compile("session.duration > '30m' && user.session.duration == 1", SCOPE)
    assert program.names == {"session.duration", "user"}
    with pytest.raises(cel.CelCheckError, match="unknown name 'session'"):
        cel.compile("session.first", SCOPE)


def test_the_variable_of_a_macro_hides_one_of_the_scope() -> None:
    program = cel.compile("[1, 2].map(user, [3].map(user, user))", SCOPE)
    assert program.evaluate({"user": 9}) == [[3], [3]]
    assert program.names == frozenset()


def test_the_kind_of_a_program_says_whether_it_can_be_a_condition() -> None:
    assert cel.compile("user.x > 1").kind is cel.Kind.BOOL
    assert cel.compile("user.x").kind is cel.Kind.ANY
    assert cel.compile("1 + 1").kind is cel.Kind.INT
    assert cel.compile("true ? 1 : 'a'").kind is cel.Kind.ANY
