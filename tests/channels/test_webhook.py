from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from channels.base import Accepted, Rejected, Retry
from channels.posting import address_fault
from channels.settings import WebhookSettings
from channels.signing import signature, signing_key
from channels.webhook import WebhookChannel
from tests.channels.providers import AT_MS, SECRET, HttpProvider, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trustme

    from channels.base import Channel


@pytest.fixture
async def channel(http_server: HttpProvider) -> AsyncIterator[Channel]:
    made = http_server.make()
    yield made
    await made.aclose()


async def test_the_rendered_body_is_posted_byte_for_byte(
    http_server: HttpProvider, channel: Channel
) -> None:
    body = ' {"a" :1,\r\n\t"é":"\\u00e9"}\n\n'
    await channel.deliver(message("webhook", body=body))
    ((headers, received),) = http_server.requests
    assert received == body.encode()
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(body.encode()))
    assert "Transfer-Encoding" not in headers


async def test_the_effect_id_is_the_idempotency_key(
    http_server: HttpProvider, channel: Channel
) -> None:
    sent = message("webhook")
    await channel.deliver(sent)
    ((headers, _),) = http_server.requests
    assert headers["Idempotency-Key"] == sent.id


async def test_a_secret_signs_key_instant_and_body(
    http_server: HttpProvider, channel: Channel
) -> None:
    sent = message("webhook")
    await channel.deliver(sent)
    ((headers, received),) = http_server.requests
    key = signing_key(SECRET)
    assert key is not None
    assert headers["webhook-id"] == sent.id
    assert headers["webhook-timestamp"] == str(AT_MS // 1000)
    assert headers["webhook-signature"] == signature(key, sent.id, AT_MS // 1000, received)


async def test_without_a_secret_nothing_is_signed(http_server: HttpProvider) -> None:
    channel = http_server.make(secret="")
    await channel.deliver(message("webhook"))
    await channel.aclose()
    ((headers, _),) = http_server.requests
    assert not [name for name in headers if name.lower().startswith("webhook-")]


async def test_the_templates_own_url_goes_before_the_settings(
    http_server: HttpProvider, channel: Channel
) -> None:
    http_server.answer = _path
    front = {"url": f"http://127.0.0.1:{http_server.port}/elsewhere"}
    assert await channel.deliver(message("webhook", front=front)) == Accepted("201")


async def _path(request: web.Request) -> web.Response:
    return web.Response(status=201 if request.path == "/elsewhere" else 500)


async def test_without_any_url_the_message_is_rejected(http_server: HttpProvider) -> None:
    channel = http_server.make(url="")
    outcome = await channel.deliver(message("webhook"))
    await channel.aclose()
    assert isinstance(outcome, Rejected)
    assert "channels.webhook.url" in outcome.reason


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "shop.example",
        "http://",
        "http://[",
        "x:y",
        "http://xn--a/",
        "http://.a/",
    ],
)
async def test_what_is_no_address_is_rejected(channel: Channel, url: str) -> None:
    assert address_fault(url)
    assert isinstance(await channel.deliver(message("webhook", front={"url": url})), Rejected)


async def test_requests_share_a_connection(http_server: HttpProvider, channel: Channel) -> None:
    peers: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text="x" * 10_000)

    http_server.answer = answer
    for number in range(4):
        assert isinstance(await channel.deliver(message("webhook", number)), Accepted)
    assert len(peers) == 1


