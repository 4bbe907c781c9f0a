from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from channels.aes128gcm import PLAIN_BYTES_MAX
from channels.base import Accepted, Rejected, Retry
from channels.webpush import topic
from tests.channels.claims import claims
from tests.channels.providers import AT_MS, Browser, PushProvider, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from channels.base import Channel


@pytest.fixture
async def service() -> AsyncIterator[PushProvider]:
    provider = PushProvider()
    await provider.start()
    yield provider
    await provider.close()


@pytest.fixture
async def channel(service: PushProvider) -> AsyncIterator[Channel]:
    made = service.make(now_ms=lambda: AT_MS)
    yield made
    await made.aclose()


def answering(service: PushProvider, by_path: dict[str, int], **headers: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        status = by_path.get(request.path.removeprefix("/hook"), 201)
        return web.Response(status=status, headers=headers)

    service.answer = answer


def to(*subscriptions: str) -> str:
    return f"[{','.join(subscriptions)}]"


async def test_a_browser_reads_title_text_address_image_and_id(
    service: PushProvider, channel: Channel
) -> None:
    front = {
        "title": "Hello",
        "url": "https://shop.example/",
        "image": "https://shop.example/a.png",
    }
    sent = message("push", front=front, body="You left something")
    assert await channel.deliver(sent) == Accepted("1 of 1: 200")
    ((headers, body),) = service.requests
    assert service.browser.read(body) == {"id": sent.id, "body": "You left something", **front}
    assert headers["Content-Encoding"] == "aes128gcm"
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Topic"] == sent.id
    assert headers["TTL"] == "86400"
    said = claims(headers["Authorization"])
    assert said["sub"] == "mailto:ops@shop.example"
    assert said["aud"] == f"http://127.0.0.1:{service.port}"


async def test_what_the_template_does_not_say_is_not_there(
    service: PushProvider, channel: Channel
) -> None:
    await channel.deliver(message("push", front={"title": "Hello"}))
    ((_, body),) = service.requests
    assert service.browser.read(body).keys() == {"id", "title", "body"}


@pytest.mark.parametrize(
    ("purpose", "urgency"), [("transactional", "high"), ("marketing", "normal")]
)
async def test_what_somebody_waits_for_is_urgent(
    service: PushProvider, channel: Channel, purpose: str, urgency: str
) -> None:
    await channel.deliver(message("push", purpose=purpose))
    ((headers, _),) = service.requests
    assert headers["Urgency"] == urgency


@pytest.mark.parametrize(
    ("expires_in_ms", "ttl"), [(600_000, "600"), (999, "0"), (-5, "0"), (10**9, "86400")]
)
async def test_a_message_is_not_kept_longer_than_it_is_of_use(
    service: PushProvider, channel: Channel, expires_in_ms: int, ttl: str
) -> None:
    await channel.deliver(message("push", expires_at_ms=AT_MS + expires_in_ms))
    ((headers, _),) = service.requests
    assert headers["TTL"] == ttl


def test_an_id_that_is_no_topic_is_one_by_its_digest() -> None:
    assert topic("a" * 32) == "a" * 32
    assert topic("a" * 33) == topic("a" * 33) != topic("a" * 34)
    assert len(topic("ä:ö")) == 32


async def test_every_browser_of_a_user_gets_it(service: PushProvider, channel: Channel) -> None:
    sent = message("push", to=to(service.subscribed("/1"), service.subscribed("/2")))
    assert await channel.deliver(sent) == Accepted("2 of 2: 200")
    assert len(service.requests) == 2


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_no_more_is_told_where_another_took_it(
    service: PushProvider, channel: Channel, status: int
) -> None:
    answering(service, {"/old": status})
    sent = message("push", to=to(service.subscribed("/old"), service.subscribed("/new")))
    assert await channel.deliver(sent) == Accepted("1 of 2: 201", (service.url + "/old",))


async def test_where_all_subscriptions_are_no_more_the_message_is_rejected(
    service: PushProvider, channel: Channel
) -> None:
    answering(service, {"/a": 404, "/b": 410})
    outcome = await channel.deliver(
        message("push", to=to(service.subscribed("/a"), service.subscribed("/b")))
    )
    assert isinstance(outcome, Rejected)
    assert outcome.gone == (service.url + "/a", service.url + "/b")
    assert "the subscription is no more" in outcome.reason
    assert "/a" not in outcome.reason


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_what_may_pass_is_tried_again_when_the_push_service_says(
    service: PushProvider, channel: Channel, status: int
) -> None:
    answering(service, {"": status}, **{"Retry-After": "120"})
    outcome = await channel.deliver(message("push"))
    assert isinstance(outcome, Retry)
    assert outcome.after_ms == 120_000


async def test_where_one_took_it_the_others_are_not_tried_again(
    service: PushProvider, channel: Channel
) -> None:
    answering(service, {"/busy": 503})
    sent = message("push", to=to(service.subscribed("/busy"), service.subscribed("/well")))
    assert isinstance(await channel.deliver(sent), Accepted)


async def test_where_none_took_it_and_one_may_it_is_tried_again(
    service: PushProvider, channel: Channel
) -> None:
    answering(service, {"/busy": 503, "/gone": 410})
    sent = message("push", to=to(service.subscribed("/gone"), service.subscribed("/busy")))
    assert isinstance(await channel.deliver(sent), Retry)


@pytest.mark.parametrize(
    ("first", "second", "of_provider"),
    [(503, 410, True), (410, 503, False), (409, 503, False), (425, 410, False)],
)
async def test_only_the_first_subscription_tells_of_the_provider(
    service: PushProvider, channel: Channel, first: int, second: int, *, of_provider: bool
) -> None:
    answering(service, {"/1": first, "/2": second})
    sent = message("push", to=to(service.subscribed("/1"), service.subscribed("/2")))
    outcome = await channel.deliver(sent)
    assert isinstance(outcome, Retry)
    assert outcome.of_provider is of_provider


@pytest.mark.parametrize(
    ("status", "told"), [(413, "too long"), (403, "vapid_key"), (401, "vapid_key"), (400, "400")]
)
async def test_what_will_not_pass_is_rejected_and_drops_no_subscription(
    service: PushProvider, channel: Channel, status: int, told: str
) -> None:
    answering(service, {"": status})
    outcome = await channel.deliver(message("push"))
    assert isinstance(outcome, Rejected)
    assert told in outcome.reason
    assert outcome.gone == ()


async def test_a_push_that_does_not_fit_is_rejected_before_it_is_sent(
    service: PushProvider, channel: Channel
) -> None:
    outcome = await channel.deliver(message("push", body="x" * PLAIN_BYTES_MAX))
    assert isinstance(outcome, Rejected)
    assert "shorten its text" in outcome.reason
    assert service.requests == []


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": "https://127.0.0.2:9/x"},
        {"endpoint": "https://169.254.169.254/latest/meta-data"},
        {"endpoint": "https://[::1]/"},
    ],
)
async def test_an_endpoint_that_leads_inwards_is_never_asked(
    channel: Channel, changed: dict[str, Any]
) -> None:
    sent = {**Browser("").subscription, **changed}
    outcome = await channel.deliver(message("push", to=msgspec.json.encode(sent).decode()))
    assert isinstance(outcome, Rejected)
    assert "not on the public internet" in outcome.reason


