from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from config import load_shop
from engine.core.inputs import EventImported, UserScored
from engine.core.policy import Policy
from engine.core.state import decode_user, encode_user
from engine.runtime.admin.dossier import told_state
from tests.core.world import HOUR, MINUTE, START, S, World
from tests.core.written import CAME, campaigns

GAP = 30 * MINUTE
STARTS = "event: Session Started"
LEFT = """
campaign: left
enter: {event: Session Ended}
steps: [{exit: x, id: x}]
"""
WAITS = """
campaign: waits
enter: {event: Go}
steps: [{wait: 10m, id: w}, {send: push, template: t, id: s}]
"""


def asks(name: str, when: str) -> str:
    return f"campaign: {name}\nenter: {{when: '{when}'}}\nsteps: [{{exit: x, id: x}}]\n"


def entered(told: list[str]) -> list[str]:
    return [one.removesuffix(" entered") for one in told if one.endswith(" entered")]


def test_a_session_starts_with_an_activity_and_ends_the_gap_after_the_last() -> None:
    world = World(*campaigns(CAME, LEFT))
    assert entered(world.event("Page Viewed", 0)) == ["0 came"]
    assert world.event("Anything", 10 * MINUTE) == []
    assert world.advance(10 * MINUTE + GAP - 1) == []
    assert entered(world.advance(10 * MINUTE + GAP)) == [f"{10 * MINUTE + GAP} left"]
    assert world.advance(10 * HOUR) == []
    assert entered(world.event("Page Viewed", 10 * HOUR)) == [f"{10 * HOUR} came"]


def test_a_session_starts_behind_all_that_its_first_event_did() -> None:
    world = World(*campaigns(CAME, WAITS))
    assert entered(world.event("Go", 0)) == ["0 waits", "0 came"]


def test_an_event_that_begins_a_session_is_asked_of_the_ones_before() -> None:
    at_event = "campaign: a\nenter: {event: A, when: 'COND'}\nsteps: [{exit: x, id: x}]\n"
    at_start = at_event.replace("campaign: a", "campaign: b").replace("event: A", STARTS)
    for asked in ("session.first", 'visits("7d") >= 1 && session.duration < "1m"'):
        texts = [one.replace("COND", asked) for one in (at_event, at_start)]
        world = World(*campaigns(*texts))
        assert entered(world.event("A", 0)) == ["0 b"]
        assert entered(world.event("A", 1)) == ["1 a"]


def test_what_is_due_as_a_session_ends_comes_before_that() -> None:
    waiting = """
campaign: waiting
enter: {event: A}
exit: {event: Session Ended}
steps: [{wait: 30m, id: w}, {exit: waited, id: x}]
"""
    world = World(*campaigns(LEFT, waiting))
    world.event("A", 0)
    assert world.advance(GAP) == [
        f"{GAP} waiting exited x waited", f"{GAP} left entered", f"{GAP} left exited x x",
    ]  # fmt: skip


def test_at_the_instant_of_its_end_a_session_ends_before_the_event_that_begins_the_next() -> None:
    world = World(*campaigns(CAME, LEFT))
    world.event("A", 0)
    assert entered(world.event("A", GAP)) == [f"{GAP} left", f"{GAP} came"]


def test_identify_calls_and_scores_are_no_activity() -> None:
    world = World(*campaigns(CAME, LEFT))
    assert world.identify(0, plan="pro") == []
    world.processor.take(UserScored("u", "m", 0.5, START, START), START)
    assert world.commit() == []
    assert world.user().session is None


def test_what_the_engine_makes_is_no_activity() -> None:
    world = World(*campaigns(CAME, LEFT))
    world.event("A", 0)
    world.advance(GAP)
    assert world.user().last_seen_at_ms == START


def test_visits_counts_sessions_in_a_window() -> None:
    world = World(*campaigns(asks("often", 'visits("7d") >= 3')))
    assert entered(world.event("A", 0)) == []
    world.event("A", 1)
    assert entered(world.event("A", HOUR)) == []
    assert entered(world.event("A", 2 * HOUR)) == [f"{2 * HOUR} often"]


def test_a_condition_becomes_true_as_a_visit_leaves_its_window() -> None:
    world = World(*campaigns(asks("gone", 'visits("1d") == 0')))
    world.event("A", 0)
    assert entered(world.advance(24 * HOUR)) == [f"{24 * HOUR} gone"]


def test_the_duration_of_a_session_is_from_its_first_to_its_latest_activity() -> None:
    world = World(*campaigns(asks("long", 'session.duration >= "20m"')))
    world.event("A", 0)
    assert entered(world.event("A", 20 * MINUTE - 1)) == []
    assert entered(world.event("A", 20 * MINUTE)) == [f"{20 * MINUTE} long"]
    assert world.event("A", 3 * HOUR) == []
    assert entered(world.event("A", 3 * HOUR + 25 * MINUTE)) == [f"{3 * HOUR + 25 * MINUTE} long"]


