from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from config import decode_content, load_shop
from engine.errors import StoreError
from engine.runtime.processor import Processor
from engine.store import Store, migrations
from engine.store.migrations import SCHEMA_VERSION
from tests.store.plans import plan_content

if TYPE_CHECKING:
    from engine.runtime.processor import Released

STORED = sorted(Path(__file__).with_name("stored").glob("schema-*.sql.gz"))
"""A small shop's database as the last program of each schema left it, ended by `kill -9`: users
with deadlines an hour and thirty days off, deliveries done, dead, rendered and not, records,
quarantined items, a plan, and visitors who are in the journal's tail alone."""

HOUR = 3_600_000
DAY = 24 * HOUR


def build(stored: Path, path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(gzip.decompress(stored.read_bytes()).decode())
    connection.close()
    return path


@pytest.fixture(params=STORED, ids=[path.name.partition(".")[0] for path in STORED])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return build(request.param, tmp_path / "hairspring.db")


def described(path: Path) -> dict[str, Any]:
    """Tables with their columns and indexes, however they came about."""
    connection = sqlite3.connect(path)
    tables = connection.execute(
        "SELECT name, strict, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    ).fetchall()
    told: dict[str, Any] = {
        name: (
            (strict, without_rowid),
            connection.execute(f"PRAGMA table_xinfo({name})").fetchall(),
            sorted(
                (row[1:], connection.execute(f"PRAGMA index_xinfo({row[1]})").fetchall())
                for row in connection.execute(f"PRAGMA index_list({name})").fetchall()
            ),
        )
        for name, strict, without_rowid in tables
    }
    told["version"] = connection.execute("PRAGMA user_version").fetchone()
    told["application"] = connection.execute("PRAGMA application_id").fetchone()
    connection.close()
    return told


async def test_a_migrated_database_is_as_a_fresh_one(path: Path, tmp_path: Path) -> None:
    await (await Store.open(path)).close()
    fresh = tmp_path / "fresh.db"
    await (await Store.open(fresh)).close()
    assert described(path) == described(fresh)


def test_there_is_a_stored_database_of_every_earlier_schema() -> None:
    versions = [int(path.name.removeprefix("schema-").partition(".")[0]) for path in STORED]
    assert versions == list(range(1, SCHEMA_VERSION))


async def open_and_go_on(path: Path) -> tuple[Store, Processor]:
    store = await Store.open(path)
    recovered = await store.recover(DAY)
    content = await plan_content(store, recovered.plan_id)
    assert content is not None
    processor = Processor(
        load_shop(decode_content(content)).plan,
        recovered.users,
        now_ms=recovered.last_at_ms,
        next_input=recovered.next_input,
        next_message=recovered.next_message,
    )
    processor.replay(recovered.tail)
    return store, processor


async def let_out(store: Store, processor: Processor, now_ms: int) -> Released:
    processor.advance(now_ms)
    batch = processor.begin(now_ms)
    assert batch is not None
    await store.commit(batch)
    return processor.finish(batch)


async def test_a_stored_database_recovers_and_its_deadlines_fire(path: Path) -> None:
    store, processor = await open_and_go_on(path)
    assert len(processor.users) == 44
    assert processor.users["Zoë ☂"].traits["first_name"] == "Name 12"
    assert processor.users["visitor-29"].last_seen_at_ms > 0
    assert [row.message.user_id for row in await store.outbox("email", 0, 10)] == [
        *("user-3", "user-4", "user-5", "user-7", "user-8"),
    ]
    assert (await store.count("quarantine"), await store.count("records")) == (2, 38)

    hour_later = await let_out(store, processor, processor.now_ms + HOUR)
    assert [message.user_id for _, message in hour_later.messages] == [
        *("user-9", "user-10", "user-11", "Zoë ☂"),
    ]
    month_later = await let_out(store, processor, processor.now_ms + 31 * DAY)
    # Those whose reminder is on its way wait for thirty days; the newcomer has no consent.
    assert {message.user_id for _, message in month_later.messages} == {
        *("user-4", "user-5", "user-6", "user-7", "user-8"),
        *("user-9", "user-10", "user-11", "Zoë ☂"),
    }
    await store.close()


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = described(path)
    last = SCHEMA_VERSION - 1
    broken = (*migrations.STEPS[last], "INSERT INTO no_such_table VALUES (1)")
    monkeypatch.setitem(migrations.STEPS, last, broken)
    with pytest.raises(StoreError, match=r"could not be brought from schema .*no_such_table"):
        await Store.open(path)
    assert described(path) == before
    monkeypatch.undo()
    await (await Store.open(path)).close()


async def test_a_migration_says_how_far_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = SCHEMA_VERSION - 1
    long = (
        "CREATE TABLE long AS WITH RECURSIVE n(x) AS "
        "(SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000) SELECT max(x) FROM n"
    )
    monkeypatch.setitem(migrations.STEPS, last, ("DROP TABLE IF EXISTS gone", long))
    told: list[str] = []
    await (await Store.open(path, on_progress=told.append)).close()
    assert told[-1] == f"schema {last} to {SCHEMA_VERSION}: 2 of 2"
    assert told.count(told[-1]) > 2  # within one statement too
