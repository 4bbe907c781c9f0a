"""Webhooks over real sockets: who is let in, of whom it is said, and that it is taken once."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.effects import Record
from engine.core.inputs import (
    ConsentStated,
    EventNoticed,
    EventReceived,
    MessageAnswered,
    SentMessage,
    UserIdentified,
    UsersMerged,
)
from engine.core.instants import format_instant
from engine.core.messages.answers import answered, bounce_id
from engine.runtime.clock import wall_ms
from engine.server.rates import BAD_KEYS_BURST
from engine.server.webhooks.sns import OLD_MAX_MS
from tests.server.house import BEARER
from tests.server.webhooks.conftest import KINDS
from tests.server.webhooks.signing import SECRET, TIMED, Amazon, hmac_hex, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.server.webhooks.sns import Fetch
    from tests.server.webhooks.conftest import Called

ORDER = {
    "id": 820982911946154500,
    "order_number": 1234,
    "email": "jon@example.com",
    "total_price": "421.88",
    "currency": "USD",
    "created_at": "2026-01-01T00:00:00Z",
    "customer": {"id": 706405506930370000, "email": "jon@example.com", "first_name": "Jon"},
    "line_items": [{"product_id": 1, "title": "Shoe", "price": "199.00", "quantity": 2}],
}
CREATED = {"X-Shopify-Topic": "orders/create", "X-Shopify-Event-Id": "e1"}
BOUNCE = [{"event": "bounce", "email": "jon@example.com", "sg_event_id": "s1"}]
AMAZON = Amazon()
BODIES: dict[str, Any] = {"sendgrid": BOUNCE}


async def order(called: Called, **headers: str) -> Any:
    return await called.call("shopify", ORDER, **(CREATED | headers))


@pytest.mark.parametrize("kind", [*KINDS, "sendgrid"])
async def test_what_a_source_has_signed_is_let_in(called: Called, kind: str) -> None:
    answer = await called.call(kind, BODIES.get(kind, {}))

    assert (answer.status, answer.json) == (200, {"accepted": 0, "rejected": []})


@pytest.mark.parametrize("kind", [*KINDS, "sendgrid"])
async def test_without_a_signature_or_with_a_wrong_one_nobody_is(called: Called, kind: str) -> None:
    body, headers = signed(kind, BODIES.get(kind, {}), wall_ms())
    by_body = kind == "mailgun"
    missing = await called.send(kind, b"{}" if by_body else body, {})
    forged = body.replace(b'"signature": "', b'"signature": "0') if by_body else body + b" "
    wrong = headers if kind not in {"postmark", "brevo"} else {"Authorization": "Bearer x"}
    changed = await called.send(kind, forged, wrong)

    for answer in (missing, changed):
        assert (answer.status, answer.json["code"]) == (401, "webhook.signature")
    assert called.house.inputs == []


@pytest.mark.parametrize("kind", TIMED)
@pytest.mark.parametrize("away_ms", [-301_000, 400_000])
async def test_what_was_signed_long_ago_is_refused(called: Called, kind: str, away_ms: int) -> None:
    body, headers = signed(kind, BODIES.get(kind, {}), wall_ms() + away_ms)
    answer = await called.send(kind, body, headers)

    assert (answer.status, answer.json["code"]) == (401, "webhook.stale")


async def test_a_source_without_a_secret_lets_nobody_in(called: Called) -> None:
    answer = await called.call("no-secret", ORDER, "shopify")

    assert (answer.status, answer.json["code"]) == (401, "webhook.secret")


async def test_an_unknown_source_is_told_how_to_become_one(called: Called) -> None:
    answer = await called.send("magento", b"{}", {})

    assert (answer.status, answer.json["code"]) == (404, "webhook.unknown")
    assert "[webhooks.magento]" in answer.json["detail"]


async def test_where_sms_go_by_nobody_twilio_is_told_where_they_are_set(called: Called) -> None:
    answer = await called.send("twilio", b"{}", {})

    assert (answer.status, answer.json["code"]) == (404, "webhook.unknown")
    assert "[channels.sms]" in answer.json["detail"]


async def test_an_address_with_many_bad_calls_waits_and_a_good_one_is_taken_all_the_same(
    called: Called,
) -> None:
    """A shop whose secret is an old one for a while shares an address with all its provider's."""
    body, headers = signed("shopify", ORDER, wall_ms(), **CREATED)
    forged = [await called.send("shopify", body + b" ", headers) for _ in range(BAD_KEYS_BURST)]
    over = await called.send("shopify", body + b" ", headers)
    elsewhere = await called.send("stripe", b"{}", {})
    unknown = await called.send("magento", b"{}", {})
    good = await called.send("shopify", body, headers)
    called.house.monotonic_ns += 1_000_000_000
    after = await called.send("shopify", body + b" ", headers)

    assert {answer.status for answer in forged} == {401}
    for answer in (over, elsewhere, unknown):
        assert (answer.status, answer.json["code"]) == (429, "key.too_many")
        assert answer.headers["Retry-After"] == "1"
    assert "webhook's source or signature" in over.json["detail"]
    assert (good.status, good.json["accepted"]) == (200, 2)
    assert after.status == 401
    assert called.house.refused("signature") == BAD_KEYS_BURST + 3
    assert called.house.refused("source") == 1


