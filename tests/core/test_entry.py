from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.core.entry import (
    ENTRIES_MAX,
    EVENTS_BYTES_MAX,
    PER_LENGTH_MAX,
    SMALL_EVENT_BYTES,
)
from engine.core.inputs import EventReceived
from engine.core.past.entered import count_entries, each_entry
from engine.core.people.refusals import REFUSALS_MAX
from engine.core.policy import Policy
from engine.core.state import encode_user
from tests.core.world import DAY, HOUR, MINUTE, START, World, campaign, leave, send, wait


def test_an_event_that_no_campaign_names_leaves_only_that_it_was_seen() -> None:
    world = World(campaign("c"))
    assert world.event("Other", 10, t=7) == []
    assert world.user().last_seen_at_ms == START + 7
    assert world.user().enrollments in ((), [])


def test_each_of_several_event_names_enters() -> None:
    world = World(campaign("c", on=("A", "B")))
    assert world.event("A", 1) == ["1 c entered", "1 c finished"]
    assert world.event("B", 2) == ["2 c entered", "2 c finished"]


def test_a_condition_that_does_not_hold_is_no_refusal() -> None:
    world = World(campaign("c", when="event.price > 20.0"))
    assert world.event("Go", 1, price=20) == []
    assert world.event("Go", 2, price=20.5) == ["2 c entered", "2 c finished"]


def test_a_condition_that_ends_in_an_error_is_not_true_and_is_counted() -> None:
    world = World(campaign("c", when="event.price > 20.0"))
    assert world.event("Go", 1) == []
    assert world.processor.errors == {"c": 1}


@pytest.mark.parametrize("status", ["draft", "paused", "archived", "test"])
def test_only_a_live_campaign_takes_everybody(status: Any) -> None:
    world = World(campaign("c", status=status))
    assert world.event("Go", 1) == ["1 c refused status"]


def test_a_campaign_under_test_takes_testers_alone() -> None:
    world = World(campaign("c", status="test"), policy=Policy(testers=frozenset({"t"})))
    assert world.event("Go", 1, user="t") == ["1 c entered", "1 c finished"]
    assert world.event("Go", 2, user="u") == ["2 c refused status"]


@pytest.mark.parametrize("status", ["draft", "paused", "archived"])
def test_a_tester_does_not_come_into_what_is_not_even_under_test(status: Any) -> None:
    world = World(campaign("c", status=status), policy=Policy(testers=frozenset({"u"})))
    assert world.event("Go", 1) == ["1 c refused status"]


def test_status_is_asked_before_the_audience_and_the_audience_before_lateness() -> None:
    audience = "user.vip == true"
    world = World(
        campaign("a", status="paused", audience=audience),
        campaign("b", audience=audience, per="event.k"),
    )
    world.event("Other", 2 * DAY)
    assert world.event("Go", 2 * DAY, t=0) == [
        f"{2 * DAY} a refused status",
        f"{2 * DAY} b refused audience",
    ]


def test_lateness_is_asked_before_per_and_per_before_whether_one_is_active() -> None:
    world = World(campaign("c", wait(DAY), per="event.k", reentry=None))
    world.event("Go", 0, k=1)
    world.event("Other", 2 * DAY)
    assert world.event("Go", 2 * DAY, t=0) == [f"{2 * DAY} c refused late"]
    assert world.event("Go", 2 * DAY) == [f"{2 * DAY} c refused per"]


def test_an_active_enrollment_is_named_before_its_reentry() -> None:
    world = World(campaign("c", wait(10), reentry=None))
    world.event("Go", 0)
    assert world.event("Go", 1) == ["1 c refused active"]
    world.advance(10)
    assert world.event("Go", 11) == ["11 c refused reentry"]


def test_reentry_is_named_before_the_limit() -> None:
    world = World(
        campaign("a", reentry=None), campaign("b", wait(9)), policy=Policy(enrollments_max=1)
    )
    assert world.event("Go", 0)[0] == "0 a entered"
    assert world.event("Go", 1) == ["1 a refused reentry", "1 b refused active"]


