"""One suite for every way out: whoever implements the port passes all of it.

What a transport has to bring is an `End` (`providers`): a real far end that can also be busy, hang,
cut the connection or talk nonsense.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from channels.base import Accepted, Message, Rejected, Retry
from tests.channels.providers import BAD_MOODS, ENDS, REFUSING, SERVERS, message, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trustme

    from channels.base import Channel

SHORT_MS = 150
"""The time-out where an end hangs."""


@pytest.fixture(params=list(ENDS))
async def provider(
    request: pytest.FixtureRequest, authority: trustme.CA, ca_file: Path
) -> AsyncIterator[Any]:
    async with opened(ENDS[request.param](authority, ca_file)) as end:
        yield end


@pytest.fixture
async def channel(provider: Any) -> AsyncIterator[Channel]:
    made = provider.make()
    yield made
    await made.aclose()


async def test_a_message_arrives_with_its_key_and_its_body(provider: Any, channel: Channel) -> None:
    sent = message(provider.channel_id)
    assert isinstance(await channel.deliver(sent), Accepted)
    (wire,) = provider.wires()
    assert provider.key(wire) == sent.id
    assert provider.body(wire) == sent.body


async def test_a_retry_sends_the_same_bytes_under_the_same_key(
    provider: Any, channel: Channel
) -> None:
    sent = message(provider.channel_id)
    assert isinstance(await channel.deliver(sent), Accepted)
    assert isinstance(await channel.deliver(sent), Accepted)
    wires = provider.wires()
    assert len(wires) == provider.duplicates
    assert len(set(wires)) == 1


async def test_a_restart_from_stored_bytes_sends_the_same_bytes(provider: Any) -> None:
    stored = message(provider.channel_id).to_bytes()
    for _ in range(2):
        channel = provider.make()
        assert isinstance(await channel.deliver(Message.from_bytes(stored)), Accepted)
        await channel.aclose()
    wires = provider.wires()
    assert len(wires) == provider.duplicates
    assert len(set(wires)) == 1


@pytest.mark.parametrize(
    "body",
    [
        "Zażółć gęślą jaźń 世界 😀",
        "\u202eright to left\u202c",
        "nul \x00 and \u2018quotes\u2019",
        ".\n..\n.x",
    ],
)
async def test_every_character_of_a_body_survives(
    provider: Any, channel: Channel, body: str
) -> None:
    assert isinstance(await channel.deliver(message(provider.channel_id, body=body)), Accepted)
    (wire,) = provider.wires()
    assert provider.body(wire) == body


async def test_concurrent_deliveries_all_arrive_once(provider: Any, channel: Channel) -> None:
    sent = [message(provider.channel_id, number) for number in range(40)]
    outcomes = await asyncio.gather(*(channel.deliver(one) for one in sent))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    keys = [provider.key(wire) for wire in provider.wires()]
    assert sorted(keys) == sorted(one.id for one in sent)


async def test_a_provider_that_is_down_is_a_reason_to_retry(
    provider: Any, channel: Channel
) -> None:
    await provider.stop()
    outcome = await channel.deliver(message(provider.channel_id))
    assert isinstance(outcome, Retry)
    assert outcome.reason
    assert provider.wires() == []


@pytest.mark.parametrize("provider", SERVERS, indirect=True)
async def test_a_provider_that_goes_down_after_a_delivery_is_a_reason_to_retry(
    provider: Any, channel: Channel
) -> None:
    assert isinstance(await channel.deliver(message(provider.channel_id, 1)), Accepted)
    await provider.stop()
    assert isinstance(await channel.deliver(message(provider.channel_id, 2)), Retry)


async def test_closing_twice_is_closing_once(provider: Any) -> None:
    channel = provider.make()
    assert isinstance(await channel.deliver(message(provider.channel_id)), Accepted)
    await channel.aclose()
    await channel.aclose()
    assert isinstance(await channel.deliver(message(provider.channel_id, 2)), Retry)
    assert len(provider.wires()) == 1


async def test_closing_in_the_middle_of_deliveries_leaves_each_with_an_outcome(
    provider: Any,
) -> None:
    channel = provider.make()
    sent = [message(provider.channel_id, number) for number in range(20)]
    deliveries = [asyncio.create_task(channel.deliver(one)) for one in sent]
    await asyncio.sleep(0)
    await channel.aclose()
    outcomes = await asyncio.gather(*deliveries)
    assert all(isinstance(outcome, (Accepted, Retry)) for outcome in outcomes)
    arrived = {provider.key(wire) for wire in provider.wires()}
    accepted = {
        one.id for one, outcome in zip(sent, outcomes, strict=True) if isinstance(outcome, Accepted)
    }
    assert accepted <= arrived


async def test_closing_what_never_delivered_is_fine(provider: Any) -> None:
    channel = provider.make()
    await channel.aclose()
    assert isinstance(await channel.deliver(message(provider.channel_id)), Retry)


async def test_a_cancelled_delivery_leaves_a_channel_that_delivers(
    provider: Any, channel: Channel
) -> None:
    cancelled = asyncio.create_task(channel.deliver(message(provider.channel_id, 1)))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    sent = message(provider.channel_id, 2)
    assert isinstance(await channel.deliver(sent), Accepted)
    assert sent.id in [provider.key(wire) for wire in provider.wires()]


@pytest.mark.parametrize("provider", REFUSING, indirect=True)
async def test_a_refusal_for_good_is_rejected_and_the_channel_goes_on(
    provider: Any, channel: Channel
) -> None:
    outcome = await channel.deliver(provider.refused)
    assert isinstance(outcome, Rejected)
    assert provider.refused.to not in outcome.reason or not provider.refused.to
    assert isinstance(await channel.deliver(message(provider.channel_id)), Accepted)
    assert len(provider.wires()) == 1


@pytest.mark.parametrize("mood", BAD_MOODS)
@pytest.mark.parametrize("provider", [*SERVERS, "inbox", "world"], indirect=True)
async def test_a_provider_in_a_bad_mood_is_a_reason_to_retry_and_then_it_gets_the_same_message(
    provider: Any, mood: Any
) -> None:
    if mood not in provider.moods:
        pytest.skip("what is no server has no connection")
    channel = provider.make(timeout_ms=SHORT_MS if mood == "hangs" else 10_000)
    sent = message(provider.channel_id)
    try:
        provider.be(mood)
        outcome = await channel.deliver(sent)
        assert isinstance(outcome, Retry), outcome
        assert outcome.reason
        assert not sent.to or sent.to not in outcome.reason
        taken = provider.wires()[:]
        assert len(taken) == (mood == "deaf")  # it had the message, and nobody knows
        provider.be("well")
        assert isinstance(await channel.deliver(sent), Accepted)
        wires = provider.wires()
        assert len(wires) == len(taken) + 1
        assert len(set(wires)) == 1, "the same bytes under the same key"
        assert provider.key(wires[-1]) == sent.id
    finally:
        await channel.aclose()


@pytest.mark.parametrize("provider", SERVERS, indirect=True)
async def test_one_that_hangs_is_given_up_after_the_time_out_and_holds_up_no_other(
    provider: Any,
) -> None:
    channel = provider.make(timeout_ms=SHORT_MS)
    try:
        provider.be("hangs")
        sent = [message(provider.channel_id, number) for number in range(20)]
        hanging = await asyncio.gather(*(channel.deliver(one) for one in sent))
        assert all(isinstance(outcome, Retry) for outcome in hanging)
        provider.be("well")
        left = sent
        while left:  # where the machine is slow, one may take longer than this short time
            outcomes = await asyncio.gather(*(channel.deliver(one) for one in left))
            assert all(isinstance(outcome, Accepted | Retry) for outcome in outcomes)
            pairs = zip(left, outcomes, strict=True)
            left = [one for one, outcome in pairs if not isinstance(outcome, Accepted)]
        assert set(map(provider.key, provider.wires())) == {one.id for one in sent}
    finally:
        await channel.aclose()
