# Nothing else runs on the loop of these tests, so that they may block it.
# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from channels.vapid import FILE as PUSH_FILE
from engine.errors import StoreError
from engine.server.admin.own_keys import SIGNING_FILE
from engine.store import Store, keepsakes
from engine.store.backup import back_up, check_backup
from engine.store.erasure import backups
from engine.store.migrations import SCHEMA_VERSION
from engine.store.restore import ASIDE, STAGED, finish_restore, restore
from tests.core.world import START
from tests.store.plans import keep_plan, plan_content

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "hairspring.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(path)
    await keep_plan(opened, "before", b"{}")
    yield opened
    await opened.close()


def plans(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT plan_id FROM plans")]
    connection.close()
    return names


async def made(store: Store, path: Path) -> Path:
    await back_up(store, path, START)
    return path


async def test_a_backup_holds_what_was_committed_and_is_noted(store: Store, tmp_path: Path) -> None:
    backup = tmp_path / "b.db"
    told: list[tuple[int, int]] = []
    done = await back_up(store, backup, START, on_progress=lambda *at: told.append(at))
    assert (done.path, done.at_ms) == (str(backup), START)
    assert done.size_bytes == backup.stat().st_size
    assert plans(backup) == ["before"]
    assert backup.stat().st_mode & 0o077 == 0
    assert told[-1][0] == told[-1][1] > 0
    noted = await store.read(lambda c: c.execute("SELECT path, at_ms FROM backups").fetchall())
    assert noted == [(str(backup), START)]


async def test_commits_go_on_while_a_backup_is_made(store: Store, tmp_path: Path) -> None:
    await keep_plan(store, "large", bytes(4 << 20))
    loop = asyncio.get_running_loop()
    committed: list[asyncio.Future[None]] = []

    def on_progress(_done: int, _total: int) -> None:
        if not committed:  # once, in the midst of the copy, which then waits for the commit
            work = keep_plan(store, "meanwhile", b"{}")
            asyncio.run_coroutine_threadsafe(work, loop).result(30)
            committed.append(loop.create_future())

    await back_up(store, tmp_path / "b.db", START, on_progress=on_progress)
    assert committed
    assert plans(tmp_path / "b.db") == ["before", "large"]
    assert await plan_content(store, "meanwhile") == b"{}"


async def test_what_is_there_stays_unless_it_is_forced(store: Store, tmp_path: Path) -> None:
    backup = tmp_path / "b.db"
    backup.write_text("mine")
    with pytest.raises(StoreError, match="is there already") as caught:
        await back_up(store, backup, START)
    assert "--force" in caught.value.hint
    assert backup.read_text() == "mine"
    await back_up(store, backup, START, force=True)
    await back_up(store, backup, START + 1, force=True)
    check_backup(backup)
    noted = await store.read(lambda c: c.execute("SELECT path, at_ms FROM backups").fetchall())
    assert noted == [(str(backup), START + 1)]


@pytest.mark.parametrize("name", ["data/hairspring.db", "data", "no/such/folder.db"])
async def test_the_database_itself_is_no_place_for_a_backup(
    store: Store, tmp_path: Path, name: str
) -> None:
    with pytest.raises(StoreError, match=r"no place|no folder"):
        await back_up(store, tmp_path / name, START, force=True)
    assert await plan_content(store, "before") == b"{}"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data"]


async def test_one_that_is_given_up_leaves_nothing(store: Store, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    working: list[asyncio.Task[object]] = []
    began = asyncio.Event()

    def on_progress(_done: int, _total: int) -> None:
        if not began.is_set():
            loop.call_soon_threadsafe(working[0].cancel)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(30)
            loop.call_soon_threadsafe(began.set)

    await keep_plan(store, "large", bytes(4 << 20))
    working.append(
        asyncio.ensure_future(back_up(store, tmp_path / "b.db", START, on_progress=on_progress))
    )
    with pytest.raises(asyncio.CancelledError):
        await working[0]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data"]


async def test_a_damaged_database_is_not_backed_up(path: Path, tmp_path: Path) -> None:
    store = await Store.open(path)
    await keep_plan(store, "large", bytes(1 << 20))
    await store.close()
    damage(path)
    store = await Store.open(path)
    with pytest.raises(StoreError, match="could not be made"):
        await back_up(store, tmp_path / "b.db", START)
    assert not (tmp_path / "b.db").exists()
    await store.close()


async def test_a_restored_database_is_as_it_was_and_what_was_there_stays(
    store: Store, path: Path, tmp_path: Path
) -> None:
    backup = await made(store, tmp_path / "b.db")
    await keep_plan(store, "after", b"{}")
    await store.close()
    aside = restore(backup, path, "then")
    assert plans(path) == ["before"]
    assert aside == path.with_name(path.name + ASIDE + "then")
    assert plans(aside) == ["after", "before"]
    assert path.stat().st_mode & 0o077 == 0
    await (await Store.open(path)).close()


async def test_a_log_that_nobody_checkpointed_stays_with_its_database(
    store: Store, path: Path, tmp_path: Path
) -> None:
    backup = await made(store, tmp_path / "b.db")
    await keep_plan(store, "after", b"{}")
    # As a kill leaves it: the database without its last commits, which are in the log.
    killed = tmp_path / "killed"
    killed.mkdir()
    for end in ("", "-wal"):
        name = path.name + end
        (killed / name).write_bytes((path.parent / name).read_bytes())
    aside = restore(backup, killed / path.name, "then")
    assert plans(killed / path.name) == ["before"]
    assert aside is not None
    assert plans(aside) == ["after", "before"]


async def test_what_was_put_aside_after_a_kill_can_be_put_back_with_its_log(
    store: Store, path: Path, tmp_path: Path
) -> None:
    backup = await made(store, tmp_path / "b.db")
    await keep_plan(store, "after", b"{}")
    killed = tmp_path / "killed"
    killed.mkdir()
    for end in ("", "-wal"):
        name = path.name + end
        (killed / name).write_bytes((path.parent / name).read_bytes())
    aside = restore(backup, killed / path.name, "then")
    assert aside is not None
    restore(aside, killed / path.name, "thereafter")
    assert plans(killed / path.name) == ["after", "before"]
    await (await Store.open(killed / path.name)).close()
    left = {one.name for one in killed.iterdir() if "before" not in one.name}
    assert left == {path.name}


async def test_a_hole_in_the_log_of_what_was_put_aside_is_told(
    store: Store, path: Path, tmp_path: Path
) -> None:
    backup = await made(store, tmp_path / "b.db")
    await store.read(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    for number in range(20):
        await keep_plan(store, f"after {number}", b"{}")
    aside = tmp_path / "aside.db"
    aside.write_bytes(path.read_bytes())
    log = bytearray(path.with_name(path.name + "-wal").read_bytes())
    log[32 + 24 + 9] ^= 255
    (tmp_path / "aside.db-wal").write_bytes(log)
    await store.close()
    restore(backup, path, "then")
    with pytest.raises(StoreError, match=r"aside\.db-wal is damaged"):
        restore(aside, path, "thereafter")
    assert plans(path) == ["before"]


async def test_a_restored_database_knows_its_backup_and_those_made_since(
    store: Store, path: Path, tmp_path: Path
) -> None:
    first = await made(store, tmp_path / "first.db")
    await made(store, tmp_path / "second.db")
    third = await made(store, tmp_path / "third.db")
    await store.close()
    names = ["first.db", "second.db", "third.db"]
    restore(first, path, "then")
    assert await noted(path) == names
    restore(third, path, "thereafter")
    assert await noted(path) == names
    restore(third, tmp_path / "elsewhere.db", "then")
    assert await noted(tmp_path / "elsewhere.db") == names
    restore(first, tmp_path / "anew.db", "then")
    assert await noted(tmp_path / "anew.db") == ["first.db"]


async def test_links_and_push_subscriptions_outlive_a_move_to_another_machine(
    store: Store, path: Path, tmp_path: Path
) -> None:
    keys = {"signing.key": "signs links\n", "push.key": "signs pushes\n", "admin.key": "opens\n"}
    for name, key in keys.items():
        (path.parent / name).write_text(key)
    backup = await made(store, tmp_path / "b.db")
    elsewhere = tmp_path / "elsewhere" / path.name
    elsewhere.parent.mkdir()
    (elsewhere.parent / "push.key").write_text("another\n")
    for stamp in ("then", "thereafter"):
        restore(backup, elsewhere, stamp)
    held = {one.name: one.read_text() for one in elsewhere.parent.iterdir() if ".key" in one.name}
    assert held == {
        "signing.key": keys["signing.key"],
        "push.key": keys["push.key"],
        "push.key.before-then": "another\n",
    }
    assert (elsewhere.parent / "signing.key").stat().st_mode & 0o077 == 0
    # A key that is taken away is in no later backup.
    (elsewhere.parent / "signing.key").unlink()
    moved = await Store.open(elsewhere)
    later = await made(moved, tmp_path / "later.db")
    await moved.close()
    restore(later, tmp_path / "anew.db", "then")
    assert {one.name for one in tmp_path.glob("*.key")} == {"push.key"}


def test_the_keys_of_backups_are_those_that_a_process_makes() -> None:
    assert set(keepsakes.FILES) == {SIGNING_FILE, PUSH_FILE}


async def test_what_cannot_be_read_any_more_is_replaced_all_the_same(
    store: Store, path: Path, tmp_path: Path
) -> None:
    backup = await made(store, tmp_path / "b.db")
    await store.close()
    no_database(path)
    restore(backup, path, "then")
    assert await noted(path) == ["b.db"]


async def noted(path: Path) -> list[str]:
    store = await Store.open(path)
    known = await store.read(backups)
    await store.close()
    return [Path(one.path).name for one in known]


@pytest.mark.parametrize("renames", [0, 1, 2])
async def test_a_restoration_that_was_cut_short_is_finished_by_who_opens_next(
    store: Store,
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    renames: int,
) -> None:
    backup = await made(store, tmp_path / "b.db")
    await keep_plan(store, "after", b"{}")
    log = path.with_name(path.name + "-wal").read_bytes()
    await store.close()
    path.with_name(path.name + "-wal").write_bytes(log)
    done: list[str] = []
    rename = type(path).rename

    def cut_short(self: Path, target: Path) -> Path:
        if STAGED in target.name:
            return rename(self, target)
        if len(done) >= renames:
            raise OSError(5, "the power went")
        done.append(target.name)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "rename", cut_short)
        with pytest.raises(StoreError, match="the power went"):
            restore(backup, path, "then")
    assert len(done) == renames
    store = await Store.open(path)
    assert await plan_content(store, "after") is None
    assert await plan_content(store, "before") == b"{}"
    await store.close()
    assert plans(path.with_name(path.name + ASIDE + "then")) == ["after", "before"]
    assert finish_restore(path) is None


async def test_into_an_empty_folder_nothing_is_kept_aside(store: Store, tmp_path: Path) -> None:
    backup = await made(store, tmp_path / "b.db")
    (tmp_path / "fresh").mkdir()
    assert restore(backup, tmp_path / "fresh" / "hairspring.db", "then") is None
    assert [one.name for one in (tmp_path / "fresh").iterdir()] == ["hairspring.db"]


def damage(path: Path) -> None:
    """Overwrite whole pages in the middle of a file."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096 * 8] = b"\xa5" * 4096 * 8
    path.write_bytes(data)


def foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (a)")
    connection.close()


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()


def no_database(path: Path) -> None:
    path.write_text("no database at all, but long enough to look like one" * 100)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (damage, r"is damaged: integrity_check|malformed"),
        (foreign, "is no backup of hairspring"),
        (newer, "was made by a newer version"),
        (no_database, "file is not a database"),
    ],
)
async def test_what_is_no_sound_backup_is_refused_and_nothing_changes(
    store: Store, path: Path, tmp_path: Path, spoil, told: str
) -> None:
    await keep_plan(store, "large", bytes(1 << 20))
    backup = await made(store, tmp_path / "b.db")
    await store.close()
    spoil(backup)
    with pytest.raises(StoreError, match=told):
        restore(backup, path, "then")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


async def test_after_a_crash_a_damaged_database_names_the_way_back(
    store: Store, path: Path, tmp_path: Path
) -> None:
    backup = await made(store, tmp_path / "b.db")
    await keep_plan(store, "large", bytes(1 << 20))
    await store.close()
    damage(path)
    path.with_name(path.name + "-wal").write_bytes(b"anything")  # as a crash leaves it
    with pytest.raises(StoreError, match="is damaged: quick_check: ") as caught:
        await Store.open(path)
    told = f"restore the last backup: hairspring restore {backup} --data {path.parent}"
    assert caught.value.hint == told
    backup.unlink()
    with pytest.raises(StoreError) as caught:
        await Store.open(path)
    assert f"hairspring restore FILE --data {path.parent}" in caught.value.hint