def test_the_audience_is_not_asked_of_the_same_event_before_its_condition() -> None:
    world = World(campaign("c", when="event.n == 1", audience="user.vip == true"))
    assert world.event("Go", 1, n=2) == []
    assert world.event("Go", 2, n=1) == ["2 c refused audience"]
    world.identify(3, vip=True)
    assert world.event("Go", 4, n=1) == ["4 c entered", "4 c finished"]


@pytest.mark.parametrize(("after", "admitted"), [(-1, False), (0, True), (1, True)])
def test_reentry_of_48_hours_admits_again_from_exactly_48_hours(
    after: int, *, admitted: bool
) -> None:
    world = World(campaign("c", reentry=48 * HOUR))
    world.event("Go", 5)
    at = 5 + 48 * HOUR + after
    expected = [f"{at} c entered", f"{at} c finished"] if admitted else [f"{at} c refused reentry"]
    assert world.event("Go", at) == expected


def test_reentry_counts_from_the_event_times_of_both_entries() -> None:
    world = World(campaign("c", reentry=48 * HOUR))
    world.event("Go", 10, t=5)
    at = 5 + 48 * HOUR + 3
    assert world.event("Go", at, t=at - 4) == [f"{at} c refused reentry"]
    assert world.event("Go", at, t=at - 3)[0] == f"{at} c entered"


def test_reentry_waits_for_the_earlier_enrollment_to_end_however_long_ago_it_began() -> None:
    world = World(campaign("c", wait(3 * DAY), reentry=48 * HOUR))
    world.event("Go", 0)
    assert world.event("Go", 48 * HOUR) == [f"{48 * HOUR} c refused active"]
    world.advance(3 * DAY)
    assert world.event("Go", 3 * DAY) == [f"{3 * DAY} c entered"]


def test_never_is_never_also_after_years() -> None:
    world = World(campaign("c", reentry=None))
    world.event("Go", 0)
    for at in (1, DAY, 5_000 * DAY):
        assert world.event("Go", at) == [f"{at} c refused reentry"]


def test_restart_exits_the_active_one_and_enters_without_asking_reentry() -> None:
    world = World(campaign("c", wait(10), send("email"), reentry=None, restart=True))
    world.reachable()
    world.event("Go", 0)
    assert world.event("Go", 4) == ["4 c exited restarted", "4 c entered"]
    assert world.advance(13) == []
    assert world.advance(14) == ["14 c sent steps.1 email", "14 c finished"]
    assert world.event("Go", 15) == ["15 c refused reentry"]


def test_restart_is_no_further_enrollment_where_the_limit_is_reached() -> None:
    world = World(campaign("c", wait(10), restart=True), policy=Policy(enrollments_max=1))
    world.event("Go", 0)
    assert world.event("Go", 1) == ["1 c exited restarted", "1 c entered"]


def test_a_restart_takes_back_what_the_earlier_one_had_in_the_outbox() -> None:
    world = World(campaign("c", send("email"), wait(10), restart=True))
    world.reachable()
    world.event("Go", 0)
    (first,) = world.messages
    assert world.event("Go", 1) == [
        "1 c exited restarted", "1 c entered", "1 c sent steps.0 email",
    ]  # fmt: skip
    assert [(cancel.id, cancel.reason) for cancel in world.cancelled] == [(first.id, "exited")]


def test_the_limit_holds_for_all_campaigns_of_a_user_together() -> None:
    many = [campaign(f"c{n}", wait(10)) for n in range(4)]
    world = World(*many, policy=Policy(enrollments_max=3))
    assert world.event("Go", 0) == [
        "0 c0 entered", "0 c1 entered", "0 c2 entered", "0 c3 refused limit",
    ]  # fmt: skip
    assert world.event("Go", 0, user="other")[:1] == ["0 c0 entered"]


def test_the_limit_is_a_hundred_unless_the_shop_says_otherwise() -> None:
    world = World(campaign("c", wait(10), per="event.k"))
    for k in range(100):
        assert world.event("Go", 1, k=k) == ["1 c entered"]
    assert world.event("Go", 1, k=100) == ["1 c refused limit"]


def test_priority_decides_who_enters_first_and_then_the_id() -> None:
    world = World(
        campaign("b"), campaign("a"), campaign("z", priority=51), campaign("y", priority=0)
    )
    entered = [text for text in world.event("Go", 0) if "entered" in text]
    assert entered == ["0 z entered", "0 a entered", "0 b entered", "0 y entered"]