async def test_who_tries_many_names_of_sources_waits(called: Called) -> None:
    tried = [await called.send(f"shop{n}", b"{}", {}) for n in range(BAD_KEYS_BURST)]
    over = await called.send("shop", b"{}", {})

    assert {answer.status for answer in tried} == {404}
    assert (over.status, over.json["code"]) == (429, "key.too_many")
    assert called.house.refused("source") == BAD_KEYS_BURST + 1


@pytest.mark.parametrize("name", ["till", "postmark", "brevo", "amazon"])
@pytest.mark.parametrize("fetch", [AMAZON.fetch])
async def test_who_guesses_at_a_token_is_refused_with_the_right_one_too(
    called: Called, name: str
) -> None:
    """A token can be guessed, unlike a signature: an address has so many tries and no more."""
    paid: dict[str, str] = {"kind": "Paid", "of": "ada"}
    body = json.dumps(AMAZON.envelope("Notification", "{}") if name == "amazon" else paid).encode()
    right = {"Authorization": f"Bearer {SECRET}"}
    tries = [
        await called.send(name, body, {"Authorization": f"Bearer guess-{n}"})
        for n in range(BAD_KEYS_BURST)
    ]
    over = [
        await called.send(name, body, right),
        await called.send(f"{name}?token={SECRET}", body, {}),
        await called.send(name, body, {"Authorization": "Bearer guess"}),
    ]
    refused, inputs = called.house.refused("signature"), len(called.house.inputs)
    called.house.monotonic_ns += 1_000_000_000
    after = await called.send(name, body, right)

    assert {answer.status for answer in tries} == {401}
    for answer in over:
        assert (answer.status, answer.json["code"]) == (429, "key.too_many")
        assert answer.headers["Retry-After"] == "1"
    assert (refused, inputs) == (BAD_KEYS_BURST + 3, 0)
    assert after.status == 200


async def test_a_call_is_asked_for_its_address_once_its_body_is_there(called: Called) -> None:
    """Or whoever held back the ends of many bodies had as many tries."""
    ends = asyncio.Event()

    async def held_back() -> AsyncIterator[bytes]:
        yield b"{"
        await ends.wait()
        yield b"}"

    right = {"Authorization": f"Bearer {SECRET}"}
    under_way = asyncio.create_task(called.send("postmark", held_back(), right))
    for _ in range(BAD_KEYS_BURST):
        await called.send("postmark", b"{}", {"Authorization": "Bearer guess"})
    ends.set()

    assert (await under_way).status == 429


async def test_good_calls_of_one_address_are_never_too_many(called: Called) -> None:
    answers = [await called.call("stripe", {}) for _ in range(BAD_KEYS_BURST + 1)]

    assert {answer.status for answer in answers} == {200}
    assert called.house.refused("signature") == 0


