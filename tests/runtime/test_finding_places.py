"""Caps that come into force know the messages of the days before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from engine.core.history import instants_of
from engine.core.inputs import DeliveryReported, EventReceived, PlanAnnounced
from engine.core.messages.caps import place_name
from engine.core.messages.waiting import by_id
from engine.core.state import encode_user
from engine.runtime.delivery.letters import Chosen, retry
from engine.runtime.filling import Filling
from engine.runtime.processor import Processor
from tests.core.world import DAY, HOUR, MINUTE, START
from tests.runtime.living import SENDING, SETTINGS, Life, living, replays, shop_of

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.inputs import Input

MARKETING = {
    "templates/t.in_app.liquid": "Hello",
    "campaigns/ad.yaml": """
campaign: ad
enter: {event: Look}
steps: [{send: in_app, template: t, id: s}]
""",
}
CAPS = '[guardrails]\ncaps = [{max = 2, per = "7d"}]\n'
SHORT = '[guardrails]\ncaps = [{max = 2, per = "1h"}]\n'
FREE = shop_of(SENDING, MARKETING)
CAPPED = shop_of(SENDING, MARKETING, toml=SETTINGS + CAPS)


def places(life: Life) -> list[int]:
    """Minutes since the start."""
    packed = life.processor.users["u"].history.get(place_name("in_app"), b"")
    return [(at_ms - START) // MINUTE for at_ms in instants_of(packed)]


async def go(life: Life, *at_minutes: int) -> None:
    for at in at_minutes:
        await life.until(START + (at - 1) * MINUTE)
        await life.event("Go")
        await life.until(START + at * MINUTE)


async def end(life: Life, outcome: Literal["delivered", "failed", "cancelled"]) -> None:
    """A delivery ends: of the user's messages that are under way, the oldest."""
    message = next(iter(by_id(life.processor.users["u"].pending)))
    await life.restarted.shell.submit([DeliveryReported("u", message, outcome)])


async def test_messages_of_the_days_before_count_under_new_caps(tmp_path: Path) -> None:
    async with living(tmp_path, FREE) as life:
        await go(life, 1, 61)
        await life.until(START + DAY)
        await life.reload(CAPPED)
        assert places(life) == [1, 61]
        await life.event("Look")
        assert [one.reason for one in life.records if one.kind == "skipped"] == ["capped"]
        await life.until(START + 7 * DAY + MINUTE)
        await life.event("Look")
        assert [one.campaign for one in life.records if one.kind == "sent"][-1] == "ad"
        assert await replays(life)


async def test_what_failed_before_has_given_its_place_back(tmp_path: Path) -> None:
    async with living(tmp_path, FREE) as life:
        await go(life, 1, 61, 121)
        await end(life, "delivered")
        await end(life, "failed")
        await life.reload(CAPPED)
        assert places(life) == [1, 121]
        await end(life, "cancelled")
        assert places(life) == [1]


async def test_of_two_ends_that_are_told_of_a_message_the_first_counts(tmp_path: Path) -> None:
    """One is taken back while it is handed over: that it went is told, and that it was kept."""
    async with living(tmp_path, FREE) as life:
        await go(life, 1, 61)
        delivered, cancelled = by_id(life.processor.users["u"].pending)
        ends = (delivered, "delivered"), (delivered, "cancelled")
        ends += (cancelled, "cancelled"), (cancelled, "delivered")
        for message, outcome in ends:
            await life.restarted.shell.submit([DeliveryReported("u", message, outcome)])
        await life.reload(CAPPED)
        assert places(life) == [1]
        assert await replays(life)


@pytest.mark.parametrize("outcome", ["delivered", "failed", None])
async def test_what_was_revived_counts_from_then_on(
    tmp_path: Path, outcome: Literal["delivered", "failed"] | None
) -> None:
    async with living(tmp_path, FREE) as life:
        await go(life, 1, 61)
        await end(life, "failed")
        await life.until(START + 121 * MINUTE)
        restarted = life.restarted
        done = await retry(
            life.store, restarted.shell, life.processor, Chosen(all=True), lambda *_told: None
        )
        assert done.retried == 1
        await end(life, "delivered")
        if outcome is not None:
            await life.until(START + 181 * MINUTE)
            await end(life, outcome)
        await life.reload(CAPPED)
        assert places(life) == ([61] if outcome == "failed" else [61, 121])
        assert await replays(life)


async def test_what_fails_while_the_past_is_read_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_out = Filling._hand_out

    async def after_a_failure(filling: Filling, *found: object) -> None:
        await end(life, "failed")
        await hand_out(filling, *found)  # type: ignore[arg-type]

    monkeypatch.setattr(Filling, "_hand_out", after_a_failure)
    async with living(tmp_path, FREE) as life:
        await go(life, 1, 61)
        await life.reload(CAPPED)
        assert places(life) == [61]
        assert await replays(life)


async def test_caps_that_were_gone_for_a_while_count_what_went_out_meanwhile(
    tmp_path: Path,
) -> None:
    async with living(tmp_path, CAPPED) as life:
        await go(life, 1)
        await end(life, "failed")
        await life.reload(FREE)
        await go(life, 61, 121)
        await life.reload(CAPPED)
        await go(life, 181)
        assert places(life) == [61, 121, 181]


async def test_longer_caps_find_what_shorter_ones_let_go_of(tmp_path: Path) -> None:
    async with living(tmp_path, shop_of(SENDING, MARKETING, toml=SETTINGS + SHORT)) as life:
        await go(life, 1, 61, 181)
        assert places(life) == [181]
        await life.reload(CAPPED)
        assert places(life) == [1, 61, 181]


async def test_a_restart_under_new_caps_finds_the_same(tmp_path: Path) -> None:
    async with living(tmp_path, FREE) as life:
        await go(life, 1, 61)
        await end(life, "failed")
        await life.die()
        await life.start(CAPPED)
        await life.come_into_force(CAPPED)
        assert places(life) == [61]
        await life.until(START + HOUR + 3 * MINUTE)
        assert await replays(life)


@pytest.mark.parametrize("late", [False, True])
def test_what_was_due_before_an_announcement_keeps_what_was_asked_for_until_then(
    late: bool,
) -> None:
    """Whenever it fires: in time, behind the announcement, or in a replay."""
    plan = shop_of(SENDING, MARKETING, toml=SETTINGS + SHORT).plan
    went, announced_at_ms, end_ms = (START + at * MINUTE for at in (120, 130, 140))
    live = Processor(plan, now_ms=START)
    journal: list[Input] = []
    for at_ms in (START, went):
        live.advance(at_ms)
        journal.append(EventReceived("u", "Go", at_ms, at_ms))
        live.take(EventReceived("u", "Go", at_ms, at_ms), at_ms)
        journal[-1].at_ms = at_ms
    if not late:
        live.advance(announced_at_ms)
    live.announce(CAPPED.plan, announced_at_ms)
    journal.append(PlanAnnounced(CAPPED.plan.id, announced_at_ms))
    live.advance(end_ms)
    replayed = Processor(plan, now_ms=START, plans={CAPPED.plan.id: CAPPED.plan})
    replayed.replay(enumerate(journal, start=1))
    replayed.advance(end_ms)
    for processor in (live, replayed):
        packed = processor.users["u"].history[place_name("in_app")]
        assert list(instants_of(packed)) == [went + MINUTE]
    assert encode_user(live.users["u"]) == encode_user(replayed.users["u"])