PER = "event.k"


@pytest.mark.parametrize("value", ["", "x", "1", "true", "null", 0, 1, -7, 2**63, 0.5, True, False])
def test_per_takes_every_plain_value_and_holds_active_and_reentry_apart_by_it(value: Any) -> None:
    world = World(campaign("c", wait(10), per=PER, reentry=None))
    assert world.event("Go", 0, k=value) == ["0 c entered"]
    assert world.event("Go", 1, k="another") == ["1 c entered"]
    assert world.event("Go", 2, k=value) == ["2 c refused active"]
    world.advance(20)
    assert world.event("Go", 21, k=value) == ["21 c refused reentry"]


@pytest.mark.parametrize("value", [None, [], [1], {}, {"a": 1}])
def test_per_that_gives_no_plain_value_has_failed(value: Any) -> None:
    world = World(campaign("c", per=PER))
    assert world.event("Go", 0, k=value) == ["0 c refused per"]


def test_per_that_ends_in_an_error_is_refused_and_counted() -> None:
    world = World(campaign("c", per=PER))
    assert world.event("Go", 0) == ["0 c refused per"]
    assert world.processor.errors == {"c": 1}


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, "1"), (True, "true")])
def test_values_of_different_kinds_are_different_values(one: Any, other: Any) -> None:
    world = World(campaign("c", wait(10), per=PER))
    world.event("Go", 0, k=one)
    assert world.event("Go", 0, k=other) == ["0 c entered"]


def test_a_whole_number_is_one_value_however_it_is_written() -> None:
    world = World(campaign("c", wait(10), per=PER))
    world.event("Go", 0, k=1)
    assert world.event("Go", 1, k=1.0) == ["1 c refused active"]


@pytest.mark.parametrize("text", ["1e20", "1e300", "-1e300", "123456789012345678901234567890"])
def test_a_number_beyond_64_bits_is_a_value_like_any_other(text: str) -> None:
    world = World(campaign("c", wait(10), per=PER))
    properties = msgspec.Raw(b'{"k": %s}' % text.encode())
    for at, expected in ((0, "0 c entered"), (1, "1 c refused active")):
        world.processor.take(
            EventReceived("u", "Go", START + at, START + at, properties), START + at
        )
        assert world.commit() == [expected]


@pytest.mark.parametrize("per", ["1e308 * 10.0", "1e308 * 10.0 - 1e308 * 10.0"])
def test_what_is_no_finite_number_does_not_keep_enrollments_apart(per: str) -> None:
    world = World(campaign("c", per=per))
    assert world.event("Go", 0) == ["0 c refused per"]


def test_the_user_keeps_the_last_twenty_refusals_and_the_records_tell_all() -> None:
    world = World(campaign("c", status="paused"))
    told = [world.event("Go", at) for at in range(REFUSALS_MAX + 5)]
    assert told == [[f"{at} c refused status"] for at in range(REFUSALS_MAX + 5)]
    kept = [at_ms - START for at_ms, _, _ in world.user().refusals]
    assert kept == list(range(5, REFUSALS_MAX + 5))


def test_a_refusal_belongs_to_no_enrollment() -> None:
    world = World(campaign("c", status="paused"))
    world.event("Go", 0)
    (record,) = world.records
    assert record.enrollment == ""


