from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.state import Enrollment, User, new_user
from engine.runtime import roster as roster_module
from engine.runtime.roster import Roster

if TYPE_CHECKING:
    import pytest


def people(count: int) -> dict[str, User]:
    users = {f"u{number}": new_user(f"u{number}") for number in range(count)}
    for user in users.values():
        user.enrollments = (Enrollment("e", "c", "", 1, 1),)
    return users


def visited(roster: Roster, count: int = 1) -> list[str]:
    return [user.user_id for user in roster.visit(count)]


def test_nobody_is_visited_before_there_is_a_reason() -> None:
    roster = Roster(people(3))
    assert not roster.has_visits
    assert visited(roster, 9) == []


def test_everybody_is_visited_once_a_slice_at_a_time() -> None:
    roster = Roster(people(5))
    roster.begin()
    assert [visited(roster, 2) for _ in range(3)] == [["u0", "u1"], ["u2", "u3"], ["u4"]]
    assert not roster.has_visits


def test_who_comes_while_others_are_visited_is_not() -> None:
    users = people(2)
    roster = Roster(users)
    roster.begin()
    users["new"] = new_user("new")
    roster.welcome(users["new"])
    assert visited(roster, 9) == ["u0", "u1"]
    roster.begin()
    assert visited(roster, 9) == ["u0", "u1", "new"]


def test_a_change_in_the_middle_begins_anew_with_everybody() -> None:
    users = people(4)
    roster = Roster(users)
    roster.begin()
    del users["u0"]
    assert visited(roster, 2) == ["u1"]
    roster.begin()
    assert visited(roster, 9) == ["u1", "u2", "u3"]


def test_who_was_taken_away_is_let_go_of_without_a_change() -> None:
    users = people(4)
    roster = Roster(users)
    del users["u1"], users["u2"]
    assert roster.has_visits
    assert visited(roster, 9) == ["u0", "u3"]
    assert not roster.has_visits
    assert roster.choose_saves() == []


def test_who_was_taken_away_and_came_back_is_visited_once() -> None:
    users = people(2)
    roster = Roster(users)
    users["u0"] = new_user("u0")
    roster.welcome(users["u0"])
    roster.begin()
    assert visited(roster, 9) == ["u1", "u0"]


def test_nobody_is_saved_before_all_were_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "SAVES_A_COMMIT", 2)
    users = people(4)
    users["u1"].enrollments = ()
    roster = Roster(users)
    roster.begin()
    visited(roster, 3)
    assert roster.choose_saves() == []
    visited(roster, 3)
    del users["u2"]
    assert [roster.choose_saves() for _ in range(2)] == [["u0", "u3"], []]
    assert not roster.has_saves
