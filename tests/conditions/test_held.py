"""What fell due while nobody served, worked out by hand: it waits, and inputs come meanwhile."""

from __future__ import annotations

from tests.conditions.functions import Idle, Received, Since
from tests.conditions.scripts import (
    agreed,
    away,
    campaign,
    case_of,
    count,
    did,
    happening,
    rises,
    told_of,
)
from tests.conditions.trees import Both, Compared, Either, Literal, No, Read

GO = {"event": ["Go"]}
VIP = Compared(Read("user", "n"), "==", Literal(1))


def test_what_has_risen_is_not_hurried_and_not_dropped_by_what_comes_meanwhile() -> None:
    script = (happening(0, "A"), *away(3, 20, 30), happening(25, "A"))
    assert rises(Since("A", ">=", 5), *script) == [5, 30]
    script = (happening(0, "A"), *away(3, 20, 30), happening(25, "B"))
    assert rises(Since("A", ">=", 5), *script) == [5]


def test_the_newest_that_is_asked_for_does_not_take_the_place_of_what_was_newest_then() -> None:
    """Of `A` one is kept; a second one comes before the first was asked for."""
    quiet = Both((did("A", 10), No(did("B", 5))))
    script = (happening(0, "A"), happening(1, "B"), *away(3, 20, 30), happening(25, "A"))
    assert rises(quiet, *script) == [0, 6, 25]
    thrice = Both((count("A", ">=", 3), No(did("B", 5))))
    script = (*(happening(at, "A") for at in (0, 1, 2)), happening(2, "B"), *away(3, 20, 30))
    assert rises(thrice, *script, *(happening(at, "A") for at in (25, 26))) == [2, 7]


def test_what_was_sent_again_in_the_grace_is_known_by_its_end() -> None:
    script = (happening(0, "A"), *away(3, 20, 30), happening(25, "B", t=4))
    assert rises(Both((did("A"), No(did("B")), Idle(5))), *script) == []


def test_what_rises_in_the_grace_and_was_not_due_before_does_at_once() -> None:
    script = (happening(0, "A"), *away(3, 20, 30), told_of(25, n=1), told_of(30, n=2))
    assert rises(Both((VIP, did("A"))), *script) == [25]


def test_an_alarm_of_which_nothing_comes_holds_nobody_back() -> None:
    """Asked at 5, while a trait that is missing decides; what is due at 23 is not late for it."""
    waiting = campaign(GO, {"wait": 23}, id="a")
    asked = campaign({"when": Either((Both((Idle(5), VIP)), count("C", ">=", 9)))}, id="b")
    leaving = campaign(GO, {"wait": 30}, id="c", exit={"when": did("D")})
    script = (happening(0, "Go"), *away(3, 20, 30), happening(25, "D"))
    assert agreed(case_of([waiting, asked, leaving], script)) == [
        "0 entered", "0 entered", "23 finished", "25 exited when",
    ]  # fmt: skip


def test_who_waits_goes_on_at_once_by_what_comes_in_the_grace() -> None:
    ways = {"then": [{"exit": "came"}], "else": [{"exit": "not"}]}
    waiting = campaign(GO, {"wait": {"when": did("B"), "at_most": 8, **ways}})
    script = (happening(0, "Go"), *away(3, 20, 30))
    assert agreed(case_of([waiting], (*script, happening(25, "B")))) == [
        "0 entered", "25 exited came",
    ]  # fmt: skip
    assert agreed(case_of([waiting], script)) == ["0 entered", "8 exited not"]


def test_who_leaves_by_what_comes_in_the_grace_is_not_sent_what_was_held_back() -> None:
    leaving = campaign(GO, {"wait": 8}, {"exit": "late"}, exit={"when": did("B")})
    script = (happening(0, "Go"), *away(3, 20, 30), happening(25, "B"))
    assert agreed(case_of([leaving], script)) == ["0 entered", "25 exited when"]


def test_a_message_of_after_the_grace_hides_none_that_what_is_held_back_is_asked_about() -> None:
    """Fewer than two: two are kept, and the one that was due at 10 went at 24."""
    few = Compared(Received("in_app", 13), "<", Literal(2))
    send = {"send": "in_app"}
    sending = campaign(GO, {"wait": 2}, send, {"wait": 8}, send, id="a")
    asking = campaign({"when": few, "reentry": None}, send, id="b")
    told = agreed(case_of([sending, asking], (happening(0, "Go"), *away(3, 11, 24))))
    assert told == [
        "0 entered", "0 entered", "0 sent", "0 finished", "2 sent", "10 sent", "10 finished",
        "13 refused reentry",
    ]  # fmt: skip


def test_waits_that_begin_in_a_downtime_end_in_it_each_at_its_instant() -> None:
    again = campaign({"when": Idle(5)}, {"wait": 5}, {"exit": "done"})
    assert agreed(case_of([again], (happening(0, "A"), *away(3, 20, 30)))) == [
        "5 entered", "10 exited done",
    ]  # fmt: skip


def test_what_a_session_that_ended_in_a_downtime_makes_true_is_so_as_of_its_end() -> None:
    script = (happening(0, "A"), *away(3, 20, 30))
    assert rises(did("Session Ended", 2), *script, session_gap=5) == [5]


def test_what_was_true_before_a_held_back_end_does_not_rise_by_it() -> None:
    """It has ceased to be true since, up to where it was followed as the downtime began."""
    still = Either((did("A", 8), No(did("A"))))
    either = Either((still, Both((still, did("Session Ended", 1)))))
    assert rises(either, happening(0, "A"), *away(3, 20, 30), session_gap=5) == [0]


def test_who_came_to_a_wait_in_the_grace_is_not_asked_of_before() -> None:
    now_or_never = Both((No(did("B")), No(did("C", 3))))
    waits = {"wait": {"when": now_or_never, "at_most": 9, "then": [], "else": []}}
    first = {"wait": {"when": did("B"), "at_most": 2, "then": [waits], "else": []}}
    leaving = campaign(GO, first, exit={"when": did("D")})
    script = (happening(0, "Go"), *away(1, 20, 30), happening(24, "B"), happening(25, "C"))
    assert agreed(case_of([leaving], script)) == ["0 entered", "33 finished"]
