from __future__ import annotations

from random import Random  # noqa: TID251 - seeded
from typing import TYPE_CHECKING

from engine.core.state import Enrollment, new_user
from engine.runtime import roster as roster_module
from engine.runtime.roster import Roster

if TYPE_CHECKING:
    import pytest


def people(count: int) -> Roster:
    users = [new_user(f"u{number}") for number in range(count)]
    for user in users:
        user.enrollments = (Enrollment("e", "c", "", 1, 1),)
    return Roster(users)


def visited(roster: Roster, count: int = 1) -> list[str]:
    return [user.user_id for user in roster.visit(count)]


def test_nobody_is_visited_before_there_is_a_reason() -> None:
    roster = people(3)
    assert not roster.has_visits
    assert visited(roster, 9) == []


def test_everybody_is_visited_once_a_slice_at_a_time() -> None:
    roster = people(5)
    roster.begin()
    assert [visited(roster, 2) for _ in range(3)] == [["u0", "u1"], ["u2", "u3"], ["u4"]]
    assert not roster.has_visits


def test_who_comes_while_others_are_visited_is_not() -> None:
    roster = people(2)
    roster.begin()
    roster.welcome(new_user("new"))
    assert visited(roster, 9) == ["u0", "u1"]
    roster.begin()
    assert visited(roster, 9) == ["u0", "u1", "new"]


def test_a_change_in_the_middle_begins_anew_with_everybody() -> None:
    roster = people(4)
    roster.begin()
    roster.dismiss(roster["u0"])
    assert visited(roster, 2) == ["u1"]
    roster.begin()
    assert visited(roster, 9) == ["u1", "u2", "u3"]


def test_who_was_taken_away_is_let_go_of_without_a_change() -> None:
    roster = people(4)
    for gone in ("u1", "u2"):
        roster.dismiss(roster[gone])
    assert roster.has_visits
    assert visited(roster, 9) == ["u0", "u3"]
    assert not roster.has_visits
    assert roster.choose_saves() == []


def test_only_a_change_has_to_be_taken_on() -> None:
    roster = people(4)
    roster.dismiss(roster["u1"])
    assert not roster.has_changes
    assert visited(roster) == ["u0"]
    assert roster.has_visits  # to let go of who went
    assert not roster.has_changes
    roster.begin()
    assert visited(roster) == ["u0"]
    assert roster.has_changes
    assert visited(roster, 9) == ["u2", "u3"]
    assert not roster.has_changes
    assert roster.has_saves


def test_who_was_taken_away_and_came_back_is_visited_once() -> None:
    roster = people(2)
    roster.dismiss(roster["u0"])
    roster.welcome(new_user("u0"))
    roster.begin()
    assert visited(roster, 9) == ["u1", "u0"]


def test_nobody_is_saved_before_all_were_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "SAVES_A_COMMIT", 2)
    roster = people(4)
    roster["u1"].enrollments = ()
    roster.begin()
    visited(roster, 3)
    assert roster.choose_saves() == []
    visited(roster, 3)
    roster.dismiss(roster["u2"])
    assert [roster.choose_saves() for _ in range(2)] == [["u0", "u3"], []]
    assert not roster.has_saves


def test_it_is_a_mapping_in_order_of_arrival_be_it_amid_a_visit_or_not() -> None:
    roster = people(5)
    for gone in ("u0", "u2"):
        roster.dismiss(roster[gone])
    roster.welcome(new_user("u0"))
    expected = ["u1", "u3", "u4", "u0"]
    for _ in range(7):
        assert list(roster) == [user.user_id for user in roster.values()] == expected
        assert len(roster) == len(expected)
        assert [roster.get(f"u{one}") is not None for one in range(4)] == [True, True, False, True]
        assert "u2" not in roster
        visited(roster)


def test_slices_go_back_from_who_came_last() -> None:
    assert [[one.user_id for one in some] for some in people(5).slices(2)] == [
        ["u4", "u3"],
        ["u2", "u1"],
        ["u0"],
    ]


def test_slices_have_everybody_who_stays_whatever_the_row_does_meanwhile() -> None:
    chance = Random(7)
    for _ in range(300):
        roster = people(chance.randint(0, 12))
        stay = set(roster)
        seen: set[str] = set()
        for some in roster.slices(chance.randint(1, 4)):
            seen.update(user.user_id for user in some)
            for _ in range(chance.randint(0, 3)):
                deed = chance.randrange(4)
                if deed == 0 and roster:
                    gone = chance.choice(list(roster))
                    roster.dismiss(roster[gone])
                    stay.discard(gone)
                elif deed == 1:
                    roster.welcome(new_user(f"new{chance.random()}"))
                elif deed == 2:
                    roster.begin()
                else:
                    visited(roster, chance.randint(1, 5))
        assert stay <= seen
