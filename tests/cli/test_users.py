"""What is told of users, and what becomes of it, in a folder that no process serves from."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import click
import msgspec
import pytest

from engine.cli import hairspring
from engine.core.effects import SendMessage
from engine.errors import HairspringError
from tests.acceptance.conftest import write
from tests.core.world import START

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
            "INSERT INTO outbox (number, id, user_id, channel, message, snapshot, dead) "
            "VALUES (?, ?, 'ada', 'email', ?, CAST('{}' AS BLOB), ?)",
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


@pytest.mark.parametrize("command", ["show", "export", "erase"])
def test_an_empty_id_is_wrong_usage(data: Path, command: str) -> None:
    with pytest.raises(click.BadParameter, match="an id is not empty"):
        call("users", command, "", "--data", data)


def test_whoever_declines_erases_nobody(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: "n")
    with pytest.raises(HairspringError, match="nothing was erased"):
        call("users", "erase", "ada", "--data", data)
    call("users", "show", "ada", "--data", data)


def test_a_restore_tells_what_it_did_as_json(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("backup", tmp_path / "kept.db", "--data", data, "--json")
    capsys.readouterr()
    call("restore", tmp_path / "kept.db", "--data", data, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["database"] == str(data / "hairspring.db")
    assert told["backup"] == str(tmp_path / "kept.db")
    assert Path(told["kept"]).exists()