async def test_what_is_signed_and_cannot_be_read_is_no_bad_call(called: Called) -> None:
    answers = [await called.call("shopify", [1], **CREATED) for _ in range(BAD_KEYS_BURST + 1)]

    assert {answer.status for answer in answers} == {400}


async def test_an_order_is_its_customers_and_has_its_products(called: Called) -> None:
    answer = await order(called)

    assert answer.json == {"accepted": 2, "rejected": []}
    traits, event = called.house.inputs
    assert isinstance(traits, UserIdentified)
    assert isinstance(event, EventReceived)
    assert event.user_id == traits.user_id == "706405506930370000"
    assert json.loads(bytes(traits.traits))["email"] == "jon@example.com"
    properties = json.loads(bytes(event.properties))
    assert (event.name, properties["total"], properties["currency"]) == (
        "Order Completed",
        421.88,
        "USD",
    )
    line = {"product_id": "1", "name": "Shoe", "price": 199.0, "quantity": 2}
    assert properties["products"] == [line]
    assert event.occurred_at_ms == 1_767_225_600_000


async def test_a_call_that_is_sent_again_is_taken_once(called: Called) -> None:
    for _ in range(2):
        assert (await order(called)).status == 200

    assert [type(one) for one in called.house.inputs] == [UserIdentified, EventReceived]


async def test_an_order_told_twice_by_two_deliveries_is_completed_once(called: Called) -> None:
    await order(called)
    await order(called, **{"X-Shopify-Event-Id": "e2"})

    names = [one.name for one in called.house.inputs if isinstance(one, EventReceived)]
    assert names == ["Order Completed"]


async def test_whoever_is_known_by_the_address_is_meant(called: Called) -> None:
    known = {"type": "identify", "user_id": "ada", "traits": {"email": "Jon@Example.com"}}
    assert (await called.house.post("/events", known, headers=BEARER)).status == 200
    await order(called)

    assert {one.user_id for one in called.house.inputs[1:]} == {"ada"}  # type: ignore[union-attr]


async def test_whoever_is_known_by_the_id_comes_before_the_address(called: Called) -> None:
    for user_id, email in (("ada", "jon@example.com"), ("706405506930370000", "other@b.c")):
        known = {"type": "identify", "user_id": user_id, "traits": {"email": email}}
        await called.house.post("/events", known, headers=BEARER)
    await order(called)

    assert called.house.inputs[-1].user_id == "706405506930370000"  # type: ignore[union-attr]


async def test_what_becomes_of_an_order_is_nothing_that_the_customer_did(called: Called) -> None:
    await order(called, **{"X-Shopify-Topic": "orders/fulfilled"})

    (event,) = called.house.inputs
    assert isinstance(event, EventNoticed)
    assert event.name == "Order Fulfilled"


async def test_a_checkout_joins_its_cart_to_its_customer(called: Called) -> None:
    cart = {"token": "c1", "line_items": [{"product_id": 1}], "updated_at": "2026-01-01T00:00:00Z"}
    await called.call("shopify", cart, **{"X-Shopify-Topic": "carts/update"})
    checkout = {"token": "k1", "cart_token": "c1", "customer": {"id": 7, "email": "a@b.c"}}
    await called.call("shopify", checkout, **{"X-Shopify-Topic": "checkouts/create"})

    updated, merged, started = called.house.inputs
    assert isinstance(updated, EventReceived)
    assert (updated.user_id, updated.is_anonymous) == ("c1", True)
    assert isinstance(merged, UsersMerged)
    assert (merged.user_id, merged.merged_id) == ("7", "c1")
    assert isinstance(started, EventReceived)
    assert started.name == "Checkout Started"


async def test_consent_that_was_stated_at_the_shop_holds_here(called: Called) -> None:
    stated = {
        "customer_id": 7,
        "email_address": "a@b.c",
        "email_marketing_consent": {
            "state": "unsubscribed",
            "consent_updated_at": "2026-01-01T00:00:00Z",
        },
    }
    topic = {"X-Shopify-Topic": "customers_email_marketing_consent/update"}
    await called.call("shopify", stated, **topic)

    (consent,) = called.house.inputs
    assert isinstance(consent, ConsentStated)
    assert (consent.channels, consent.source) == ({"email": False}, "shopify")
    assert called.house.processor.users["7"].traits["consent"] == {"email": False}


