"""What is told of users, and what becomes of it, in a folder that no process serves from."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.cli import hairspring
from engine.core.effects import SendMessage
from engine.errors import HairspringError
from tests.acceptance.conftest import write
from tests.core.world import START

if TYPE_CHECKING:
    from pathlib import Path


NULL = msgspec.Raw(b"null")


def call(*args: object) -> None:
    hairspring.main([str(arg) for arg in args], standalone_mode=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that holds one user."""
    shop, events = tmp_path / "shop", tmp_path / "events.ndjson"
    write(shop, {"hairspring.toml": ""})
    said = {"user_id": "ada", "event": "Go", "timestamp": "2026-01-01"}
    events.write_text(json.dumps(said) + "\n")
    call("import", shop, "--events", events)
    return shop / "data"


def test_an_export_has_the_messages_that_wait_and_those_that_failed(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = sqlite3.connect(data / "hairspring.db")
    for number, dead in enumerate((None, "the mailbox is gone")):
        message = SendMessage(f"m{number}", START, "ada", "c", "e", "s", "email", "t", NULL)
        database.execute(
            "INSERT INTO outbox VALUES (?, ?, 'ada', 'email', ?, CAST('{}' AS BLOB), NULL, ?)",
            (number, message.id, msgspec.json.encode(message), dead),
        )
    database.commit()
    database.close()
    call("users", "export", "ada", "--data", data)
    told = json.loads(capsys.readouterr().out)["messages"]
    assert [(one["id"], one["status"], one["reason"]) for one in told] == [
        ("m0", "waiting", ""),
        ("m1", "dead", "the mailbox is gone"),
    ]
    assert told[0]["at"].startswith("20")
    assert told[0]["snapshot"] == {}


@pytest.mark.parametrize(
    ("command", "option"), [(["users", "export", "ada"], ["--out"]), (["export-journal"], [])]
)
def test_no_export_takes_the_place_of_the_database(
    data: Path, command: list[str], option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (data / "hairspring.db", data / "nowhere" / "file"):
        with pytest.raises(HairspringError) as caught:
            call(*command, *option, file, "--data", data)
        assert caught.value.hint
    call("users", "show", "ada", "--data", data, "--json")
    assert '"user_id":"ada"' in capsys.readouterr().out


def test_an_erasure_that_a_file_stops_is_told_and_is_ended_once_more(data: Path) -> None:
    in_the_way = data / "outbox" / "email.ndjson"
    in_the_way.mkdir(parents=True)
    with pytest.raises(HairspringError, match=r"email\.ndjson") as caught:
        call("users", "erase", "ada", "--data", data, "--yes")
    assert caught.value.hint
    in_the_way.rmdir()
    call("users", "erase", "ada", "--data", data, "--yes")
    with pytest.raises(HairspringError, match="there is no user"):
        call("users", "show", "ada", "--data", data)
