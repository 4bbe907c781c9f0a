from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from yarl import URL

from channels.settings import SettingsFault
from channels.vapid import (
    ORIGINS_MAX,
    TOKEN_LASTS_S,
    Vapid,
    read_key,
    take_key,
)
from tests.channels.claims import claims
from tests.channels.providers import VAPID

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = 1_767_225_600
ENDPOINT = URL("https://push.example:8443/a/secret?path")


@pytest.fixture
def vapid() -> Vapid:
    key = read_key(VAPID)
    assert key is not None
    return Vapid(key, "mailto:ops@shop.example")


def test_a_token_says_for_whom_it_is_until_when_and_whom_to_write_to(vapid: Vapid) -> None:
    header = vapid.authorization(ENDPOINT, NOW_S)
    assert claims(header) == {
        "aud": "https://push.example:8443",
        "exp": NOW_S + TOKEN_LASTS_S,
        "sub": "mailto:ops@shop.example",
    }
    assert header.endswith(f", k={vapid.public_key}")


def test_a_token_that_was_changed_is_no_token(vapid: Vapid) -> None:
    header = vapid.authorization(ENDPOINT, NOW_S)
    with pytest.raises(InvalidSignature):
        claims(header.replace("t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.", "t=eyJ0eXAiOiJKV1QifQ."))


def test_a_token_is_kept_for_its_push_service_until_shortly_before_its_end(vapid: Vapid) -> None:
    first = vapid.authorization(ENDPOINT, NOW_S)
    assert vapid.authorization(ENDPOINT.with_path("/b"), NOW_S + 600) == first
    assert vapid.authorization(URL("https://other.example/"), NOW_S) != first
    later = NOW_S + TOKEN_LASTS_S - 3_600
    assert claims(vapid.authorization(ENDPOINT, later))["exp"] == later + TOKEN_LASTS_S


def test_a_clock_that_is_set_back_makes_no_token_that_lasts_too_long(vapid: Vapid) -> None:
    vapid.authorization(ENDPOINT, NOW_S + 86_400)
    assert claims(vapid.authorization(ENDPOINT, NOW_S))["exp"] == NOW_S + TOKEN_LASTS_S


def test_endpoints_that_name_ever_new_hosts_fill_no_memory(vapid: Vapid) -> None:
    for number in range(2 * ORIGINS_MAX):
        vapid.authorization(URL(f"https://{number}.example/"), NOW_S)
    assert len(vapid._tokens) == ORIGINS_MAX


def test_a_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = Vapid(take_key("", data), "").public_key
    assert Vapid(take_key("", data), "").public_key == made
    (file,) = data.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_in_the_settings_is_read_in_base64url_and_in_pem(tmp_path: Path) -> None:
    key = take_key(VAPID, tmp_path)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert Vapid(take_key(pem, tmp_path), "").public_key == Vapid(key, "").public_key
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", ["x", "AAAA", "A" * 43, "é", "-----BEGIN nothing", "B" * 44])
def test_what_is_no_key_is_none(said: str) -> None:
    assert read_key(said) is None


def test_a_file_that_holds_no_key_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "push.key").write_text("my dog\n")
    with pytest.raises(SettingsFault, match=r"push\.key is no key"):
        take_key("", tmp_path)
    assert (tmp_path / "push.key").read_text() == "my dog\n"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(SettingsFault, match="cannot be used"):
        take_key("", tmp_path / "data")
