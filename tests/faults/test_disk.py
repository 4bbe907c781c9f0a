"""Disks that are full, limited, read-only, damaged, busy, or fail at one write: all for real."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from engine.sim.exported import InputLine, RecordLine
from tests.acceptance.conftest import HAIRSPRING, run
from tests.faults.filling import (
    PAGE,
    at_rest,
    fill,
    is_ready,
    metric,
    place_what_waits,
)
from tests.faults.life import journal, until
from tests.faults.native import FAIL, FAIL_FROM_THEN_ON, TEAR_AND_DIE

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.life import Life
    from tests.faults.native import Shim

pytestmark = [pytest.mark.acceptance, pytest.mark.crash]

ALL = os.environ.get("HAIRSPRING_FAULTS") == "all"
"""`make soak` fails every write, `make check` some."""


WAITED = ("u3", "reminder")
"""Whose message is let out only once there is room: that of order 3."""


async def test_on_a_full_disk_time_goes_on_and_all_recovers_by_itself(life: Life, small_disk: Path):
    life.data = small_disk / "data"
    life.start()
    life.live(range(3))
    at_rest(life)
    filler = fill(small_disk)
    placing = place_what_waits(life, 3)
    # Refused before they are stamped; the one that was taken waits for its commit, and fires.
    assert [life.place(other) for other in range(4, 8)] == [503] * 4
    until(lambda: metric(life, "deadline_lateness_seconds_count") == 4)
    assert life.arrived & {"receipt o3", "reminder o3"} == set()
    filler.unlink()
    placing.join()
    assert life.orders == [0, 1, 2, 3]
    until(lambda: is_ready(life))
    assert metric(life, "journal_failing") == 0
    life.live(range(4, 8))
    life.come_to_rest()
    await life.holds()
    lines = await journal(life.data)
    records = [line.record for line in lines if isinstance(line, RecordLine)]
    (fired,) = [one for one in records if (one.user_id, one.step) == WAITED and one.kind == "sent"]
    events = [line.input for line in lines if isinstance(line, InputLine)]
    (next_one,) = [one for one in events if getattr(one, "message_id", "") == "o4"]
    # Before there was room: what was taken next has a later stamp, however busy the machine is.
    assert (fired.judged_at_ms or fired.at_ms) <= next_one.at_ms


def test_a_start_without_room_says_so_and_no_backup_is_to_be_restored(life: Life, small_disk: Path):
    life.data = small_disk / "data"
    life.start()
    life.live(range(3))
    life.serving.kill()
    filler = fill(small_disk)
    after_a_kill = life.refused_start()
    filler.unlink()
    life.start()
    life.live(range(3, 4))
    life.come_to_rest()
    fill(small_disk)
    after_an_end = life.refused_start()
    for refusal in (after_a_kill, after_an_end):
        told = f"{life.data}/hairspring.db cannot be opened for want of room: "
        assert refusal["why"].startswith(told)
        assert refusal["hint"] == "free some disk space, then start again; nothing is lost"
        assert refusal["code"] == "store.full"


async def test_a_limit_of_file_sizes_ends_the_process_and_without_it_nothing_is_missing(life: Life):
    life.start(limit="ulimit -f 500; ")
    number = 0
    while life.place(number) == 200:
        number += 1
    code, said = life.ended()
    assert code == 1
    assert f"{life.data}/hairspring.db could not be written: disk I/O error" in said["why"]
    assert said["code"] == "store.commit"
    assert "start again" in said["hint"]
    life.start()
    life.live(range(number, number + 3))
    life.come_to_rest()
    await life.holds()


def as_anybody() -> str:
    """What takes the right to write everywhere from root; "" for others, who have none."""
    if os.geteuid():
        return ""
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv, and root may write what is read-only")
    none = "-dac_override,-dac_read_search"
    return f"exec setpriv --bounding-set={none} --inh-caps={none} "


def test_what_is_read_only_is_refused_by_name(life: Life):
    drops = as_anybody()
    life.start()
    life.live(range(1))
    life.come_to_rest()
    database = life.data / "hairspring.db"
    database.chmod(0o400)
    of_file = life.refused_start(prefix=drops)
    database.chmod(0o600)
    (life.data / "lock").unlink()
    life.data.chmod(0o500)
    of_folder = life.refused_start(prefix=drops)
    life.data.chmod(0o700)
    assert of_file["why"] == f"{database} cannot be written: attempt to write a readonly database"
    assert of_file["hint"] == "make the file and its folder writable for this user"
    assert of_folder["why"] == f"the data folder {life.data} cannot be used: Permission denied"
    assert of_folder["hint"] == "give a folder that this user may write with --data"


def overwrite(path: Path, at: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * count)


def spoil_page(data: Path) -> str:
    """Of the users' table: every start reads it, after an orderly end too."""
    database = data / "hairspring.db"
    connection = sqlite3.connect(database)
    query = "SELECT rootpage FROM sqlite_schema WHERE name = 'users'"
    (root,) = connection.execute(query).fetchone()
    connection.close()
    overwrite(database, (root - 1) * PAGE, PAGE)
    return f"{database} cannot be read: database disk image is malformed (SQLITE_CORRUPT)"


