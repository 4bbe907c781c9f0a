from __future__ import annotations

from tests.core.world import DAY, HOUR, MINUTE, S, World, campaign, leave, send, wait, when


def mails(*steps: object, **more: object) -> World:
    world = World(campaign("c", *steps, **more))  # type: ignore[arg-type]
    world.reachable()
    return world


def test_a_wait_is_over_when_the_clock_is_so_much_further_and_not_a_millisecond_before() -> None:
    world = mails(wait(30 * MINUTE), send("email"))
    world.event("Go", 7)
    assert world.advance(30 * MINUTE + 6) == []
    assert world.advance(30 * MINUTE + 7)[0] == f"{30 * MINUTE + 7} c sent steps.1 email"


def test_the_clock_starts_at_the_time_of_the_event_not_of_its_arrival() -> None:
    world = mails(wait(10 * S), send("email"))
    world.event("Go", 4 * S, t=1 * S)
    assert world.advance(11 * S - 1) == []
    assert world.advance(11 * S)[0] == f"{11 * S} c sent steps.1 email"


def test_waits_count_from_when_the_one_before_was_due_however_late_it_fired() -> None:
    world = mails(wait(10), wait(10), send("email"))
    world.event("Go", 0)
    assert world.advance(19) == []
    assert world.advance(25) == ["20 c sent steps.2 email", "20 c finished"]


def test_a_wait_of_no_time_is_over_at_the_same_instant() -> None:
    world = mails(wait(0), send("email"))
    assert world.event("Go", 3) == ["3 c entered"]
    assert world.advance(3) == ["3 c sent steps.1 email", "3 c finished"]


def test_a_campaign_without_steps_ends_as_it_begins() -> None:
    assert mails().event("Go", 3) == ["3 c entered", "3 c finished"]


def test_a_branch_goes_its_way_and_comes_together_again() -> None:
    steps = (when("event.n > 1", (leave("big"),), (send("email"),)), wait(5))
    assert mails(*steps).event("Go", 0, n=2) == [
        "0 c entered", "0 c branched steps.0 then", "0 c exited steps.0.then.0 big",
    ]  # fmt: skip
    world = mails(*steps)
    assert world.event("Go", 0, n=1) == [
        "0 c entered", "0 c branched steps.0 else", "0 c sent steps.0.else.0 email",
    ]  # fmt: skip
    assert world.advance(5) == ["5 c finished"]


def test_a_branch_whose_condition_ends_in_an_error_goes_the_other_way_and_counts_it() -> None:
    world = mails(when("user.age > 3", (send("email"),)))
    assert world.event("Go", 0) == ["0 c entered", "0 c branched steps.0 else", "0 c finished"]
    assert world.processor.errors == {"c": 1}


def test_branches_nest_and_empty_ones_lead_on() -> None:
    inner = when("event.n > 2", (wait(5), send("email")))
    world = mails(when("event.n > 1", (inner,)), send("push"))
    world.identify(0, push={"endpoint": "https://push.example.com/1"})
    assert world.event("Go", 0, n=2) == [
        "0 c entered",
        "0 c branched steps.0 then",
        "0 c branched steps.0.then.0 else",
        "0 c sent steps.1 push",
        "0 c finished",
    ]


def test_a_branch_after_a_wait_still_sees_the_event_that_entered() -> None:
    world = mails(wait(5), when("event.n == 7", (leave("seven"),)))
    world.event("Go", 0, n=7)
    world.event("Go", 1, n=8)
    assert world.advance(5)[-1] == "5 c exited steps.1.then.0 seven"


def test_a_branch_sees_the_traits_of_its_own_instant() -> None:
    world = mails(wait(5), when("user.vip == true", (leave("vip"),)))
    world.event("Go", 0)
    world.identify(5, vip=True)
    assert not [text for text in world.advance(5) if "vip" in text]
    world.event("Go", 6)
    world.identify(7, vip=True)
    assert world.advance(11)[-1] == "11 c exited steps.1.then.0 vip"


# Where an enrollment starts late


def test_of_waits_that_are_over_at_the_start_only_the_sends_of_the_latest_instant_go() -> None:
    world = mails(
        send("email", step_id="first"),
        wait(HOUR),
        send("email", step_id="second"),
        send("email", step_id="third"),
        wait(HOUR),
        send("email", step_id="fourth"),
    )
    now = 90 * MINUTE
    assert world.event("Go", now, t=0) == [
        f"{now} c entered",
        f"{now} c skipped first email expired",
        f"{now} c sent second email",
        f"{now} c sent third email",
    ]
    assert world.advance(2 * HOUR) == [f"{2 * HOUR} c sent fourth email", f"{2 * HOUR} c finished"]


def test_what_is_due_at_the_very_instant_of_a_late_start_is_the_latest() -> None:
    world = mails(send("email", step_id="first"), wait(HOUR), send("email", step_id="second"))
    assert world.event("Go", HOUR, t=0)[1:3] == [
        f"{HOUR} c skipped first email expired",
        f"{HOUR} c sent second email",
    ]
    world = mails(send("email", step_id="first"), wait(HOUR), send("email", step_id="second"))
    assert world.event("Go", HOUR - 1, t=0) == [
        f"{HOUR - 1} c entered",
        f"{HOUR - 1} c sent first email",
    ]


def test_an_event_that_took_a_moment_to_arrive_still_gets_its_first_message() -> None:
    world = mails(send("email", step_id="hello"))
    assert world.event("Go", 250, t=0)[1] == "250 c sent hello email"


def test_an_overdue_send_of_a_late_start_still_expires() -> None:
    world = mails(send("email", expires=10 * MINUTE))
    now = 10 * MINUTE
    assert world.event("Go", now, t=0)[1] == f"{now} c sent steps.0 email"
    world = mails(send("email", expires=10 * MINUTE))
    assert world.event("Go", now + 1, t=0)[1] == f"{now + 1} c skipped steps.0 email expired"


def test_a_late_start_that_runs_into_an_exit_step_sends_its_latest_first() -> None:
    world = mails(send("email", step_id="a"), wait(5), send("email", step_id="b"), leave("x"))
    assert world.event("Go", 9, t=0) == [
        "9 c entered", "9 c skipped a email expired", "9 c sent b email", "9 c exited steps.3 x",
    ]  # fmt: skip


def test_branches_of_a_late_start_are_asked_now() -> None:
    world = mails(wait(5), when("user.vip == true", (send("email"),)))
    world.identify(7, vip=True)
    assert world.event("Go", 9, t=0)[1:3] == [
        "9 c branched steps.1 then", "9 c sent steps.1.then.0 email",
    ]  # fmt: skip


def test_an_exit_event_known_by_then_keeps_a_late_start_from_sending() -> None:
    world = mails(send("email"), wait(DAY), exits=("Stop",))
    world.event("Stop", 10)
    assert world.event("Go", 20, t=5) == ["20 c refused late"]
