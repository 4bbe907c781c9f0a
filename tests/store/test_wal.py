"""A write-ahead log that a crash cut short is one; one with a hole in it is told."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from engine.store.wal import FRAME_HEADER_BYTES, HEADER_BYTES, damage

if TYPE_CHECKING:
    from pathlib import Path

FRAME = FRAME_HEADER_BYTES + 4096


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Ten commits, all in the log, as a kill leaves them."""
    live = tmp_path / "live.db"
    connection = sqlite3.connect(live, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    for number in range(10):
        connection.execute("INSERT INTO t VALUES (?)", (number,))
    path = tmp_path / "a.db"
    for end in ("", "-wal"):
        shutil.copy(f"{live}{end}", f"{path}{end}")
    connection.close()
    return path


def opened(path: Path) -> tuple[int, str]:
    """How many frames SQLite takes, and what is wrong then."""
    connection = sqlite3.connect(path)
    accepted = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    found = damage(path, accepted)
    connection.close()
    return accepted, found


def overwrite(path: Path, at: int, count: int = 8) -> None:
    with path.with_name(path.name + "-wal").open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * count)


def test_a_whole_log_is_sound(database: Path):
    accepted, found = opened(database)
    assert accepted > 10
    assert found == ""


@pytest.mark.parametrize("cut", [1, FRAME_HEADER_BYTES, FRAME, FRAME + 1, 3 * FRAME])
def test_a_log_that_was_cut_short_is_sound(database: Path, cut: int):
    log = database.with_name("a.db-wal")
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - cut)
    accepted, found = opened(database)
    assert accepted > 5
    assert found == ""


def test_a_torn_last_commit_is_sound(database: Path):
    size = database.with_name("a.db-wal").stat().st_size
    overwrite(database, size - 100)
    assert opened(database)[1] == ""


@pytest.mark.parametrize("place", [0, 40, FRAME_HEADER_BYTES + 100])
def test_a_commit_that_is_gone_from_the_middle_is_told(database: Path, place: int):
    overwrite(database, HEADER_BYTES + 5 * FRAME + place)
    assert opened(database) == (5, "it ends with frame 5, and there are commits behind that")


@pytest.mark.parametrize(
    ("place", "count"), [(0, 4), (10, 4), (18, 4), (26, 4), (0, 80), (0, 9_000)]
)
def test_a_header_that_is_none_is_told_where_something_is_lost(
    database: Path, place: int, count: int
):
    overwrite(database, place, count)
    assert opened(database) == (
        0,
        "its header is none, and it has commits that the database has not",
    )


@pytest.mark.parametrize("torn", [16, 20, 24, 28])
def test_a_header_that_was_torn_as_a_new_round_began_is_sound(database: Path, torn: int):
    log = database.with_name("a.db-wal")
    before = log.read_bytes()
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    checkpointed = database.read_bytes()
    connection.execute("INSERT INTO t VALUES (11)")
    begun = log.read_bytes()
    connection.close()
    assert begun[:HEADER_BYTES] != before[:HEADER_BYTES]
    database.write_bytes(checkpointed)
    log.write_bytes(begun[:torn] + before[torn:])
    assert opened(database) == (0, "")


@pytest.mark.parametrize("size", [0, 20, HEADER_BYTES, HEADER_BYTES + 10])
def test_a_log_that_was_just_made_is_sound(database: Path, size: int):
    with database.with_name("a.db-wal").open("r+b") as file:
        file.truncate(size)
    assert opened(database) == (0, "")


def test_what_is_left_of_an_earlier_round_is_no_damage(tmp_path: Path):
    path = tmp_path / "live.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    for number in range(10):
        connection.execute("INSERT INTO t VALUES (?)", (number,))
    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    connection.execute("INSERT INTO t VALUES (11)")
    copy = tmp_path / "a.db"
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    connection.close()
    log = copy.with_name("a.db-wal")
    assert log.stat().st_size > 10 * FRAME
    overwrite(copy, HEADER_BYTES + 100)  # a torn commit, before what is older
    assert opened(copy) == (0, "")