def cut_in_half(data: Path) -> str:
    database = data / "hairspring.db"
    os.truncate(database, database.stat().st_size // 2 // PAGE * PAGE)
    return f"{database} cannot be read: database disk image is malformed (SQLITE_CORRUPT)"


def no_database(data: Path) -> str:
    database = data / "hairspring.db"
    overwrite(database, 0, PAGE)
    return f"{database} cannot be read: file is not a database (SQLITE_NOTADB)"


@pytest.mark.parametrize("spoil", [spoil_page, cut_in_half, no_database][: None if ALL else 1])
async def test_a_damaged_database_is_refused_with_the_way_back_and_that_leads_back(
    life: Life, tmp_path: Path, spoil: Callable[[Path], str]
):
    life.start()
    life.live(range(3))
    until(life.all_arrived)
    backup = tmp_path / "backup.db"
    assert run("backup", backup, "--data", life.data).returncode == 0
    life.come_to_rest()
    told = spoil(life.data)
    refusal = life.refused_start()
    assert refusal["why"] == told
    assert refusal["code"] == "store.corrupt"
    assert "restore the last backup: hairspring restore " in refusal["hint"]
    way_back = shlex.split(refusal["hint"].replace("FILE", str(backup)))[4:]
    assert way_back[1:] == ["restore", str(backup), "--data", str(life.data)]
    assert run(*way_back[1:]).returncode == 0
    life.start()
    life.live(range(3, 4))
    life.come_to_rest()
    assert life.serving.process.returncode == 0


def spoil_log(life: Life, at: int, count: int) -> None:
    overwrite(life.data / "hairspring.db-wal", at, count)


@pytest.mark.parametrize(
    ("at", "told"),
    [(32 + 24 + PAGE, "there are commits behind that"), (0, "its header is none")][
        : None if ALL else 1
    ],
)
def test_a_damaged_log_is_refused_until_somebody_decides(life: Life, at: int, told: str):
    life.start()
    life.live(range(3))
    life.serving.kill()
    spoil_log(life, at, 64)
    for _ in range(2):
        refusal = life.refused_start()
        assert told in refusal["why"]
        assert refusal["code"] == "store.corrupt"
        assert "hairspring restore FILE --data" in refusal["hint"]
    (life.data / "hairspring.db-damaged").unlink()
    life.orders.clear()  # what the log held is lost, and was told to be
    life.start()
    life.live(range(3, 4))
    life.come_to_rest()


def test_damage_that_is_met_while_it_runs_ends_the_process_with_a_message(life: Life):
    life.start()
    life.live(range(3))
    at_rest(life)  # what it commits from here on would be in its log, and mend the pages
    database = life.data / "hairspring.db"
    other = sqlite3.connect(database)  # stands for whoever spoils it, and empties caches
    other.execute("INSERT INTO meta VALUES ('spoilt', 1)")
    other.commit()
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    pages = [
        page
        for (page,) in other.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name IN ('journal', 'outbox', 'user_log')"
        )
    ]
    other.close()
    for page in pages:
        overwrite(database, (page - 1) * PAGE, PAGE)
    number = 3
    while life.place(number) == 200:
        number += 1
        assert number < 200, "it goes on, on what is damaged"
    code, said = life.ended()
    assert code == 1
    assert f"{database} could not be written: database disk image is malformed" in said["why"]
    assert said["hint"]
    assert life.refused_start()["code"] == "store.corrupt"


