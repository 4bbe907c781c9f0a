from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from channels.twilio import callback_address
from engine.core.inputs import ConsentStated, MessageAnswered
from engine.runtime.admin.owners import Owners
from engine.server.rates import BAD_KEYS_BURST
from engine.server.twilio import SIGNATURE, signature
from tests.channels.providers import message
from tests.server.by_twilio import PATH, SHOP, TOKEN, Open, opened
from tests.server.house import Answer, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NUMBER = "+33612345678"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Open]:
    house = await opened(tmp_path, help_text="Write to <help@shop.example>")
    yield house
    await house.aclose()


def test_a_signature_is_the_one_of_twilios_own_example() -> None:
    # https://www.twilio.com/docs/usage/security#validating-signatures-from-twilio
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    address = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", address, list(fields.items())) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize("signed", ["", "x", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "☂"])
async def test_what_is_not_signed_for_us_changes_nothing(house: Open, signed: str) -> None:
    await house.knows("ada", phone=NUMBER)
    known = len(house.inputs)
    answer = await house.call(signed=signed, From=NUMBER, Body="STOP", MessageSid="SM1")
    assert (answer.status, answer.json["code"]) == (403, "twilio.signature")
    assert len(house.inputs) == known


async def test_an_address_with_many_bad_signatures_waits_and_a_good_one_is_heard(
    house: Open,
) -> None:
    await house.knows("ada", phone=NUMBER)
    known = len(house.inputs)
    forged = [await house.call(signed="x", Body="STOP") for _ in range(BAD_KEYS_BURST)]
    over = await house.call(signed="x", Body="STOP")
    good = await house.call(From=NUMBER, Body="STOP", MessageSid="SM1")

    assert {answer.status for answer in forged} == {403}
    assert (over.status, over.json["code"]) == (429, "key.too_many")
    assert over.headers["Retry-After"] == "1"
    assert (good.status, len(house.inputs)) == (200, known + 1)
    assert house.refused("signature") == BAD_KEYS_BURST + 1


async def test_a_signature_is_of_one_address_and_one_form(house: Open) -> None:
    good = signature(TOKEN, SHOP + PATH, [("From", NUMBER), ("Body", "STOP")])
    other = await house.call(signed=good, From=NUMBER, Body="START")
    assert other.status == 403
    elsewhere = await house.call(SHOP + PATH + "?x=1", signed=good, From=NUMBER, Body="STOP")
    assert elsewhere.status == 403


@pytest.mark.parametrize("port", ["", ":443"])
async def test_the_usual_port_may_be_written_or_left_out(house: Open, port: str) -> None:
    form = [("From", NUMBER), ("Body", "hi")]
    good = signature(TOKEN, f"https://shop.example{port}{PATH}", form)
    assert (await house.call(signed=good, From=NUMBER, Body="hi")).status == 200


@pytest.mark.parametrize("word", ["STOP", " stop. ", "Unsubscribe", "QUIT", "stopall"])
async def test_a_stop_is_a_no_at_once_with_its_proof(house: Open, word: str) -> None:
    await house.knows("ada", phone="+33 6 12 34 56 78", consent={"sms": True, "email": True})
    answer = await house.call(From=NUMBER, Body=word, MessageSid="SM1")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    assert answer.text.endswith("<Response></Response>")
    ada = house.processor.users["ada"]
    assert ada.traits["consent"] == {"sms": False, "email": True}
    assert ada.suppressed == {"sms": "+33 6 12 34 56 78"}
    assert ada.rapport is not None
    assert " sms-stop no sms\n" in ada.rapport.consents
    assert isinstance(house.inputs[-1], ConsentStated)


async def test_who_has_answered_stop_may_answer_start(house: Open) -> None:
    await house.knows("ada", phone=NUMBER)
    await house.call(From=NUMBER, Body="STOP", MessageSid="SM1")
    await house.call(From=NUMBER, Body="START", MessageSid="SM2")
    ada = house.processor.users["ada"]
    assert ada.traits["consent"]["sms"] is True
    assert ada.suppressed == {}


async def test_the_same_answer_twice_is_one(house: Open) -> None:
    await house.knows("ada", phone=NUMBER)
    for _ in range(2):
        await house.call(From=NUMBER, Body="STOP", MessageSid="SM1")
    stated = [one for one in house.inputs if isinstance(one, ConsentStated)]
    assert len(stated) == 1


async def test_a_number_of_two_users_is_a_no_of_both_and_of_no_other(house: Open) -> None:
    await house.knows("ada", phone=NUMBER)
    await house.knows("bob", phone=NUMBER)
    await house.knows("eve", phone="+33612345679")
    await house.call(From=NUMBER, Body="STOP", MessageSid="SM1")
    refused = [user for user, one in house.processor.users.items() if "consent" in one.traits]
    assert refused == ["ada", "bob"]