async def test_a_yes_from_before_somebody_said_no_is_not_his_last_word(called: Called) -> None:
    def stated(state: str, at_ms: int) -> dict[str, Any]:
        at = format_instant(at_ms)
        consent = {"state": state, "consent_updated_at": at}
        return {"customer_id": 7, "email_address": "a@b.c", "email_marketing_consent": consent}

    async def tell(number: int, body: dict[str, Any]) -> None:
        topic = {"X-Shopify-Topic": "customers_email_marketing_consent/update"}
        await called.call("shopify", body, **topic, **{"X-Shopify-Event-Id": f"e{number}"})

    now_ms = called.house.clock.now_ms()
    no = {"type": "identify", "user_id": "7", "traits": {"consent": {"email": False}}}
    await tell(1, stated("subscribed", now_ms - 7_200_000))
    await called.house.post("/events", no, headers=BEARER)
    await tell(2, stated("subscribed", now_ms - 3_600_000))  # Shopify tries again for hours
    assert called.house.processor.users["7"].traits["consent"] == {"email": False}
    await tell(3, stated("unsubscribed", now_ms - 3_600_000))
    await tell(4, stated("subscribed", now_ms + 3_600_000))  # since then, by a clock that is ahead
    assert called.house.processor.users["7"].traits["consent"] == {"email": True}


async def test_woocommerce_is_answered_as_it_saves_a_webhook(called: Called) -> None:
    answer = await called.send("woocommerce", b"webhook_id=17", {})

    assert answer.status == 200


async def test_an_order_of_a_guest_is_of_his_address(called: Called) -> None:
    guest = {"id": 5, "status": "processing", "customer_id": 0, "total": "29.35",
             "billing": {"email": "a@b.c"}}  # fmt: skip
    for topic in ("order.created", "order.updated"):
        await called.call("woocommerce", guest, **{"X-WC-Webhook-Topic": topic})

    events = [one for one in called.house.inputs if isinstance(one, EventReceived)]
    assert [(one.user_id, one.name) for one in events] == [("a@b.c", "Order Completed")]


async def test_a_checkout_at_stripe_is_in_whole_units_and_of_whom_it_names(called: Called) -> None:
    session = {"id": "cs_1", "amount_total": 2999, "currency": "eur", "customer": "cus_1",
               "client_reference_id": "ada", "customer_details": {"email": "a@b.c"}}  # fmt: skip
    body = {"id": "evt_1", "type": "checkout.session.completed", "created": 1_700_000_000,
            "data": {"object": session}}  # fmt: skip
    await called.call("stripe", body)

    merged, event = called.house.inputs
    assert isinstance(merged, UsersMerged)
    assert (merged.user_id, merged.merged_id) == ("ada", "cus_1")
    assert isinstance(event, EventReceived)
    properties = json.loads(bytes(event.properties))
    assert (properties["total"], properties["currency"]) == (29.99, "EUR")
    assert event.occurred_at_ms == 1_700_000_000_000


async def test_a_yen_has_no_cents(called: Called) -> None:
    about = {"amount": 500, "currency": "jpy", "billing_details": {"email": "a@b.c"}}
    await called.call("stripe", {"id": "e", "type": "charge.succeeded", "data": {"object": about}})

    event = called.house.inputs[-1]
    assert isinstance(event, EventNoticed)
    assert json.loads(bytes(event.properties))["total"] == 500


async def test_a_standard_webhook_is_an_event_of_its_type(called: Called) -> None:
    body = {"type": "seat.booked", "timestamp": "2026-01-01T00:00:00Z",
            "data": {"seat": "4A", "customer": {"id": "ada"}}}  # fmt: skip
    for _ in range(2):
        await called.call("standard", body)

    (event,) = called.house.inputs
    assert isinstance(event, EventReceived)
    assert (event.user_id, event.name) == ("ada", "seat.booked")


