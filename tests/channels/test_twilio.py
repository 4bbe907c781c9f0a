from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from channels.base import Accepted, Rejected, Retry
from channels.twilio import STOPPED, e164, is_outside
from tests.channels.providers import ACCOUNT, AT_MS, TwilioProvider, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from channels.base import Channel, Outcome


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioProvider]:
    provider = TwilioProvider()
    await provider.start()
    yield provider
    await provider.close()


@pytest.fixture
async def channel(twilio: TwilioProvider) -> AsyncIterator[Channel]:
    made = twilio.make(now_ms=lambda: AT_MS)
    yield made
    await made.aclose()


async def test_a_message_is_a_form_for_the_account_and_its_sid_is_told(
    twilio: TwilioProvider, channel: Channel
) -> None:
    sent = message("sms", body="Your plants miss you", template="hello")
    assert await channel.deliver(sent) == Accepted("SM" + "0" * 32)
    ((headers, _),) = twilio.requests
    login = b64encode(f"{ACCOUNT}:a-token".encode()).decode()
    assert headers["Authorization"] == f"Basic {login}"
    (form,) = twilio.forms()
    address, _, about = form.pop("StatusCallback").partition("?")
    assert form == {"To": "+33612345678", "From": "+15005550006", "Body": "Your plants miss you"}
    assert address == "https://shop.example/webhooks/twilio"
    assert dict(parse_qsl(about)) == {
        "id": sent.id,
        "user": "u1",
        "campaign": "cart-abandonment",
        "step": "first",
        "template": "hello",
        "at": str(AT_MS),
    }


async def test_a_messaging_service_chooses_the_sender(twilio: TwilioProvider) -> None:
    channel = twilio.make(from_="", messaging_service_sid="MG" + "1" * 32)
    await channel.deliver(message("sms"))
    await channel.aclose()
    (form,) = twilio.forms()
    assert form["MessagingServiceSid"] == "MG" + "1" * 32
    assert "From" not in form


@pytest.mark.parametrize(
    ("in_ms", "valid_s"), [(90_000, "90"), (10, "1"), (-5_000, "1"), (10**9, "36000")]
)
async def test_a_message_waits_at_twilio_no_longer_than_it_is_of_use(
    twilio: TwilioProvider, channel: Channel, in_ms: int, valid_s: str
) -> None:
    await channel.deliver(message("sms", expires_at_ms=AT_MS + in_ms))
    assert twilio.forms()[0]["ValidityPeriod"] == valid_s


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("+33612345678", "+33612345678"),
        (" +33 (6) 12-34.56 78", "+33612345678"),
        ("0612345678", None),
        ("+0612345678", None),
        ("+12345", None),
        ("+1234567890123456", None),
        ("+3361234567x", None),
        ("+٣٣612345678", None),
        ("", None),
    ],
)
def test_a_number_is_one_only_with_its_country(said: str, number: str | None) -> None:
    assert e164(said) == number


async def test_a_number_without_its_country_is_no_address(
    twilio: TwilioProvider, channel: Channel
) -> None:
    outcome = await channel.deliver(message("sms", to="0612345678"))
    assert isinstance(outcome, Rejected)
    assert outcome.address_invalid
    assert "0612345678" not in outcome.reason
    assert twilio.requests == []


@pytest.mark.parametrize(("body", "goes"), [("x" * 306, True), ("x" * 307, False)])
async def test_a_text_of_more_segments_than_the_shop_pays_for_is_not_sent(
    twilio: TwilioProvider, body: str, *, goes: bool
) -> None:
    channel = twilio.make(segments_max=2)
    outcome = await channel.deliver(message("sms", body=body))
    await channel.aclose()
    assert isinstance(outcome, Accepted if goes else Rejected)
    assert len(twilio.requests) == goes


@pytest.mark.parametrize(
    ("code", "status", "kind", "bad"),
    [
        (21610, 400, Rejected, True),
        (21211, 400, Rejected, True),
        (21614, 400, Rejected, True),
        (21408, 403, Rejected, False),
        (30007, 400, Rejected, False),
        (20429, 429, Retry, None),
        (20003, 401, Retry, None),
        (20404, 404, Retry, None),
        (20500, 500, Retry, None),
        (20503, 503, Retry, None),
    ],
)
async def test_an_error_is_judged_by_its_code(
    twilio: TwilioProvider,
    channel: Channel,
    code: int,
    status: int,
    kind: type,
    bad: bool | None,
) -> None:
    twilio.error = (code, status)
    outcome = await channel.deliver(message("sms"))
    assert isinstance(outcome, kind)
    assert getattr(outcome, "address_invalid", None) == bad
    assert str(status) in outcome.reason  # type: ignore[attr-defined]
    assert "33612345678" not in outcome.reason  # type: ignore[attr-defined]


async def test_an_error_is_read_from_a_server_that_packs_its_answers(
    twilio: TwilioProvider, channel: Channel
) -> None:
    async def packing(_: web.Request) -> web.StreamResponse:
        said = {"code": STOPPED, "message": "no " * 1_000, "status": 400}
        answer = web.json_response(said, status=400)
        answer.enable_compression()  # as the request lets it
        return answer

    twilio.answer = packing
    outcome = await channel.deliver(message("sms"))
    assert isinstance(outcome, Rejected)
    assert outcome.address_invalid


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<html>Please log in to this network</html>", Retry),
        ("{}", Accepted),
        ("", Accepted),  # cut off behind its head: it was taken
    ],
)
async def test_a_yes_that_is_not_twilios_is_none(
    twilio: TwilioProvider, channel: Channel, body: str, kind: type[Outcome]
) -> None:
    async def somebody_else(_: web.Request) -> web.StreamResponse:
        return web.Response(status=200, text=body)

    twilio.answer = somebody_else
    assert isinstance(await channel.deliver(message("sms")), kind)


@pytest.mark.parametrize("body", [b"<html>", b'{"message": "\xff"}', b"[" * 5_000])
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_account_that_is_refused_is_ours_to_mend(
    twilio: TwilioProvider, channel: Channel, status: int, body: bytes
) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    twilio.answer = refuse
    outcome = await channel.deliver(message("sms"))
    assert isinstance(outcome, Retry)
    assert "account_sid" in outcome.reason


async def test_who_is_too_fast_waits_as_long_as_he_is_told(
    twilio: TwilioProvider, channel: Channel
) -> None:
    async def slow_down(_: web.Request) -> web.Response:
        headers = {"Retry-After": "7"}
        return web.json_response({"code": 20429}, status=429, headers=headers)

    twilio.answer = slow_down
    outcome = await channel.deliver(message("sms"))
    assert isinstance(outcome, Retry)
    assert outcome.after_ms == 7_000


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("https://shop.example", True),
        ("http://localhost:8080", False),
        ("http://127.0.0.1:8080", False),
        ("http://192.168.0.4", False),
        ("http://[::1]:8080", False),
        ("http://8.8.8.8", True),
        ("http://shop.local", False),
        ("", False),
    ],
)
def test_nobody_outside_is_told_of_an_address_that_he_cannot_reach(
    address: str, *, outside: bool
) -> None:
    assert is_outside(address) is outside