async def test_an_endpoint_that_is_not_trusted_is_asked_over_tls_alone(
    service: PushProvider,
) -> None:
    channel = service.make(trusted=())
    outcome = await channel.deliver(message("push"))
    await channel.aclose()
    assert isinstance(outcome, Rejected)
    assert "not https" in outcome.reason
    assert service.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "no JSON",
        "7",
        "[]",
        "{}",
        '{"endpoint": 7}',
        '{"endpoint": "ftp://x/"}',
        '{"endpoint": "https://push.example/"}',
        '{"endpoint": "https://push.example/", "keys": 7}',
        '{"endpoint": "https://push.example/", "keys": {"p256dh": 7, "auth": []}}',
        '{"endpoint": "https://push.example/", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}',
        '{"endpoint": "https://push.example/", "keys": {"p256dh": "é", "auth": "é"}}',
    ],
)
async def test_what_is_no_subscription_is_rejected(channel: Channel, address: str) -> None:
    outcome = await channel.deliver(message("push", to=address))
    assert isinstance(outcome, Rejected)
    assert outcome.gone == ()


async def test_one_that_cannot_be_used_keeps_no_other_from_getting_it(
    service: PushProvider, channel: Channel
) -> None:
    sent = message("push", to=to('{"endpoint": "https://push.example/"}', service.subscribed("/b")))
    assert await channel.deliver(sent) == Accepted("1 of 2: 200")
