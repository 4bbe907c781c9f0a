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
        (
            "user.a.starts_with('b')",
            8,
            "unknown function starts_with()",
            "did you mean 'startsWith'?",
        ),
        ("user.a.length() > 1", 8, "unknown function length()", "did you mean 'size'?"),
        ("cart.items.any(e, e.a)", 12, "unknown function any()", "did you mean 'exists'?"),
        ("user.a == None", 11, "unknown name 'None'", "did you mean 'null'?"),
        ("user.a == True", 11, "unknown name 'True'", "did you mean 'true'?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known(
    text: str, column: int, message: str, hint: str
) -> None:
    fault = _fault(text)
    assert (fault.line, fault.column, fault.message, fault.hint) == (1, column, message, hint)


def test_a_name_like_no_other_is_refused_with_the_list_of_known() -> None:
    assert _fault("zzz").hint == "known here: cart, event, now, session.duration, user"
    known = (
        "known here: bool, double, duration, dyn, has, int, matches, size, string, timestamp, type"
    )
    assert _fault("zzz()").hint == known


@pytest.mark.parametrize(
    "text", ["(" * 40 + "1" + ")" * 40, "+".join("1" * 200), "user" + ".a" * 200]
)
def test_too_deep_a_condition_is_told_what_there_is_to_do(text: str) -> None:
    hint = _fault(text).hint
    assert "segment" not in hint
    assert hint.startswith(("write it with fewer brackets", "make it shorter; `&&`, `||`"))


def test_what_the_hint_of_a_deep_condition_says_is_true() -> None:
    assert cel.compile(" && ".join(["user.a"] * 1000), SCOPE)
    assert cel.compile(f"user.a in [{', '.join('1' * 1000)}]", SCOPE)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("'a' > 1", "double(text) makes a number of a text"),
        ("1 + 'a'", "string(5) makes one"),
        ("!5", "`!` wants true or false"),
        ("1 in 2", "`in` wants a list or a map behind it"),
        ("5 % 2.0", "`%` wants two whole numbers"),
        ("[1]['a']", "a list wants a whole number in [ ]"),
    ],
)
def test_operands_that_cannot_fit_are_told_what_would(text: str, hint: str) -> None:
    assert hint in _fault(text).hint


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("1 + 'a'", 3, "`+` does not take a whole number and a text"),
        ("'a' < 1", 5, "`<` does not take a text and a whole number"),
        ("!5", 1, "`!` does not take a whole number"),
        ("-'a'", 1, "`-` does not take a text"),
        ("user.x + null", 8, "`+` does not take a value and null"),
        ("5 % 2.0", 3, "`%` does not take a whole number and a fraction"),
        ("1 in 2", 3, "`in` does not take a whole number and a whole number"),
        ("[1]['a']", 4, "`[]` does not take a list and a text"),
        ("'a'.b", 5, "a text has no field 'b'"),
        ("has(user)", 5, "has() asks for a field"),
        ("has('a'.b)", 9, "a text has no field 'b'"),
        ("1 ? 2 : 3", 1, "`?` wants a condition before it, found a whole number"),
        ("size(1)", 6, "size() wants a list or a map or a text, found a whole number"),
        ("size()", 1, "size() takes 1 argument, found 0"),
        ("[1].all(e)", 5, "all() takes 2 arguments, found 1"),
        ("[1].map(e, e, e, e)", 5, "map() takes 2 or 3 arguments, found 4"),
        ("[1].all(1, true)", 9, "all() wants a name for each element first"),
        ("'a'.all(e, true)", 1, "all() goes over a list or a map, found a text"),
        ("[1].filter(e, 5)", 15, "filter() wants a condition, found a whole number"),
        ("{1.5: 2}", 2, "a fraction is no key of a map"),
        ("user.a.matches('(')", 16, "not a regular expression: expected `)`, found the end at 2"),
        ("duration('soon')", 10, "type conversion error: 'soon' is not a duration"),
        ("user.a && 'x'", 11, "`&&` wants conditions, found a text"),
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
