from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from channels.base import CHANNEL_IDS
from channels.registry import (
    SETTINGS,
    TRANSPORTS,
    EmailSettings,
    PushSettings,
    SettingsFault,
    WebhookSettings,
    build_channels,
    front_defaults,
    settings_faults,
)

if TYPE_CHECKING:
    from pathlib import Path

    from channels.settings import ChannelSettings


def test_without_settings_every_channel_writes_to_a_file(tmp_path: Path) -> None:
    built = build_channels({}, data=tmp_path)
    assert tuple(built) == CHANNEL_IDS
    assert {type(channel).__name__ for channel in built.values()} == {"FileChannel"}
    assert list(tmp_path.iterdir()) == []


def test_every_channel_has_settings_and_its_default_transport_is_file() -> None:
    assert set(SETTINGS) == set(TRANSPORTS) == set(CHANNEL_IDS)
    assert {SETTINGS[channel]().transport for channel in CHANNEL_IDS} == {"file"}
    assert {known[0] for known in TRANSPORTS.values()} == {"file"}


def test_settings_are_read_by_the_names_of_the_file() -> None:
    read = msgspec.convert(
        {"transport": "smtp", "from": "a@b.example", "host": "h", "timeout": 5_000, "tls": "none"},
        EmailSettings,
    )
    assert (read.from_, read.timeout_ms, read.concurrency) == ("a@b.example", 5_000, 8)


def test_a_key_that_no_channel_knows_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="hots"):
        msgspec.convert({"hots": "h"}, EmailSettings)


def test_an_unknown_transport_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault) as fault:
        build_channels({"email": EmailSettings(transport="smpt")}, data=tmp_path)
    assert fault.value.message == "channels.email.transport: unknown transport 'smpt'"
    assert fault.value.hint == "did you mean 'smtp'? known here: file, smtp"


@pytest.mark.parametrize(
    ("channel", "settings", "key"),
    [
        ("push", PushSettings(transport="smtp"), "transport"),
        ("push", PushSettings(concurrency=0), "concurrency"),
        ("push", PushSettings(rate=-1), "rate"),
        ("push", PushSettings(timeout_ms=0), "timeout"),
        ("push", PushSettings(vapid_key="x"), "vapid_key"),
        ("push", PushSettings(contact="ops@shop.example"), "contact"),
        ("push", PushSettings(ca_file="/nowhere"), "ca_file"),
        ("push", PushSettings(ttl_ms=-1), "ttl"),
        ("email", EmailSettings(from_="nobody"), "from"),
        ("email", EmailSettings(transport="smtp"), "host"),
        ("email", EmailSettings(transport="smtp", host="h", port=70_000), "port"),
        ("email", EmailSettings(transport="smtp", host="h", ca_file="/nowhere"), "ca_file"),
        ("webhook", WebhookSettings(url="shop.example/hook"), "url"),
        ("webhook", WebhookSettings(secret="x"), "secret"),
        ("webhook", WebhookSettings(ca_file="/nowhere"), "ca_file"),
    ],
)
def test_a_fault_names_its_key_and_what_would_be_right(
    channel: str, settings: ChannelSettings, key: str
) -> None:
    (fault,) = settings_faults(channel, settings)
    assert (fault.channel, fault.key) == (channel, key)
    assert fault.message.startswith(f"channels.{channel}.{key}: ")
    assert fault.hint


def test_what_templates_leave_out_comes_from_the_settings() -> None:
    assert front_defaults(EmailSettings(from_="a@b.example")) == {"from": "a@b.example"}
    assert front_defaults(WebhookSettings(url="https://x.example")) == {"url": "https://x.example"}
    assert front_defaults(WebhookSettings()) == front_defaults(PushSettings()) == {}