EARNED = {"kind": "earned", "points": 40, "at": "2026-01-01T00:00:00Z",
          "member": {"id": 17, "mail": "a@b.c", "tier": "gold"}}  # fmt: skip


async def test_a_shop_maps_a_source_of_its_own(called: Called) -> None:
    answer = await called.call("loyalty", EARNED, "standard")

    assert answer.json == {"accepted": 2, "rejected": []}
    traits, event = called.house.inputs
    assert isinstance(traits, UserIdentified)
    assert json.loads(bytes(traits.traits)) == {"email": "a@b.c", "tier": "gold"}
    assert isinstance(event, EventNoticed)
    assert (event.user_id, event.name) == ("17", "Points Earned")
    assert json.loads(bytes(event.properties)) == {"points": 40}
    assert event.occurred_at_ms == 1_767_225_600_000


async def test_what_the_mapping_calls_nothing_is_nothing(called: Called) -> None:
    answer = await called.call("loyalty", {"kind": "ping"}, "standard")

    assert (answer.status, answer.json["accepted"]) == (200, 0)


@pytest.mark.parametrize(
    ("body", "code"),
    [({"points": 1}, "webhook.unmapped"), ({"kind": "earned"}, "webhook.nobody")],
)
async def test_a_call_that_the_mapping_cannot_read_is_told_why(
    called: Called, body: Any, code: str
) -> None:
    answer = await called.call("loyalty", body, "standard")

    assert (answer.status, answer.json["code"]) == (400, code)


async def test_a_mapped_source_may_sign_in_hexadecimal(called: Called) -> None:
    body = json.dumps({"id": "p1", "state": "Sent", "to": "a@b.c"}).encode()
    good = await called.send("parcels", body, {"X-Parcel-Signature": "sha256=" + hmac_hex(body)})
    bad = await called.send("parcels", body, {"X-Parcel-Signature": hmac_hex(body, "other")})

    assert (good.status, bad.status) == (200, 401)
    assert [one.name for one in called.house.inputs if isinstance(one, EventReceived)] == [
        "Parcel Sent"
    ]


async def known(called: Called) -> None:
    identify = {"type": "identify", "user_id": "ada", "traits": {"email": "jon@example.com"}}
    await called.house.post("/events", identify, headers=BEARER)


async def test_a_mailbox_that_is_no_more_gets_nothing_more(called: Called) -> None:
    await known(called)
    await called.call("sendgrid", BOUNCE)

    _, bounced, suppressed = called.house.inputs
    assert isinstance(bounced, MessageAnswered)
    assert (bounced.user_id, bounced.answer) == ("ada", "bounced")
    assert isinstance(suppressed, ConsentStated)
    assert suppressed.suppressed == {"email": True}


MAIL = "f" * 32


async def sent(called: Called) -> SentMessage:
    """A mail to her is in the records."""
    at_ms = called.house.clock.now_ms()
    called.house.processor.made.append(
        Record(at_ms, "ada", "cart", "sent", "e1", "mail", "email", "t", message=MAIL)
    )
    await known(called)
    return SentMessage(MAIL, "email", "cart", "e1", "mail", "t", sent_at_ms=at_ms)


def bounce_of(message: str, key: str, kind: str = "bounce") -> list[dict[str, Any]]:
    told = {"event": "bounce", "type": kind, "email": "jon@example.com"}
    return [told | {"smtp-id": f"<{message}@shop.example>", "sg_event_id": key}]


def bounces(called: Called) -> list[MessageAnswered]:
    return [one for one in called.house.inputs if isinstance(one, MessageAnswered)]