async def test_a_redirect_is_not_followed(http_server: HttpProvider, channel: Channel) -> None:
    async def answer(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://{request.host}/other")

    http_server.answer = answer
    outcome = await channel.deliver(message("webhook"))
    assert isinstance(outcome, Rejected)
    assert "redirects are not followed" in outcome.reason
    assert len(http_server.requests) == 1


async def test_an_answer_that_does_not_come_is_a_reason_to_retry(
    http_server: HttpProvider,
) -> None:
    over = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    http_server.answer = answer
    channel = http_server.make(timeout_ms=50)
    outcome = await channel.deliver(message("webhook"))
    over.set()
    await channel.aclose()
    assert outcome == Retry(f"127.0.0.1:{http_server.port} did not answer within 0.05 s")


async def test_a_yes_whose_body_never_ends_is_still_a_yes(http_server: HttpProvider) -> None:
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        slow = web.StreamResponse(headers={"Content-Length": "100"})
        await slow.prepare(request)
        await over.wait()
        return slow

    http_server.answer = answer
    channel = http_server.make(timeout_ms=50)
    outcome = await channel.deliver(message("webhook"))
    over.set()
    await channel.aclose()
    assert outcome == Accepted("200")


async def test_a_yes_whose_body_is_cut_short_is_still_a_yes(
    http_server: HttpProvider, channel: Channel
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        short = web.StreamResponse(headers={"Content-Length": "100"})
        await short.prepare(request)
        request.transport.close()
        return short

    http_server.answer = answer
    assert await channel.deliver(message("webhook")) == Accepted("200")


async def test_a_dropped_connection_is_a_reason_to_retry(
    http_server: HttpProvider, channel: Channel
) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    http_server.answer = answer
    outcome = await channel.deliver(message("webhook"))
    assert outcome == Retry(f"127.0.0.1:{http_server.port} dropped the connection")


async def test_a_reason_does_not_tell_the_path_of_an_address(http_server: HttpProvider) -> None:
    await http_server.stop()
    channel = http_server.make(url=f"{http_server.url}/token-of-the-shop?key=secret")
    outcome = await channel.deliver(message("webhook"))
    await channel.aclose()
    assert outcome == Retry(f"127.0.0.1:{http_server.port} refused the connection")


@pytest.mark.parametrize(
    "said", [b"no HTTP \xff\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: %b\r\n\r\n" % (b"y" * 9000)]
)
async def test_what_is_no_http_is_a_reason_to_retry_that_tells_no_path_either(said: bytes) -> None:
    ended = asyncio.Event()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    name = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = WebhookSettings(transport="http", url=f"http://{name}/token-of-the-shop")
    channel = WebhookChannel(settings)
    outcome = await channel.deliver(message("webhook"))
    await channel.aclose()
    await ended.wait()
    server.close()
    assert outcome == Retry(f"{name} answered with what is no HTTP")


async def test_a_wait_that_the_server_asks_for_is_handed_on(
    http_server: HttpProvider, channel: Channel
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    http_server.answer = answer
    outcome = await channel.deliver(message("webhook"))
    assert outcome == Retry(f"127.0.0.1:{http_server.port} answered 429", 7_000)


@pytest.mark.parametrize("trusted", [True, False])
async def test_an_https_address_needs_a_certificate_that_we_trust(
    authority: trustme.CA, ca_file: Path, trusted: bool
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = HttpProvider()
    await server.start(tls=context)
    channel = server.make(ca_file=str(ca_file) if trusted else "")
    outcome = await channel.deliver(message("webhook"))
    await channel.aclose()
    await server.close()
    assert len(server.requests) == trusted
    if not trusted:
        assert isinstance(outcome, Retry)
        assert "certificate that cannot be trusted" in outcome.reason
        return
    assert outcome == Accepted("200")


async def test_a_later_attempt_is_signed_with_its_own_instant(http_server: HttpProvider) -> None:
    instants = iter([AT_MS, AT_MS + 600_000])
    channel = http_server.make(now_ms=lambda: next(instants))
    await channel.deliver(message("webhook"))
    await channel.deliver(message("webhook"))
    await channel.aclose()
    (first, first_body), (second, second_body) = http_server.requests
    assert first["webhook-timestamp"] == str(AT_MS // 1000)
    assert second["webhook-timestamp"] == str(AT_MS // 1000 + 600)
    assert first["webhook-signature"] != second["webhook-signature"]
    assert first["Idempotency-Key"] == second["Idempotency-Key"]
    assert first_body == second_body