@contextmanager
def held(life: Life, number: int) -> Iterator[threading.Thread]:
    """Another program has the write lock; what places an order meanwhile, which waits for it."""
    at_rest(life)
    other = sqlite3.connect(life.data / "hairspring.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield place_what_waits(life, number)
    other.execute("ROLLBACK")
    other.close()


async def test_while_another_program_holds_the_database_clients_wait_or_come_again(life: Life):
    life.start()
    life.live(range(2))
    with held(life, 2) as placing:
        assert life.place(3) == 503
    placing.join()
    assert life.orders == [0, 1, 2]
    until(lambda: is_ready(life))
    life.live(range(3, 5))
    life.come_to_rest()
    await life.holds()


def test_an_import_that_cannot_be_taken_now_says_why_and_goes_on_once_it_can(
    life: Life, tmp_path: Path
):
    life.start()
    life.live(range(1))
    file = tmp_path / "history.ndjson"
    file.write_text('{"user_id": "old", "event": "Seen", "timestamp": "2020-05-01T10:00:00Z"}\n')
    command = [HAIRSPRING, "import", life.shop, "--data", life.data, "--events", file]
    with held(life, 1) as placing:
        importing = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert importing.stderr is not None
        told = importing.stderr.readline()
    said, faults = importing.communicate(timeout=60)
    placing.join()
    assert told.startswith("not taken yet: the journal cannot be written: ")
    assert (importing.returncode, said, faults) == (0, "1 input of history taken\n", "")


def test_a_start_while_another_program_holds_the_database_names_no_backup(life: Life):
    life.start()
    life.live(range(1))
    life.come_to_rest()
    other = sqlite3.connect(life.data / "hairspring.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    refusal = life.refused_start()
    other.close()
    assert "is held by another program" in refusal["why"]
    assert refusal["code"] == "store.held"
    life.start()
    life.come_to_rest()


SOME = [
    (90, FAIL, errno.ENOSPC),
    (70, FAIL_FROM_THEN_ON, errno.EIO),
    (83, TEAR_AND_DIE, 0),
]
"""While orders are taken."""

CALLS = 2600
"""Writes and flushes of sixty orders, about: a start makes some fifty, an order as many, and beyond
two thousand there is a checkpoint under way."""

EACH = [
    *((nth, FAIL, errno.EIO) for nth in (*range(1, 120), *range(120, CALLS, 97))),
    *((nth, FAIL, errno.ENOSPC) for nth in range(1, CALLS, 41)),
    *((nth, TEAR_AND_DIE, 0) for nth in range(2, CALLS, 41)),
]


@pytest.mark.parametrize(("nth", "how", "error"), SOME + EACH if ALL else SOME)
async def test_whichever_write_fails_a_restart_finds_all_that_was_acknowledged(
    life: Life, shim: Shim, nth: int, how: int, error: int
):
    control = shim.control
    control.files = f"{life.data}/hairspring.db".encode()
    control.how, control.error, control.nth = how, error, nth
    number = life.suffers(shim.env, range(60))
    assert control.spoiled
    control.nth = 0
    life.start()
    life.live(range(number, number + 3))
    life.come_to_rest()
    await life.holds()