async def test_a_bounce_is_one_however_often_and_in_whichever_words_it_is_told(
    called: Called,
) -> None:
    await sent(called)
    for kind, key in (("bounce", "s1"), ("bounce", "s2"), ("blocked", "s3"), ("expired", "s4")):
        await called.call("sendgrid", bounce_of(MAIL, key, kind))

    told = [json.loads(bytes(one.properties)) for one in bounces(called)]
    assert [(one["bounce_type"], one["message_id"]) for one in told] == [
        ("hard", MAIL),
        ("soft", MAIL),
    ]


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_bounce_that_was_told_as_the_mail_was_handed_over_is_not_told_again(
    called: Called, *, remembered: bool
) -> None:
    about = await sent(called)
    house = called.house
    now_ms = house.clock.now_ms()
    own = answered("ada", about, "bounced", now_ms, bounce="hard")
    own.message_id = bounce_id(about.id, "hard")
    own.at_hand_over = True
    await house.shell.submit([own])
    if not remembered:
        assert house.processor.dedupe is not None
        for _ in range(2):
            house.processor.dedupe.turn(now_ms)
    answer = await called.call("sendgrid", bounce_of(MAIL, "s1"))

    assert answer.json["rejected"] == []
    assert bounces(called) == [own]
    assert isinstance(house.inputs[-1], ConsentStated)  # it is suppressed, however told


async def test_a_complaint_is_a_no_to_further_mail(called: Called) -> None:
    await known(called)
    told = {"RecordType": "SpamComplaint", "Email": "jon@example.com", "MessageID": "m"}
    await called.call("postmark", told)

    assert called.house.processor.users["ada"].traits["consent"] == {"email": False}


async def test_a_no_that_is_told_again_takes_back_no_later_yes(called: Called) -> None:
    await known(called)
    told = [{"event": "unsubscribe", "email": "jon@example.com", "sg_event_id": "s1"}]
    await called.call("sendgrid", told)
    yes = {"type": "identify", "user_id": "ada", "traits": {"consent": {"email": True}}}
    await called.house.post("/events", yes, headers=BEARER)
    await called.call("sendgrid", told)

    assert called.house.processor.users["ada"].traits["consent"] == {"email": True}


async def test_of_a_mailbox_that_nobody_has_nothing_is_kept_but_its_no(called: Called) -> None:
    opened = {"event": "opened", "email": "nobody@example.com", "ts_epoch": 5}
    answer = await called.call("brevo", opened)

    assert answer.json["accepted"] == 0


@pytest.mark.parametrize(
    ("agent", "name"),
    [("Mozilla/5.0 (Windows NT 10.0) Firefox/140", "Email Link Clicked"), ("Barracuda/1", "")],
)
async def test_a_click_by_a_scanner_is_nobodys(called: Called, agent: str, name: str) -> None:
    await known(called)
    clicked = {"event": "click", "email": "jon@example.com", "useragent": agent, "sg_event_id": "c"}
    await called.call("sendgrid", [clicked])

    answer = called.house.inputs[-1]
    assert isinstance(answer, MessageAnswered)
    assert answer.name == name


async def test_a_token_of_mailgun_is_taken_once(called: Called) -> None:
    await known(called)
    opened = {"event-data": {"event": "opened", "recipient": "jon@example.com"}}
    first = await called.call("mailgun", opened, token="t1")
    second = await called.call("mailgun", opened, token="t1")
    third = await called.call("mailgun", opened, token="t2")

    assert [one.status for one in (first, second, third)] == [200, 406, 200]
    assert len(called.house.inputs) == 3


async def test_a_token_of_mailgun_that_said_nothing_is_no_good_for_anything_else(
    called: Called,
) -> None:
    await known(called)
    delivered = {"event-data": {"event": "delivered", "recipient": "jon@example.com"}}
    opened = {"event-data": {"event": "opened", "recipient": "jon@example.com"}}
    complained = {"event-data": {"event": "complained", "recipient": "jon@example.com"}}
    first = await called.call("mailgun", delivered, token="t1")
    second = await called.call("mailgun", opened, token="t1")
    third = await called.call("mailgun", opened, token="t2")
    fourth = await called.call("mailgun", complained, token="t2")

    assert [one.status for one in (first, second, third, fourth)] == [200, 406, 200, 406]
    assert [type(one) for one in called.house.inputs[1:]] == [MessageAnswered]


