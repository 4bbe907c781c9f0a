from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.settings import Consent, Settings
from engine.core.people.consents import proofs
from engine.core.plan import Plan
from engine.core.state import new_user
from engine.server.links.preferences import masked_address
from engine.server.links.texts import LANGUAGES, language_of
from tests.core.world import campaign, send
from tests.server.house import House
from tests.server.links.visits import Reader, forms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    plan = Plan("p", [campaign("cart", send("email", "sms"), topic="sales")])
    settings = Settings(consent=Consent(topics={"news": "Our <newsletter>", "sales": "Sales"}))
    house = await House.start(tmp_path, plan=plan, settings=settings)
    made = Reader(house)
    await made.exists(email="ann@example.com", phone="+33123456789", consent={"email": True})
    yield made
    await house.aclose()


def consent(reader: Reader) -> object:
    user = reader.house.processor.find("u")
    assert user is not None
    return user.traits["consent"]


async def test_looking_at_the_link_unsubscribes_nobody(reader: Reader) -> None:
    answer = await reader.get("/u/{}", "unsubscribe")
    assert answer.status == 200
    assert "a•••@example.com" in answer.text
    assert "ann@example.com" not in answer.text
    assert '<form method="post">' in answer.text
    assert reader.stated == []


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart"])
async def test_one_click_unsubscribes_at_once_without_login_or_cookie(
    reader: Reader, content_type: str
) -> None:
    path = f"/u/{reader.token('unsubscribe')}"
    if content_type == "multipart":
        import aiohttp

        form = aiohttp.FormData(ONE_CLICK, default_to_multipart=True)
        answer = await reader.house.post(path, form, headers={})
    else:
        answer = await reader.post(path, ONE_CLICK)
    assert answer.status == 200
    assert reader.stated == [("one-click", {"email": False}, {})]
    assert consent(reader) == {"email": False}
    assert await reader.told() == [("unsubscribed", "")]
    assert (await reader.post(path, ONE_CLICK)).status == 200  # once more harms nobody


@pytest.mark.parametrize(
    ("topic", "form"), [("", ONE_CLICK), ("sales", {"scope": "topic"}), ("", {"scope": "channel"})]
)
async def test_whose_mailbox_it_is_has_said_no_for_all_who_are_reached_there(
    reader: Reader, topic: str, form: dict[str, str]
) -> None:
    for user_id, email in (("guest", "Ann@Example.com"), ("bob", "bob@example.com")):
        other = Reader(reader.house, user_id)
        await other.exists(email=email, consent={"email": True, "sms": True})
    await reader.post(f"/u/{reader.token('unsubscribe', topic)}", form)
    users = reader.house.processor.users
    no = {"topics": {"sales": False}} if topic else {"email": False}
    assert users["guest"].traits["consent"] == {"email": True, "sms": True} | no
    assert users["bob"].traits["consent"] == {"email": True, "sms": True}
    assert [(what, yes) for _, what, yes, _ in proofs(users["guest"])][2:] == [
        ("topic:sales" if topic else "email", False)
    ]
    assert await reader.told() == [("unsubscribed", "")]  # one message has led to it, and is his


async def test_a_no_to_all_channels_is_one_to_the_others_mailbox_alone(reader: Reader) -> None:
    guest = Reader(reader.house, "guest")
    await guest.exists(email="ann@example.com", consent={"email": True, "sms": True})
    await reader.post(f"/preferences/{reader.token('preferences')}", {"do": "leave"})
    consent = reader.house.processor.users["guest"].traits["consent"]
    assert (consent["email"], consent["sms"]) == (False, True)


async def test_the_pages_button_unsubscribes_and_leads_to_preferences(reader: Reader) -> None:
    answer = await reader.post(f"/u/{reader.token('unsubscribe')}", {"scope": "channel"})
    assert "You are unsubscribed" in answer.text
    assert 'href="../preferences/' in answer.text
    assert reader.stated == [("unsubscribe-page", {"email": False}, {})]


async def test_one_may_leave_a_topic_alone(reader: Reader) -> None:
    path = f"/u/{reader.token('unsubscribe', 'sales')}"
    assert "Only from “Sales”" in (await reader.house.get(path)).text
    await reader.post(path, {"scope": "topic"})
    assert reader.stated == [("unsubscribe-page", {}, {"sales": False})]


async def test_the_preference_page_shows_what_holds(reader: Reader) -> None:
    answer = await reader.get("/preferences/{}", "preferences")
    assert forms(answer.text) == [
        ("channel", "email", True),
        ("channel", "sms", False),
        ("topic", "news", True),
        ("topic", "sales", True),
    ]
    assert "Our &lt;newsletter&gt;" in answer.text