async def test_answers_that_come_together_are_looked_up_together(house: Open) -> None:
    for number in range(40):
        await house.knows(f"u{number}", phone=f"+3361234{number:04d}")
    owners = Owners(house.processor, "sms")
    numbers = [f"+3361234{number:04d}" for number in range(40)]
    found = await asyncio.gather(*(owners.of(number) for number in [*numbers, "+4912345678"]))
    assert found == [*([f"u{number}"] for number in range(40)), []]


async def test_what_advanced_opt_out_says_counts(house: Open) -> None:
    await house.knows("ada", phone=NUMBER)
    await house.call(From=NUMBER, Body="arrêt", OptOutType="STOP", MessageSid="SM1")
    assert house.processor.users["ada"].traits["consent"] == {"sms": False}


async def test_help_is_answered_as_the_shop_says(house: Open) -> None:
    answer = await house.call(From=NUMBER, Body="help", MessageSid="SM1")
    assert "<Message>Write to &lt;help@shop.example&gt;</Message>" in answer.text


async def test_other_words_are_nobodys_no(house: Open) -> None:
    await house.knows("ada", phone=NUMBER)
    answer = await house.call(From=NUMBER, Body="please stop by my house", MessageSid="SM1")
    assert answer.status == 200
    assert "consent" not in house.processor.users["ada"].traits


async def status(house: Open, said: str, **fields: str) -> Answer:
    sent = message("sms", user_id="ada", enrollment="e1", template="t")
    about = {"MessageStatus": said, "MessageSid": "SM1", "To": NUMBER}
    return await house.call(callback_address(SHOP, sent), **{**about, **fields})


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("delivered", "SMS Delivered"),
        ("undelivered", "SMS Bounced"),
        ("failed", "SMS Bounced"),
    ],
)
async def test_what_became_of_a_message_is_an_event_of_its_user(
    house: Open, said: str, name: str
) -> None:
    await house.knows("ada", phone=NUMBER)
    seen_at_ms = house.processor.users["ada"].last_seen_at_ms
    assert (await status(house, said, ErrorCode="30003")).status == 204
    happened = house.inputs[-1]
    assert isinstance(happened, MessageAnswered)
    assert (happened.name, happened.user_id) == (name, "ada")
    assert happened.sent.campaign == "cart-abandonment"
    assert happened.sent.enrollment == "e1"
    ada = house.processor.users["ada"]
    assert ada.last_seen_at_ms == seen_at_ms  # it is nothing that she did
    assert ada.suppressed == {}


@pytest.mark.parametrize(("code", "how"), [("30003", "soft"), ("30006", "hard")])
async def test_a_bounce_tells_how_and_is_one_of_its_message(
    house: Open, code: str, how: str
) -> None:
    await house.knows("ada", phone=NUMBER)
    for sid in ("SM1", "SM2"):  # Twilio got it twice, as the answer to the first was lost
        await status(house, "undelivered", ErrorCode=code, MessageSid=sid)
    (bounced,) = [one for one in house.inputs if isinstance(one, MessageAnswered)]
    assert json.loads(bytes(bounced.properties))["bounce_type"] == how


async def test_the_same_status_twice_is_one(house: Open) -> None:
    await house.knows("ada", phone=NUMBER)
    await status(house, "delivered")
    await status(house, "delivered")
    assert sum(isinstance(one, MessageAnswered) for one in house.inputs) == 1


async def test_a_number_that_takes_no_sms_is_suppressed(house: Open) -> None:
    await house.knows("ada", phone=NUMBER)
    await status(house, "undelivered", ErrorCode="30006")
    assert house.processor.users["ada"].suppressed == {"sms": NUMBER}


async def test_a_number_that_was_his_suppresses_none_that_he_has_now(house: Open) -> None:
    await house.knows("ada", phone="+4930123456")
    await status(house, "undelivered", ErrorCode="30006")
    assert house.processor.users["ada"].suppressed == {}


async def test_a_number_that_has_answered_stop_elsewhere_is_a_no(house: Open) -> None:
    await house.knows("ada", phone=NUMBER)
    await status(house, "failed", ErrorCode="21610")
    assert house.processor.users["ada"].traits["consent"] == {"sms": False}


@pytest.mark.parametrize("said", ["queued", "sent", "sending", "strange"])
async def test_what_is_under_way_says_nothing_yet(house: Open, said: str) -> None:
    await house.knows("ada", phone=NUMBER)
    known = len(house.inputs)
    assert (await status(house, said)).status == 204
    assert len(house.inputs) == known


async def test_a_message_of_somebody_erased_is_nobodys(house: Open) -> None:
    assert (await status(house, "delivered")).status == 204
    assert house.inputs == []


async def test_a_shop_without_an_account_has_no_such_route(tmp_path: Path) -> None:
    house = await House.start(tmp_path)
    answer = await house.post(PATH, "Body=STOP")
    await house.aclose()
    assert answer.status == 404


@pytest.mark.parametrize("body", ["&" * 300, "a=1&" * 300, b"\xff\xfe=1"])
async def test_what_is_no_form_is_refused(house: Open, body: Any) -> None:
    answer = await house.post(PATH, body, headers={SIGNATURE: "x"})
    assert answer.status in {400, 403}