async def test_what_a_call_says_wrongly_is_quarantined(called: Called) -> None:
    body = {"type": "x" * 1001, "data": {"user_id": "ada"}}
    answer = await called.call("standard", body)

    assert answer.json["accepted"] == 0
    (kept,) = called.house.quarantined
    assert (kept.source, kept.path) == ("/webhooks/standard", "$.event")


@pytest.mark.parametrize("header", [b"Stripe-Signature: t=\xff,v1=a", b"webhook-id: \xff"])
async def test_a_header_that_is_no_text_is_told_so(called: Called, header: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", called.port)
    head = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    writer.write(head + header + b"\r\n\r\n{}")
    answered = await reader.readuntil(b"\r\n")
    writer.close()
    await writer.wait_closed()

    assert b" 400 " in answered


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 9_000])
async def test_what_is_no_object_is_told_so(called: Called, body: bytes) -> None:
    body, headers = signed("shopify", body, wall_ms(), **CREATED)
    answer = await called.send("shopify", body, headers)

    assert answer.status == 400


class TestAmazon:
    @pytest.fixture
    def fetch(self) -> Fetch:
        AMAZON.asked.clear()
        return AMAZON.fetch

    async def send(self, called: Called, envelope: dict[str, str]) -> Any:
        return await called.send("ses", json.dumps(envelope).encode(), {})

    async def test_what_amazon_signed_is_taken_and_its_certificate_kept(
        self, called: Called
    ) -> None:
        await known(called)
        opened = {"eventType": "Open", "mail": {"destination": ["jon@example.com"]}, "open": {}}
        envelope = AMAZON.envelope("Notification", json.dumps(opened))
        for _ in range(2):
            answer = await self.send(called, envelope)
            assert answer.status == 200, answer.text

        assert [type(one) for one in called.house.inputs] == [UserIdentified, MessageAnswered]
        assert len(AMAZON.asked) == 1

    @pytest.mark.parametrize(
        ("age_ms", "status"),
        [(OLD_MAX_MS - 60_000, 200), (OLD_MAX_MS + 1_000, 401), (-60_000, 200), (-310_000, 401)],
    )
    async def test_what_amazon_published_is_taken_as_long_as_it_may_try(
        self, called: Called, age_ms: int, status: int
    ) -> None:
        envelope = AMAZON.envelope("Notification", "{}", at_ms=wall_ms() - age_ms)
        answer = await self.send(called, envelope)

        assert answer.status == status
        assert status == 200 or answer.json["code"] == "webhook.stale"

    async def test_an_instant_that_is_none_is_no_signature(self, called: Called) -> None:
        envelope = AMAZON.envelope("Notification", "{}", Timestamp="yesterday")
        answer = await self.send(called, envelope)

        assert (answer.status, answer.json["code"]) == (401, "webhook.signature")

    async def test_a_topic_that_asks_whether_it_may_send_is_told_yes(self, called: Called) -> None:
        subscribe = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
        envelope = AMAZON.envelope(
            "SubscriptionConfirmation", "Hello", Token="t", SubscribeURL=subscribe
        )
        answer = await self.send(called, envelope)

        assert answer.json == {"confirmed": True}
        assert subscribe in AMAZON.asked

    @pytest.mark.parametrize(
        "changed",
        [
            {"Message": "{}"},
            {"Signature": "AAAA"},
            {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/cert.pem"},
            {"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/cert.pem"},
            {"SigningCertURL": "https://sns.s3.amazonaws.com/cert.pem"},
            {"SigningCertURL": "https://sns.s3-us-west-2.amazonaws.com/cert.pem"},
            {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/?Action=Get&x=.pem"},
        ],
    )
    async def test_what_amazon_has_not_signed_is_refused(
        self, called: Called, changed: dict[str, str]
    ) -> None:
        envelope = AMAZON.envelope("Notification", "told") | changed
        answer = await self.send(called, envelope)

        assert (answer.status, answer.json["code"]) == (401, "webhook.signature")
        assert len(AMAZON.asked) == ("SigningCertURL" not in changed)
