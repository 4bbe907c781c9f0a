from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.tokens import (
    TOKEN_CHARS_MAX,
    LinkFacts,
    Signer,
    TokenInvalid,
    pack_facts,
    unpack_facts,
)

KEY = "a-signing-key"
NOW = 1_767_225_600_000
LATER = NOW + 1_000
FACTS = LinkFacts("ü-1", b"\x01" * 16, "email", "cart", b"\x02" * 16, "s", "t", "a", NOW, "x")


def test_what_was_signed_is_read_until_it_expires() -> None:
    signer = Signer([KEY])
    token = signer.sign("click", b"payload", LATER)
    assert signer.read("click", token, LATER) == b"payload"
    with pytest.raises(TokenInvalid) as raised:
        signer.read("click", token, LATER + 1)
    assert raised.value.is_expired
    assert raised.value.payload == b"payload"


def test_the_same_is_signed_the_same_each_time() -> None:
    assert Signer([KEY]).sign("open", b"p", NOW) == Signer([KEY]).sign("open", b"p", NOW)


def test_a_token_of_one_purpose_is_none_of_another() -> None:
    signer = Signer([KEY])
    with pytest.raises(TokenInvalid):
        signer.read("unsubscribe", signer.sign("open", b"p", LATER), NOW)


def test_a_short_payload_makes_a_short_token() -> None:
    assert len(Signer([KEY]).sign("open", b"x" * 12, LATER)) == 46


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=63))
def test_no_altered_character_goes_unseen(place: int, other: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    signer = Signer([KEY])
    token = signer.sign("open", b"some payload", LATER)
    place %= len(token)
    altered = token[:place] + alphabet[other] + token[place + 1 :]
    if altered != token:
        with pytest.raises(TokenInvalid) as raised:
            signer.read("open", altered, NOW)
        assert not raised.value.is_expired


@pytest.mark.parametrize(
    "text", ["", "A", "AQ", "é" * 40, "a b", "=" * 50, "A" * (TOKEN_CHARS_MAX + 1), "A" * 60, "\0"]
)
def test_what_is_no_token_is_none(text: str) -> None:
    signer = Signer([KEY])
    for read in (lambda: signer.read("open", text, NOW), lambda: signer.read_user(text, NOW)):
        with pytest.raises(TokenInvalid):
            read()


def test_a_key_that_was_followed_by_another_still_reads_what_it_signed() -> None:
    token, user = Signer(["old"]).sign("open", b"p", LATER), Signer(["old"]).sign_user("u", LATER)
    both = Signer(["new", "old"])
    assert both.read("open", token, NOW) == b"p"
    assert both.read_user(user, NOW) == "u"
    assert both.sign("open", b"p", LATER) == Signer(["new"]).sign("open", b"p", LATER)
    with pytest.raises(TokenInvalid):
        Signer(["new"]).read("open", token, NOW)


def test_facts_read_back() -> None:
    assert unpack_facts(pack_facts(FACTS)) == FACTS


@pytest.mark.parametrize(
    "packed",
    [b"\x91\x01", b"\x99\xa2\x00\x80", b"\x9b" + pack_facts(FACTS)[1:] + b"\x91" * 3000],
    ids=["too short", "no UTF-8", "too deep"],
)
def test_what_is_no_facts_is_refused(packed: bytes) -> None:
    with pytest.raises(TokenInvalid):
        unpack_facts(packed)


def test_a_shops_server_makes_a_users_token_with_what_every_language_has() -> None:
    def coded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    said = f"v1.{coded('ü/1'.encode())}.{LATER // 1000}"
    mac = hmac.new(KEY.encode(), f"hairspring-user.{said}".encode(), hashlib.sha256).digest()
    token = f"{said}.{coded(mac)}"
    assert Signer([KEY]).read_user(token, NOW) == "ü/1"
    assert Signer([KEY]).sign_user("ü/1", LATER) == token


def test_a_users_token_expires_and_is_nobody_elses() -> None:
    signer = Signer([KEY])
    token = signer.sign_user("ann", LATER)
    with pytest.raises(TokenInvalid) as raised:
        signer.read_user(token, LATER + 1_000)
    assert raised.value.is_expired
    bob = signer.sign_user("bob", LATER).split(".")[1]
    version, _, expires, mac = token.split(".")
    with pytest.raises(TokenInvalid):
        signer.read_user(f"{version}.{bob}.{expires}.{mac}", NOW)
    with pytest.raises(TokenInvalid):
        signer.read_user(token.replace(expires, str(int(expires) + 1)), NOW)