async def test_what_is_changed_on_it_is_taken_and_nothing_else(reader: Reader) -> None:
    path = f"/preferences/{reader.token('preferences')}"
    shown = {"shown_channel": ["email", "sms"], "shown_topic": ["news", "sales"]}
    answer = await reader.post(path, {**shown, "channel": ["email", "sms"], "topic": ["news"]})
    assert "Your preferences are saved." in answer.text
    assert reader.stated == [("preferences", {"sms": True}, {"sales": False})]
    assert consent(reader) == {"email": True, "sms": True, "topics": {"sales": False}}
    assert ("topic", "sales", False) in forms(answer.text)
    assert await reader.told() == [("unsubscribed", "")]


async def test_saving_without_a_change_states_nothing(reader: Reader) -> None:
    path = f"/preferences/{reader.token('preferences')}"
    shown = {"shown_channel": ["email", "sms"], "shown_topic": ["news", "sales"]}
    await reader.post(path, {**shown, "channel": ["email"], "topic": ["news", "sales"]})
    assert reader.stated == []


async def test_one_button_is_a_no_to_everything(reader: Reader) -> None:
    path = f"/preferences/{reader.token('preferences')}"
    answer = await reader.post(path, {"do": "leave"})
    assert "You are unsubscribed from everything." in answer.text
    assert reader.stated[0][1] == dict.fromkeys(("email", "push", "sms", "in_app"), False)


@pytest.mark.parametrize("route", ["u", "preferences"])
async def test_pages_keep_to_themselves(reader: Reader, route: str) -> None:
    purpose = "unsubscribe" if route == "u" else "preferences"
    answer = await reader.get(f"/{route}/{{}}", purpose)  # type: ignore[arg-type]
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    for never in ("<script", "http://", "https://", "style=", "onclick"):
        assert never not in answer.text


async def test_a_no_waits_until_it_is_durable(reader: Reader) -> None:
    reader.house.store.broken = True
    path = f"/u/{reader.token('unsubscribe')}"
    answer = await reader.post(path, ONE_CLICK)
    assert answer.status == 503
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"&" * 600, b"a=1&" * 600, b""])
async def test_a_form_that_is_none_unsubscribes_all_the_same(reader: Reader, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"/u/{reader.token('unsubscribe')}"
    assert (await reader.house.post(path, body, headers=headers)).status == 200
    assert consent(reader) == {"email": False}


async def test_an_expired_or_forged_link_changes_nothing(reader: Reader) -> None:
    expired = reader.token("unsubscribe", expires_in=-60_000)
    assert (await reader.post(f"/u/{expired}", ONE_CLICK)).status == 410
    forged = reader.token("preferences")
    assert (await reader.post(f"/u/{forged}", ONE_CLICK)).status == 404
    assert reader.stated == []


async def test_of_somebody_erased_nothing_is_made(reader: Reader) -> None:
    gone = Reader(reader.house, "erased")
    answer = await gone.post(f"/u/{gone.token('unsubscribe')}", ONE_CLICK)
    assert answer.status == 200
    assert reader.house.processor.find("erased") is None
    assert (await gone.get("/preferences/{}", "preferences")).status == 200


async def test_pages_speak_the_users_language(reader: Reader) -> None:
    await reader.exists(locale="fr-CA")
    page = await reader.get("/u/{}", "unsubscribe", headers={"Accept-Language": "de"})
    assert '<html lang="fr">' in page.text
    assert "Se désabonner" in page.text


@pytest.mark.parametrize(
    ("locale", "accepted", "language"),
    [
        ("de_AT", "", "de"),
        ("pt-BR", "es;q=0.5, fr;q=0.9, ja", "fr"),
        (None, "ja, *;q=0.1", "en"),
        (7, "en-GB,en;q=0.9,de", "en"),
        ("", "de;q=zero, es;q=0.1", "es"),
    ],
)
def test_the_language_is_his_locales_else_his_browsers(
    locale: object, accepted: str, language: str
) -> None:
    assert language_of(locale, accepted) == language


def test_every_language_says_everything() -> None:
    for texts in LANGUAGES.values():
        assert texts.keys() == LANGUAGES["en"].keys()
        for key, text in texts.items():
            wanted = {part.split("}")[0] for part in LANGUAGES["en"][key].split("{")[1:]}
            assert {part.split("}")[0] for part in text.split("{")[1:]} == wanted, key


def test_addresses_are_shown_in_part() -> None:
    user = new_user("u")
    user.traits = {"email": "ann@example.com", "phone": 33123456789, "push": {"endpoint": "x"}}
    assert masked_address(user, "email") == "a•••@example.com"
    assert masked_address(user, "sms") == "•••789"
    assert masked_address(user, "push") == ""
    assert masked_address(user, "in_app") == ""
    assert masked_address(None, "email") == ""
