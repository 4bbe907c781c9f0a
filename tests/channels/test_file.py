from __future__ import annotations

import asyncio
import email
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from channels.base import Accepted, Rejected, Retry
from channels.file import FileChannel, line_of
from tests.channels.providers import message

if TYPE_CHECKING:
    from pathlib import Path

COMMON = ["id", "at", "user_id", "campaign", "step", "channel", "to"]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("channel", "keys"),
    [
        ("email", [*COMMON, "subject", "body"]),
        ("push", [*COMMON, "title", "body"]),
        ("in_app", [*COMMON, "title", "body"]),
        ("sms", [*COMMON, "body"]),
        ("webhook", [*COMMON, "body"]),
    ],
)
def test_a_line_has_the_documented_keys(channel: str, keys: list[str]) -> None:
    assert list(msgspec.json.decode(line_of(message(channel)))) == keys


def test_a_line_says_what_the_message_says() -> None:
    sent = message("email", body="one\ntwo é")
    assert msgspec.json.decode(line_of(sent)) == {
        "id": sent.id,
        "at": "2026-01-01T00:00:00.123Z",
        "user_id": "u1",
        "campaign": "cart-abandonment",
        "step": "first",
        "channel": "email",
        "to": "ann@example.org",
        "subject": "Ça va, 世界? 😀",
        "body": "one\ntwo é",
    }


@pytest.mark.parametrize(
    ("at_ms", "at"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_iso_8601_to_the_millisecond(at_ms: int, at: str) -> None:
    assert msgspec.json.decode(line_of(message("sms", at_ms=at_ms)))["at"] == at


async def test_an_email_is_also_a_mail_named_by_its_effect(tmp_path: Path) -> None:
    channel = FileChannel("email", tmp_path)
    sent = message("email")
    await channel.deliver(sent)
    await channel.aclose()
    mail = email.message_from_bytes((tmp_path / f"{sent.id}.eml").read_bytes())
    assert mail["To"] == "ann@example.org"
    assert _names(tmp_path) == sorted([f"{sent.id}.eml", "email.ndjson"])


async def test_an_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    channel = FileChannel("email", outbox)
    for hostile in ("../../evil", "/etc/evil", "..", "a\0b"):
        assert isinstance(await channel.deliver(message("email", id=hostile)), Accepted)
    await channel.aclose()
    assert _names(tmp_path) == ["outbox"]
    assert len([name for name in _names(outbox) if name.endswith(".eml")]) == 4


async def test_an_address_that_no_mail_can_have_is_rejected(tmp_path: Path) -> None:
    channel = FileChannel("email", tmp_path)
    assert isinstance(await channel.deliver(message("email", to="nobody")), Rejected)
    await channel.aclose()
    assert _names(tmp_path) == []


async def test_deliveries_at_one_time_share_an_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes: list[int] = []
    flush = os.fsync

    def counted(descriptor: int) -> None:
        flushes.append(descriptor)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    channel = FileChannel("sms", tmp_path)
    sent = [message("sms", number) for number in range(500)]
    await asyncio.gather(*(channel.deliver(one) for one in sent))
    await channel.aclose()
    assert len((tmp_path / "sms.ndjson").read_bytes().splitlines()) == 500
    assert len(flushes) == 1


async def test_the_same_message_twice_in_one_append_is_one_line(tmp_path: Path) -> None:
    channel = FileChannel("sms", tmp_path)
    outcomes = await asyncio.gather(*(channel.deliver(message("sms")) for _ in range(3)))
    await channel.aclose()
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert (tmp_path / "sms.ndjson").read_bytes() == line_of(message("sms"))


async def test_a_full_disk_is_a_reason_to_retry_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "sms.ndjson").symlink_to("/dev/full")
    channel = FileChannel("sms", tmp_path)
    outcome = await channel.deliver(message("sms"))
    await channel.aclose()
    assert outcome == Retry(f"cannot write to {tmp_path}/sms.ndjson: No space left on device")


async def test_after_the_disk_has_room_again_the_retry_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "sms.ndjson"
    path.symlink_to("/dev/full")
    channel = FileChannel("sms", tmp_path)
    assert isinstance(await channel.deliver(message("sms")), Retry)
    path.unlink()
    assert isinstance(await channel.deliver(message("sms")), Accepted)
    await channel.aclose()
    assert path.read_bytes() == line_of(message("sms"))


async def test_closing_waits_for_what_is_being_written(tmp_path: Path) -> None:
    channel = FileChannel("sms", tmp_path)
    deliveries = [asyncio.create_task(channel.deliver(message("sms", n))) for n in range(20)]
    await asyncio.sleep(0)
    await channel.aclose()
    outcomes = await asyncio.gather(*deliveries)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


async def test_erasing_a_user_takes_out_lines_and_mails(tmp_path: Path) -> None:
    channel = FileChannel("email", tmp_path)
    gone, kept = message("email", 1), message("email", 2, user_id="u2")
    await channel.deliver(gone)
    await channel.deliver(kept)
    assert await channel.erase_user("u1") == 1
    await channel.aclose()
    assert (tmp_path / "email.ndjson").read_bytes() == line_of(kept)
    assert _names(tmp_path) == sorted([f"{kept.id}.eml", "email.ndjson"])