def test_entries_at_one_instant_have_ids_of_their_own() -> None:
    world = World(campaign("c"))
    ids = {world.event("Go", 5, t=3) and world.records[0].enrollment for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("age", [DAY - 1, DAY, DAY + 1, 30 * DAY])
def test_entries_at_one_instant_long_ago_have_ids_of_their_own(age: int) -> None:
    world = World(campaign("c", send("email")))
    world.reachable()
    at = 40 * DAY
    ids = []
    for _ in range(4):
        world.event("Go", at, t=at - age)
        ids.append(world.records[0].enrollment)
    assert len(set(ids)) == 4
    assert len(world.user().pending) == 4


def test_an_enrollments_id_is_the_same_in_another_run_and_another_for_any_other_cause() -> None:
    def run(user: str, at: int, campaign_id: str, k: int) -> str:
        world = World(campaign(campaign_id, per=PER))
        world.event("Go", at, user=user, k=k)
        return world.records[0].enrollment

    causes = [("u", 1, "c", 1), ("v", 1, "c", 1), ("u", 2, "c", 1), ("u", 1, "d", 1)]
    causes.append(("u", 1, "c", 2))
    assert [run(*cause) for cause in causes] == [run(*cause) for cause in causes]
    assert len({run(*cause) for cause in causes}) == len(causes)


# Late events


def late_world(*, exits: tuple[str, ...] = ("Stop",)) -> World:
    world = World(campaign("c", leave("done"), exits=exits))
    world.event("Other", 40 * HOUR)
    return world


@pytest.mark.parametrize(("age", "taken"), [(DAY - 1, True), (DAY, True), (DAY + 1, False)])
def test_a_late_event_enters_until_it_is_older_than_max_lateness(age: int, *, taken: bool) -> None:
    world = late_world()
    at = 40 * HOUR
    told = world.event("Go", at, t=at - age)
    assert told[0] == (f"{at} c entered" if taken else f"{at} c refused late")


def test_max_lateness_is_the_shops_to_choose() -> None:
    world = World(campaign("c"), policy=Policy(max_lateness_ms=5))
    world.event("Other", 100)
    assert world.event("Go", 100, t=94) == ["100 c refused late"]
    assert world.event("Go", 100, t=95)[0] == "100 c entered"


def test_an_old_event_that_lies_before_nothing_is_not_late() -> None:
    world = World(campaign("c"))
    assert world.event("Go", 30 * DAY, t=0)[0] == f"{30 * DAY} c entered"


def test_a_fired_deadline_makes_what_lies_before_it_late() -> None:
    world = World(campaign("c", wait(2 * HOUR)), campaign("d", on=("D",)),
                  policy=Policy(max_lateness_ms=0))  # fmt: skip
    world.event("Go", 0)
    world.advance(2 * HOUR)
    assert world.event("D", 3 * HOUR, t=2 * HOUR - 1) == [f"{3 * HOUR} d refused late"]
    assert world.event("D", 3 * HOUR, t=2 * HOUR)[0] == f"{3 * HOUR} d entered"


@pytest.mark.parametrize(("t", "taken"), [(9, False), (10, True), (11, True)])
def test_no_entry_where_an_exit_event_with_a_later_t_is_known(t: int, *, taken: bool) -> None:
    world = World(campaign("c", exits=("Stop",)))
    world.event("Stop", 10)
    told = world.event("Go", 20, t=t)
    assert told[0] == ("20 c entered" if taken else "20 c refused late")


def test_an_exit_event_that_came_late_itself_does_not_hide_a_newer_one() -> None:
    world = World(campaign("c", exits=("Stop",)))
    world.event("Stop", 10)
    world.event("Stop", 20, t=3)
    assert world.event("Go", 21, t=9) == ["21 c refused late"]


def test_the_exit_event_of_another_campaign_keeps_nobody_out() -> None:
    world = World(campaign("c", exits=("Stop",)), campaign("d", exits=("Halt",)))
    world.event("Stop", 10)
    assert world.event("Go", 20, t=5) == [
        "20 c refused late", "20 d entered", "20 d finished",
    ]  # fmt: skip


def test_reentry_is_measured_from_the_newest_entry_also_where_an_older_event_restarted() -> None:
    world = World(campaign("c", wait(10 * MINUTE), reentry=HOUR, restart=True))
    world.event("Go", 50 * MINUTE)
    told = world.event("Go", 51 * MINUTE, t=45 * MINUTE)
    assert told == [f"{51 * MINUTE} c exited restarted", f"{51 * MINUTE} c entered"]
    world.advance(70 * MINUTE)
    assert world.event("Go", 109 * MINUTE) == [f"{109 * MINUTE} c refused reentry"]
    assert world.event("Go", 110 * MINUTE) == [f"{110 * MINUTE} c entered"]


def remember_entries(world: World, campaign_id: str) -> None:
    """As if so many had entered, a millisecond apart, with the `per` values 0, 1, 2 and so on."""
    assert world.event("Go", 0, k=0)[0] == f"0 {campaign_id} entered"
    assert list(each_entry(world.user().entries)) == [(f"{campaign_id}\n0", (START, 1))]
    world.user().entries = {f"{campaign_id}\n{at}": (START + at, 1) for at in range(ENTRIES_MAX)}


@pytest.mark.parametrize("reentry", [0, None, DAY])
def test_only_so_many_values_of_per_are_remembered(reentry: int | None) -> None:
    world = World(campaign("c", per="event.k", reentry=reentry), campaign("d", on=("D",)))
    remember_entries(world, "c")
    at = ENTRIES_MAX
    assert world.event("Go", at, k="new") == [f"{at} c refused limit"]
    assert count_entries(world.user().entries) == ENTRIES_MAX
    # One that is known is asked as ever, and so is a campaign without `per`.
    assert world.event("Go", at, k=0)[0] == f"{at} c " + (
        "refused reentry" if reentry != 0 else "entered"
    )
    assert world.event("D", at)[0] == f"{at} d entered"


def test_entries_that_nothing_asks_about_any_more_make_room() -> None:
    world = World(campaign("c", per="event.k"))
    remember_entries(world, "c")
    later = 2 * DAY
    world.event("Other", later)
    assert world.event("Go", later, k="new")[0] == f"{later} c entered"
    assert count_entries(world.user().entries) == 1


def test_entries_of_a_campaign_that_is_gone_stay_until_there_is_no_other_room() -> None:
    world = World(campaign("old", per="event.k", reentry=None))
    remember_entries(world, "old")
    world.adopt(campaign("new", per="event.k", reentry=None), at=2 * DAY)
    world.event("Other", 2 * DAY)
    assert count_entries(world.user().entries) == ENTRIES_MAX
    assert world.event("Go", 2 * DAY, k="a")[0] == f"{2 * DAY} new entered"


def test_a_long_per_value_is_known_by_its_digest() -> None:
    world = World(campaign("c", wait(HOUR), per="event.k"))
    same, other = "k" * 30_000, "k" * 29_999 + "l"
    assert world.event("Go", 1, k=same) == ["1 c entered"]
    assert world.event("Go", 2, k=same) == ["2 c refused active"]
    assert world.event("Go", 3, k=other) == ["3 c entered"]
    assert all(len(one.per) <= PER_LENGTH_MAX for one in world.user().enrollments)
    assert all(len(key) <= PER_LENGTH_MAX + 2 for key, _ in each_entry(world.user().entries))


def test_a_per_value_as_long_as_may_be_is_kept_as_it_is() -> None:
    world = World(campaign("c", wait(HOUR), per="event.k"))
    text = "k" * (PER_LENGTH_MAX - 2)
    world.event("Go", 1, k=text)
    assert world.user().enrollments[0].per == f'"{text}"'


def test_enrollments_remember_only_so_much_of_their_events() -> None:
    world = World(campaign("c", wait(HOUR), per="event.k"))
    told = [world.event("Go", at, k=at, x="y" * 30_000)[0] for at in range(30)]
    room = EVENTS_BYTES_MAX // 30_000
    assert told == [f"{at} c " + ("entered" if at < room else "refused limit") for at in range(30)]
    assert len(encode_user(world.user())) < EVENTS_BYTES_MAX + 10_000
    assert world.event("Go", 30, k="small", x="y" * (SMALL_EVENT_BYTES - 100)) == ["30 c entered"]


def test_a_restart_may_not_make_the_remembered_events_outgrow_their_bound() -> None:
    world = World(campaign("c", wait(HOUR), per="event.k", restart=True))
    room = EVENTS_BYTES_MAX // 30_000
    for at in range(room + 2):
        world.event("Go", at, k=at)
    for at in range(room):
        assert world.event("Go", 100, k=at, x="y" * 30_000)[1] == "100 c entered"
    assert world.event("Go", 100, k=room, x="y" * 30_000) == ["100 c refused limit"]
    assert world.event("Go", 100, k=0, x="z" * 30_000)[1] == "100 c entered"


def test_a_campaign_that_asks_nothing_of_its_event_remembers_none_of_it() -> None:
    world = World(campaign("c", wait(HOUR), per="event.k", wants_event=False))
    for at in range(30):
        assert world.event("Go", at, k=at, x="y" * 30_000) == [f"{at} c entered"]
    assert len(encode_user(world.user())) < 10_000
