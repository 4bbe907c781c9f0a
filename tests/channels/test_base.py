from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import CHANNEL_IDS, SAID_CHARS_MAX, Message, address_of, key_of, legible
from tests.channels.providers import message

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS))
def test_a_message_comes_back_from_its_bytes_as_it_was(
    body: str, to: str, front: dict[str, str]
) -> None:
    sent = message("email", body=body, to=to, front=front)
    assert Message.from_bytes(sent.to_bytes()) == sent
    assert Message.from_bytes(sent.to_bytes()).to_bytes() == sent.to_bytes()


def test_equal_messages_have_equal_bytes_whatever_order_their_values_came_in() -> None:
    one = message("email", front={"subject": "a", "from": "b"})
    other = message("email", front={"from": "b", "subject": "a"})
    assert one.to_bytes() == other.to_bytes()


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        Message.from_bytes(b'{"id": 1}')


def test_a_hash_is_its_own_key() -> None:
    assert key_of("00ffab12") == "00ffab12"


@given(TEXTS, TEXTS)
def test_keys_are_plain_and_differ_where_ids_differ(one: str, other: str) -> None:
    assert key_of(one).isascii()
    assert not set(key_of(one)) & set("/\\.<>@ \r\n\0")
    assert (key_of(one) == key_of(other)) == (one == other)


SUBSCRIPTION = {"endpoint": "https://push.example/1", "keys": {"p256dh": "x", "auth": "y"}}
ENCODED = '{"endpoint":"https://push.example/1","keys":{"auth":"y","p256dh":"x"}}'


@pytest.mark.parametrize(
    ("channel", "traits", "address"),
    [
        ("email", {"email": " ann@example.org "}, "ann@example.org"),
        ("email", {"email": ""}, None),
        ("email", {"email": {"not": "text"}}, None),
        ("email", {"phone": "+1"}, None),
        ("sms", {"phone": "+33612345678"}, "+33612345678"),
        ("sms", {"phone": 33612345678}, "33612345678"),
        ("sms", {"phone": True}, None),
        ("push", {"push": SUBSCRIPTION}, ENCODED),
        ("push", {"push": ENCODED}, ENCODED),
        ("push", {"push": [SUBSCRIPTION, "junk"]}, f"[{ENCODED}]"),
        ("push", {"push": []}, None),
        ("push", {"push": {"keys": {}}}, None),
        ("push", {"push": "no json"}, None),
        ("push", {"push": "[" * 5_000}, None),
        ("in_app", {}, ""),
        ("webhook", {}, ""),
    ],
)
def test_an_address_is_what_the_reserved_traits_say(
    channel: str, traits: dict[str, object], address: str | None
) -> None:
    assert address_of(channel, traits) == address


def test_every_channel_knows_how_to_address() -> None:
    traits = {"email": "a@b.example", "phone": "1", "push": SUBSCRIPTION}
    assert all(address_of(channel, traits) is not None for channel in CHANNEL_IDS)


@given(st.text())
def test_a_providers_words_are_one_short_line_that_can_be_stored(said: str) -> None:
    told = legible(said)
    assert msgspec.json.decode(msgspec.json.encode(told)) == told
    assert len(told) <= SAID_CHARS_MAX
    assert len(told.splitlines()) <= 1
