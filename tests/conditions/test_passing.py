"""Entries, exits and waits by conditions, each with records that were worked out by hand.

They are told as the instant since `START`, the kind, and the reason or branch.
"""

from __future__ import annotations

from typing import Any

from tests.conditions.functions import Idle, InSegment
from tests.conditions.scripts import HOUR, agreed, campaign, case_of, count, did, happening, told_of
from tests.conditions.trees import Both, Compared, Literal, No, Read
from tests.core.world import START

GO = {"event": ["Go"]}


def told(*campaigns: Any, script: tuple[Any, ...], **more: Any) -> list[str]:
    return agreed(case_of(list(campaigns), script, **more))


def until(condition: Any, at_most: int = 20) -> dict[str, Any]:
    then, otherwise = [{"exit": "came"}], [{"exit": "not"}]
    return {"wait": {"when": condition, "at_most": at_most, "then": then, "else": otherwise}}


# Waiting


def test_a_wait_is_over_at_the_instant_at_which_its_condition_becomes_true() -> None:
    script = (happening(0, "A"), happening(3, "Go"), happening(5, "A"))
    assert told(campaign(GO, until(No(did("A", 10)))), script=script) == [
        "3 entered", "15 exited came",
    ]  # fmt: skip


def test_a_wait_whose_condition_holds_already_is_over_at_once() -> None:
    script = (happening(0, "A"), happening(3, "Go"))
    assert told(campaign(GO, until(did("A"))), script=script) == [
        "3 entered", "3 exited came",
    ]  # fmt: skip


def test_an_event_at_the_end_of_a_wait_comes_too_late() -> None:
    script = (happening(3, "Go"), happening(23, "A"))
    assert told(campaign(GO, until(did("A"))), script=script) == [
        "3 entered", "23 exited not",
    ]  # fmt: skip


def test_a_condition_that_time_makes_true_at_the_end_of_a_wait_is_in_time() -> None:
    assert told(campaign(GO, until(Idle(20))), script=(happening(3, "Go"),)) == [
        "3 entered", "23 exited came",
    ]  # fmt: skip


def test_a_trait_ends_a_wait() -> None:
    vip = Compared(Read("user", "n"), "==", Literal(1))
    script = (happening(3, "Go"), told_of(4, n=2), told_of(9, n=1))
    assert told(campaign(GO, until(vip)), script=script) == [
        "3 entered", "9 exited came",
    ]  # fmt: skip


def test_waits_follow_each_other_within_one_instant() -> None:
    steps = [until(did("A")) for _ in range(2)]
    steps[0]["wait"]["then"] = [{"wait": 0}, steps[1]]
    script = (happening(3, "Go"), happening(4, "A"))
    assert told(campaign(GO, steps[0]), script=script) == [
        "3 entered", "4 exited came",
    ]  # fmt: skip


# Leaving


def test_an_exit_that_holds_already_at_entry_is_taken_at_once() -> None:
    script = (happening(0, "A"), happening(3, "Go"))
    leave = {"exit": {"when": did("A")}}
    assert told(campaign(GO, until(did("A")), **leave), script=script) == [
        "3 entered", "3 exited when",
    ]  # fmt: skip


def test_an_exit_is_taken_at_the_instant_at_which_it_becomes_true() -> None:
    script = (happening(3, "Go"), happening(5, "other"))
    assert told(campaign(GO, {"wait": 20}, exit={"when": Idle(7)}), script=script) == [
        "3 entered", "12 exited when",
    ]  # fmt: skip


def test_where_one_event_would_exit_and_go_on_exit_wins() -> None:
    script = (happening(3, "Go"), happening(5, "A"))
    leaving = campaign(GO, until(did("A")), exit={"when": count("A", ">=", 1)})
    assert told(leaving, script=script) == ["3 entered", "5 exited when"]
    leaving = campaign(GO, until(did("A")), exit={"event": ["A"]})
    assert told(leaving, script=script) == ["3 entered", "5 exited event"]


def test_where_one_instant_would_exit_and_go_on_exit_wins() -> None:
    leaving = campaign(GO, {"wait": 7}, {"exit": "done"}, exit={"when": Idle(7)})
    assert told(leaving, script=(happening(3, "Go"),)) == ["3 entered", "10 exited when"]


def test_who_left_by_an_event_can_come_in_again_by_it() -> None:
    script = (happening(0, "Go"), happening(3, "A"))
    again = campaign({"when": count("A", ">=", 1)}, {"wait": 5}, exit={"event": ["A"]})
    assert told(again, script=(*script, happening(20, "A"))) == [
        "3 entered", "8 finished", "20 entered", "25 finished",
    ]  # fmt: skip


# Coming in