def test_the_session_that_has_ended_can_be_asked_for_as_it_ends() -> None:
    short = LEFT.replace("event: Session Ended", "event: Session Ended, when: !!W")
    short = short.replace("!!W", "'session.duration < \"1m\" && session.first'")
    world = World(*campaigns(short))
    world.event("A", 0)
    world.event("A", 30 * S)
    assert entered(world.advance(HOUR)) == [f"{30 * S + GAP} left"]
    world.event("A", 2 * HOUR)
    assert world.advance(4 * HOUR) == []


def test_without_a_session_to_ask_for_there_is_none_of_its_events() -> None:
    world = World(*campaigns(WAITS))
    world.event("A", 0)
    assert world.user().session is None
    assert world.user().due_at_ms > START + 10 * GAP


def test_what_comes_late_extends_a_session_under_way_and_opens_none_that_has_ended() -> None:
    world = World(*campaigns(CAME, LEFT, WAITS))
    world.event("Go", 0)
    world.advance(10 * MINUTE)
    assert world.event("A", 12 * MINUTE, t=5 * MINUTE) == []
    assert entered(world.advance(35 * MINUTE)) == [f"{35 * MINUTE} left"]
    assert world.event("A", 50 * MINUTE, t=34 * MINUTE) == []
    assert world.advance(3 * HOUR) == []


def test_a_session_of_which_one_hears_when_it_is_over_starts_and_ends_at_once() -> None:
    world = World(*campaigns(CAME, LEFT))
    world.processor.advance(START + 5 * HOUR)
    assert entered(world.event("A", 5 * HOUR, t=HOUR)) == [f"{5 * HOUR} came"]
    assert entered(world.advance(5 * HOUR)) == [f"{5 * HOUR} left"]


def test_after_a_downtime_a_session_waits_for_the_grace_and_may_go_on_in_it() -> None:
    world = World(*campaigns(CAME, LEFT))
    world.event("A", 0)
    world.event("A", 0, user="v")
    world.resume(stopped=10 * MINUTE, at=2 * HOUR)
    assert world.event("A", 2 * HOUR + 1, t=20 * MINUTE) == []
    assert entered(world.event("A", 2 * HOUR + 2, user="v")) == [
        f"{2 * HOUR + 2} left",
        f"{2 * HOUR + 2} came",
    ]
    judged = f"judged {2 * HOUR + 30 * S}"
    assert world.advance(2 * HOUR + 30 * S) == [
        f"{50 * MINUTE} left entered {judged}", f"{50 * MINUTE} left exited x x {judged}",
    ]  # fmt: skip


def test_history_that_is_brought_in_makes_no_session() -> None:
    world = World(*campaigns(CAME, LEFT))
    world.processor.take(EventImported("u", "A", START - HOUR, START), START)
    assert world.commit() == []
    assert world.advance(9 * HOUR) == []


def test_another_plan_takes_sessions_on_with_its_own_gap_or_lets_go_of_them() -> None:
    world = World(*campaigns(CAME, LEFT))
    world.event("A", 0)
    world.policy = Policy(session_gap_ms=HOUR)
    world.adopt(*campaigns(CAME, LEFT), at=1)
    assert world.advance(HOUR - 1) == []
    assert entered(world.advance(HOUR)) == [f"{HOUR} left"]
    world.adopt(*campaigns(WAITS), at=HOUR + 1, plan_id="p3")
    assert world.user().session is None


def test_a_session_is_saved_and_told() -> None:
    world = World(*campaigns(CAME))
    world.event("A", 0)
    world.event("A", MINUTE)
    assert decode_user(encode_user(world.user())).session == world.user().session
    assert told_state(world.user())["session"] == {
        "started_at": "2026-01-01T00:00:00.000Z",
        "active_at": "2026-01-01T00:01:00.000Z",
        "ends_at": "2026-01-01T00:31:00.000Z",
        "first": True,
    }


def test_the_gap_is_the_shops() -> None:
    files = {"hairspring.toml": '[events]\nsession_gap = "1h"\n', "campaigns/c.yaml": CAME}
    plan = load_shop(files).plan
    assert plan.policy.session_gap_ms == HOUR
    assert plan.keeps_sessions


def naive(instants: list[int], gap: int) -> list[tuple[str, int]]:
    """Starts and ends, of activities in order."""
    made: list[tuple[str, int]] = []
    for place, at in enumerate(instants):
        if not place or at - instants[place - 1] >= gap:
            if place:
                made.append(("left", instants[place - 1] + gap))
            made.append(("came", at))
    return made


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 8))
def test_sessions_are_what_pauses_make_of_all_activities(instants: list[int], gap: int) -> None:
    instants = sorted(instants)
    world = World(*CAME_AND_LEFT, policy=Policy(session_gap_ms=gap))
    told = [one for at in instants for one in entered(world.event("A", at))]
    expected = [f"{at} {what}" for what, at in naive(instants, gap)]
    assert told == expected
    user = world.user() if instants else None
    if user is not None:
        saved = msgspec.structs.asdict(decode_user(encode_user(user)))
        assert saved["session"] == user.session
        assert entered(world.advance(100)) == [f"{instants[-1] + gap} left"]


CAME_AND_LEFT = campaigns(CAME, LEFT)
