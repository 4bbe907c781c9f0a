"""Whose turn it is: kinds of messages, and providers."""

from __future__ import annotations

import asyncio

import msgspec

from channels.base import SPREAD, Message
from engine.core.effects import SendMessage
from engine.runtime.delivery.lane import Delivery, Lane
from engine.runtime.delivery.line import PROVIDERS_MAX, URGENT_IN_A_ROW_MAX, Line
from tests.core.world import START


def line(channel: str = "webhook", *, concurrency: int = 1, rate: float = 0.0) -> Line:
    return Line(channel, concurrency=concurrency, rate=rate, now_ms=lambda: START)


def delivery(number: int, *, urgent: bool = False, host: str = "a.example") -> Delivery:
    effect_id = f"m{number}"
    message = SendMessage(
        effect_id, START, "u", "c", "e", "s", "webhook", "t", msgspec.Raw(b"{}"), urgent=urgent
    )
    wire = Message(
        id=effect_id, at_ms=START, user_id="u", campaign="c", step="s", channel="webhook", to="",
        body="", front={"url": f"https://{host}/hook"},
    )  # fmt: skip
    return Delivery(Lane("webhook", urgent=urgent), message, b"", wire, 0)


async def through(one: Line, count: int) -> list[str]:
    """The next deliveries, each ended before the next one is asked for."""
    taken = []
    for _ in range(count):
        provider, found = await asyncio.wait_for(one.next(), 5)
        one.ended(provider)
        taken.append(found.message.id)
    return taken


async def test_what_is_transactional_goes_first_and_starves_nobody() -> None:
    ready = line()
    for number in range(20):
        ready.put(delivery(100 + number))
        ready.put(delivery(number, urgent=True))
    taken = await through(ready, 40)
    first = [f"m{number}" for number in range(URGENT_IN_A_ROW_MAX)]
    assert taken[: URGENT_IN_A_ROW_MAX + 2] == [*first, "m100", f"m{URGENT_IN_A_ROW_MAX}"]
    assert sorted(taken) == sorted(f"m{n}" for n in (*range(20), *range(100, 120)))


async def test_a_provider_with_all_its_attempts_under_way_leaves_the_others_theirs() -> None:
    ready = line(concurrency=2)
    for number in range(6):
        ready.put(delivery(number, host="hangs.example"))
    ready.put(delivery(6, host="b.example"))
    taken = [(await asyncio.wait_for(ready.next(), 5))[1].message.id for _ in range(3)]
    assert sorted(taken) == ["m0", "m1", "m6"]
    waiting = asyncio.create_task(ready.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_all_providers_together_have_a_bound() -> None:
    ready = line(concurrency=2)
    for number in range(50):
        ready.put(delivery(number, host=f"h{number}.example"))
    for _ in range(2 * SPREAD):
        await asyncio.wait_for(ready.next(), 5)
    waiting = asyncio.create_task(ready.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_providers_that_nothing_waits_for_are_forgotten() -> None:
    ready = line()
    for number in range(3 * PROVIDERS_MAX):
        ready.put(delivery(number, host=f"h{number}.example"))
        provider, _ = await ready.next()
        provider.breaker.failed("down", START, after_ms=None, jitter=0.0)
        ready.ended(provider)
    known = [number for number in range(3 * PROVIDERS_MAX)
             if ready.known(f"https://h{number}.example")]  # fmt: skip
    assert 0 < len(known) <= PROVIDERS_MAX


async def test_what_is_done_meanwhile_is_passed_over() -> None:
    ready = line()
    gone, stays = delivery(1), delivery(2)
    ready.put(gone)
    ready.put(stays)
    gone.done = True
    assert await through(ready, 1) == ["m2"]
