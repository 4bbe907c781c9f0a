from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from channels import lines as lines_module
from channels.lines import TAIL_BYTES_MAX, LineLog

if TYPE_CHECKING:
    from pathlib import Path


def _line(line_id: str, user_id: str = "u1", size: int = 0) -> bytes:
    return msgspec.json.encode({"id": line_id, "user_id": user_id, "body": "x" * size}) + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "email.ndjson"


def test_lines_are_appended_in_order(path: Path) -> None:
    log = LineLog(path)
    log.append({"a": _line("a"), "b": _line("b")})
    log.append({"c": _line("c")})
    assert path.read_bytes() == _line("a") + _line("b") + _line("c")


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    LineLog(path).append({"a": _line("a")})
    assert path.stat().st_mode & 0o777 == 0o600


def test_ids_are_known_after_a_restart(path: Path) -> None:
    LineLog(path).append({"a": _line("a")})
    again = LineLog(path)
    assert again.has("a")
    assert not again.has("b")


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_is_cut_off_and_its_id_is_not_known(path: Path, cut: int) -> None:
    path.write_bytes(_line("a") + _line("b")[:-cut])
    log = LineLog(path)
    assert log.has("a")
    assert not log.has("b")
    log.append({"b": _line("b")})
    assert path.read_bytes() == _line("a") + _line("b")


def test_a_file_that_is_one_torn_line_begins_anew(path: Path) -> None:
    path.write_bytes(b"x" * 200_000)
    LineLog(path).append({"a": _line("a")})
    assert path.read_bytes() == _line("a")


def test_a_torn_line_longer_than_a_block_is_cut_at_the_newline_before_it(path: Path) -> None:
    path.write_bytes(_line("a") + b"x" * 200_000)
    LineLog(path).append({"b": _line("b")})
    assert path.read_bytes() == _line("a") + _line("b")


def test_a_line_that_is_no_json_is_kept_and_passed_over(path: Path) -> None:
    path.write_bytes(b"hello\n" + _line("a"))
    log = LineLog(path)
    assert log.has("a")
    log.append({"b": _line("b")})
    assert path.read_bytes() == b"hello\n" + _line("a") + _line("b")


def test_only_the_tail_of_a_long_file_is_read(path: Path) -> None:
    path.write_bytes(_line("first") + _line("long", size=TAIL_BYTES_MAX) + _line("last"))
    log = LineLog(path)
    assert log.has("last")
    assert not log.has("first")


def test_no_more_than_the_latest_ids_are_remembered(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "IDS_MAX", 2)
    log = LineLog(path)
    log.append({name: _line(name) for name in "abc"})
    assert [log.has(name) for name in "abc"] == [False, True, True]
    assert [LineLog(path).has(name) for name in "abc"] == [False, True, True]


def test_a_write_that_fails_half_way_leaves_nothing_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LineLog(path)
    log.append({"a": _line("a")})
    whole, calls = os.pwrite, iter([5])

    def half(descriptor: int, data: Any, at: int) -> int:
        for size in calls:
            return whole(descriptor, data[:size], at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(OSError, match="No space"):
        log.append({"b": _line("b")})
    monkeypatch.undo()
    assert path.read_bytes() == _line("a")
    assert not log.has("b")
    log.append({"b": _line("b")})
    assert path.read_bytes() == _line("a") + _line("b")


def test_a_failed_flush_is_no_append(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LineLog(path)

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        log.append({"a": _line("a")})
    assert path.read_bytes() == b""
    assert not log.has("a")


def test_a_file_that_was_moved_away_begins_anew(path: Path) -> None:
    log = LineLog(path)
    log.append({"a": _line("a")})
    path.rename(path.with_suffix(".1"))
    log.append({"b": _line("b")})
    assert path.read_bytes() == _line("b")


def test_a_users_lines_can_be_taken_out(path: Path) -> None:
    log = LineLog(path)
    log.append({"a": _line("a", "u1"), "b": _line("b", "u2"), "c": _line("c", "u1")})
    assert log.without("u1") == ["a", "c"]
    assert path.read_bytes() == _line("b", "u2")
    assert log.without("u1") == []
    log.append({"d": _line("d", "u3")})
    assert path.read_bytes() == _line("b", "u2") + _line("d", "u3")


def test_nothing_is_taken_out_of_no_file(path: Path) -> None:
    assert LineLog(path).without("u1") == []
    assert not path.exists()


def test_what_is_left_after_an_erasure_is_still_for_its_owner_alone(path: Path) -> None:
    log = LineLog(path)
    log.append({"a": _line("a", "u1"), "b": _line("b", "u2")})
    log.without("u1")
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_erasure_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LineLog(path)
    log.append({"a": _line("a", "u1")})

    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        log.without("u1")
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == _line("a", "u1")
