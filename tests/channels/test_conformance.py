"""One suite for every way out: whoever implements the port passes all of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from channels.base import CHANNEL_IDS, Accepted, Message, Rejected, Retry
from tests.channels.providers import (
    FileProvider,
    HttpProvider,
    SmtpProvider,
    WorldProvider,
    message,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trustme

    from channels.base import Channel

FILES = [f"file-{channel}" for channel in CHANNEL_IDS]
SERVERS = [
    "smtp-none",
    "smtp-none-auth",
    "smtp-starttls",
    "smtp-starttls-auth",
    "smtp-implicit",
    "webhook-http",
]
WORLD = ["world"]
REFUSING = ["file-email", *SERVERS, *WORLD]


async def _open(name: str, ca: trustme.CA, ca_file: Path) -> Any:
    transport, _, kind = name.partition("-")
    match transport:
        case "file":
            return FileProvider(kind, ca_file.parent / "data")
        case "smtp":
            tls, _, auth = kind.partition("-")
            provider = SmtpProvider(tls, ca, ca_file, auth=bool(auth))
        case "world":
            return WorldProvider()
        case _:
            provider = HttpProvider()
    await provider.start()
    return provider


@pytest.fixture(params=[*FILES, *SERVERS, *WORLD])
async def provider(
    request: pytest.FixtureRequest, authority: trustme.CA, ca_file: Path
) -> AsyncIterator[Any]:
    opened = await _open(request.param, authority, ca_file)
    yield opened
    await opened.close()


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
