"""Clocks that jump, and time that nobody lived through: in the real process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.inputs import ClockAdjusted, EventReceived, TimeResumed
from engine.sim.exported import InputLine, RecordLine
from tests.acceptance.conftest import write
from tests.faults.life import ask, journal, until

if TYPE_CHECKING:
    from engine.core.inputs import Input
    from tests.faults.life import Life
    from tests.faults.native import Shim

pytestmark = [pytest.mark.acceptance, pytest.mark.crash]

NS = 1_000_000_000
HOUR_MS = 3_600_000
DAY_S = 86_400


def pass_time(life: Life, shim: Shim, seconds: int) -> None:
    """Let real time go on, by both clocks, in steps that the process looks at the wall clock in."""
    for _ in range(0, seconds, 5):
        shim.control.monotonic_ns += 5 * NS
        shim.control.wall_ns += 5 * NS
        assert ask(life.serving.url, "GET", "/healthz")[0] == 200  # the loop turns


async def inputs(life: Life) -> list[Input]:
    return [line.input for line in await journal(life.data) if isinstance(line, InputLine)]


async def test_a_wall_clock_that_stays_ahead_is_adopted_after_a_minute_and_one_set_back_never(
    life: Life, shim: Shim
):
    life.start(env=shim.env)
    life.live(range(1))
    until(life.all_arrived)

    shim.control.wall_ns -= 6 * HOUR_MS * 1_000_000
    pass_time(life, shim, 300)
    life.live(range(1, 2))
    until(life.all_arrived)
    assert not any("clock.adjusted" in line for line in life.serving.log)

    shim.control.wall_ns += (6 + 2) * HOUR_MS * 1_000_000
    pass_time(life, shim, 40)  # somebody may still mend it
    assert not any("clock.adjusted" in line for line in life.serving.log)
    pass_time(life, shim, 40)
    life.serving.wait_to_say("clock.adjusted")
    life.live(range(2, 3))
    until(life.all_arrived)
    assert life.serving.drain() == 0
    await life.holds()

    taken = await inputs(life)
    stamps = [one.at_ms for one in taken]
    assert stamps == sorted(stamps)
    (adjusted,) = [one for one in taken if isinstance(one, ClockAdjusted)]
    # Ahead of what logical time had become on its own: two hours.
    assert abs(adjusted.at_ms - adjusted.stopped_at_ms - 2 * HOUR_MS) < 60_000
    events = [one.at_ms for one in taken if isinstance(one, EventReceived)]
    assert [at_ms > adjusted.at_ms - 1 for at_ms in events] == [False, False, True]


def test_a_start_days_off_asks_whether_the_clock_is_right(life: Life, shim: Shim):
    life.start()
    life.live(range(1))
    life.come_to_rest()
    for days, where in ((-2, "before"), (2, "after")):
        shim.control.wall_ns = days * DAY_S * NS
        refusal = life.refused_start(env=shim.env)
        assert refusal["code"] == "serve.clock"
        assert f"2.0 days {where} the last stamp" in refusal["why"]
        assert "--accept-clock" in refusal["hint"]
    life.start("", "--accept-clock", env=shim.env)
    life.live(range(1, 2))
    life.come_to_rest()


CART = {
    "campaigns/cart.yaml": """
campaign: cart
purpose: transactional
enter: {event: Product Added}
exit: {event: Bought}
steps:
  - {wait: 10m, id: pause}
  - {send: email, template: offer, id: offer, expires: 1h}
  - {send: email, template: cart, id: cart, expires: 6h}
""",
    "templates/cart.email.liquid": "---\nsubject: cart {{ user.id }}\n---\nX\n",
    "templates/offer.email.liquid": "---\nsubject: offer {{ user.id }}\n---\nX\n",
}


def send(life: Life, user: str, event: str) -> None:
    who = {"type": "identify", "user_id": user, "traits": {"email": f"{user}@example.com"}}
    status, said = ask(
        life.serving.url, "POST", "/events", [who, {"user_id": user, "event": event}]
    )
    assert status == 200, said


async def test_after_a_downtime_it_is_judged_now_and_a_purchase_within_the_grace_still_counts(
    life: Life, shim: Shim
):
    write(life.shop, CART)
    settings = life.shop / "hairspring.toml"
    settings.write_text(settings.read_text().replace('"100ms"', '"30s"'))
    life.start(env=shim.env)
    send(life, "bought", "Product Added")
    send(life, "left", "Product Added")
    life.serving.kill()

    shim.control.wall_ns += 3 * HOUR_MS * 1_000_000
    life.start(env=shim.env)
    send(life, "bought", "Bought")  # what the client could not send while nobody was there
    pass_time(life, shim, 10)
    send(life, "other", "Product Added")
    assert life.arrived == set()
    pass_time(life, shim, 25)
    send(life, "other", "Bought")
    until(lambda: "cart left" in life.arrived)
    assert life.serving.drain() == 0
    assert life.arrived == {"cart left"}

    resumed, *stalls = [one for one in await inputs(life) if isinstance(one, TimeResumed)]
    assert resumed.grace_ms == 30_000
    assert [one for one in stalls if one.grace_ms] == []  # time passes in steps of five seconds
    assert abs(resumed.at_ms - resumed.stopped_at_ms - 3 * HOUR_MS) < 60_000
    lines = await journal(life.data)
    records = [one.record for one in lines if isinstance(one, RecordLine)]
    told = [(one.kind, one.step, one.reason) for one in records if one.user_id == "left"]
    assert told == [
        ("entered", "", ""),
        ("skipped", "offer", "expired"),
        ("sent", "cart", ""),
        ("finished", "", ""),
        ("delivered", "cart", ""),
    ]
    entered, *late = [one for one in records if one.user_id == "left"][:4]
    (added,) = [
        one
        for one in await inputs(life)
        if isinstance(one, EventReceived) and (one.user_id, one.name) == ("left", "Product Added")
    ]
    assert entered.at_ms == added.at_ms
    # As of when it was due: it counts from when it happened.
    assert {one.at_ms for one in late} == {added.occurred_at_ms + 600_000}
    judged = [one.judged_at_ms for one in late if one.step]
    assert all(resumed.at_ms + 30_000 <= at_ms < resumed.at_ms + 90_000 for at_ms in judged)
    assert [one.kind for one in records if one.user_id == "bought"] == ["entered", "exited"]