def test_each_rise_asks_for_entry() -> None:
    script = tuple(happening(at, "A") for at in (0, 15, 30))
    waiting = campaign({"when": did("A", 10)}, {"wait": 20})
    assert told(waiting, script=script) == [
        "0 entered", "15 refused active", "20 finished", "30 entered", "50 finished",
    ]  # fmt: skip
    waiting["enter"]["restart"] = True
    assert told(waiting, script=script) == [
        "0 entered", "15 exited restarted", "15 entered", "30 exited restarted", "30 entered",
        "50 finished",
    ]  # fmt: skip
    once = campaign({"when": did("A", 10), "reentry": None})
    assert told(once, script=script) == [
        "0 entered", "0 exited done", "15 refused reentry", "30 refused reentry",
    ]  # fmt: skip
    pausing = campaign({"when": did("A", 10), "reentry": 30})
    assert told(pausing, script=script) == [
        "0 entered", "0 exited done", "15 refused reentry", "30 entered", "30 exited done",
    ]  # fmt: skip


def test_a_rise_for_which_entry_is_refused_is_no_later_entry() -> None:
    audience = Compared(Read("user", "n"), "==", Literal(1))
    script = (happening(0, "A"), told_of(3, n=1), happening(20, "A"))
    refused = campaign({"when": did("A", 10)}, audience=audience)
    assert told(refused, script=script) == ["0 refused audience", "20 entered", "20 exited done"]


def test_deadlines_of_one_instant_go_by_priority() -> None:
    first = campaign({"when": Idle(7)}, id="b", priority=60)
    second = campaign(GO, {"wait": 7}, id="a")
    assert told(first, second, script=(happening(0, "Go"),)) == [
        "0 entered", "7 entered", "7 exited done", "7 finished",
    ]  # fmt: skip


def test_what_waits_goes_before_who_comes_in() -> None:
    waiting = campaign({"when": did("A", 10)}, {"wait": 15})
    script = (happening(0, "A"), happening(15, "A"))
    assert told(waiting, script=script) == [
        "0 entered", "15 finished", "15 entered", "30 finished",
    ]  # fmt: skip


# Late events

DAY = 24 * HOUR


def test_a_rise_by_a_late_event_starts_when_it_is_known() -> None:
    script = (happening(0, "A"), happening(9, "A", t=2))
    twice = campaign({"when": count("A", ">=", 2)}, {"wait": 5})
    assert told(twice, script=script) == ["9 entered", "14 finished"]


def test_a_late_event_that_an_exit_has_overtaken_starts_nothing() -> None:
    script = (happening(0, "A"), happening(5, "X"), happening(9, "A", t=2))
    twice = campaign({"when": count("A", ">=", 2)}, exit={"event": ["X"]})
    assert told(twice, script=script) == ["9 refused late"]


def test_an_event_that_is_too_late_starts_nothing_and_the_first_one_is_never_late() -> None:
    once = campaign({"when": did("A")})
    more: Any = {"instants": [START, START + 5 * DAY, START + 6 * DAY]}
    script = (happening(5 * DAY, "A", t=3 * DAY),)
    assert told(once, script=script, **more) == [f"{5 * DAY} entered", f"{5 * DAY} exited done"]
    script = (happening(4 * DAY, "B"), happening(5 * DAY, "A", t=3 * DAY))
    assert told(once, script=script, **more) == [f"{5 * DAY} refused late"]


def test_that_a_condition_was_asked_makes_nothing_late() -> None:
    """It is asked whether he leaves after three days, and nobody must see that it was."""
    leaving = Both((Idle(3 * DAY), Compared(Read("user", "n"), "==", Literal(1))))
    staying = campaign(GO, {"wait": 30 * DAY}, exit={"when": leaving}, id="a")
    other = campaign({"event": ["A"]}, id="b")
    script = (happening(0, "Go"), happening(5 * DAY, "A", t=2 * DAY))
    more: Any = {"instants": [START + day * DAY for day in range(9)]}
    assert told(staying, other, script=script, **more) == [
        "0 entered", f"{5 * DAY} entered", f"{5 * DAY} exited done",
    ]  # fmt: skip


# Segments


def test_who_comes_into_a_segment_enters_once_for_each_time() -> None:
    segments = {"active": count("A", ">=", 2), "lively": Both((InSegment("active"), did("B")))}
    script = (*(happening(at, "A") for at in (0, 4, 20, 21)), happening(22, "B"))
    entering = campaign({"segment": "active"})
    assert told(entering, script=script, segments=segments) == [
        "4 entered", "4 exited done", "21 entered", "21 exited done",
    ]  # fmt: skip
    entering = campaign({"segment": "lively"})
    assert told(entering, script=script, segments=segments) == ["22 entered", "22 exited done"]
    outside = campaign({"when": No(InSegment("active"))})
    assert told(outside, script=script, segments=segments) == [
        "0 entered", "0 exited done", "10 entered", "10 exited done", "30 entered",
        "30 exited done",
    ]  # fmt: skip
