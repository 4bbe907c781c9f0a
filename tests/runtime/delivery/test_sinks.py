"""Records streamed out: at least once, in order, from where it was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from channels.signing import signature, signing_key
from config.sinks import SinkSettings
from engine.core.effects import Record
from engine.runtime.delivery.sinks import Sinks, forget_in_files
from engine.runtime.metrics import Metrics
from engine.store import Store
from tests.channels.providers import SECRET, HttpProvider
from tests.store.batches import EMPTY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "hairspring.db", sync="normal")
    yield opened
    await opened.close()


@pytest.fixture
async def crm() -> AsyncIterator[HttpProvider]:
    provider = HttpProvider()
    await provider.start()
    yield provider
    await provider.close()


class Stream:
    """Sinks of one process, and records that are committed to its store."""

    def __init__(self, store: Store, data: Path, **chosen: SinkSettings) -> None:
        self.store = store
        self.metrics = Metrics()
        self.sinks = Sinks(
            chosen, store=store, data=data, wall_ms=lambda: 1_000, jitter=lambda: 0.0,
            metrics=self.metrics,
        )  # fmt: skip

    async def commit(self, *records: Record, number: int) -> None:
        batch = msgspec.structs.replace(EMPTY, number=number, records=list(records))
        await self.store.commit(batch)
        self.sinks.released()

    def taken(self, name: str, outcome: str = "taken") -> float:
        value: float = self.metrics.sinks.labels(name, outcome)._value.get()
        return value

    async def until(self, name: str, count: int, outcome: str = "taken") -> None:
        while self.taken(name, outcome) < count:
            await asyncio.sleep(0)


def record(number: int, kind: Any = "sent", campaign: str = "c") -> Record:
    return Record(1_767_225_600_000 + number, f"u{number}", campaign, kind, "e")


def bodies(crm: HttpProvider) -> list[list[str]]:
    told = [msgspec.json.decode(body)["data"]["records"] for _, body in crm.requests]
    return [[one["user_id"] for one in batch] for batch in told]


async def test_records_come_in_batches_signed_and_in_order(
    store: Store, tmp_path: Path, crm: HttpProvider
) -> None:
    chosen = SinkSettings(kind="webhook", url=crm.url, secret=SECRET, batch=3)
    stream = Stream(store, tmp_path, crm=chosen)
    await stream.sinks.start()
    await stream.commit(*map(record, range(7)), number=1)
    await stream.until("crm", 7)
    assert bodies(crm) == [["u0", "u1", "u2"], ["u3", "u4", "u5"], ["u6"]]
    headers, body = crm.requests[0]
    (first, *_) = msgspec.json.decode(body)["data"]["records"]
    assert (first["id"], first["at"]) == ("1", "2026-01-01T00:00:00.000Z")
    key = signing_key(SECRET)
    assert key is not None
    said = signature(key, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == said
    await stream.sinks.stop()


async def test_only_what_is_wanted_is_streamed(
    store: Store, tmp_path: Path, crm: HttpProvider
) -> None:
    chosen = SinkSettings(kind="webhook", url=crm.url, kinds=("goal",), campaigns=("c",))
    stream = Stream(store, tmp_path, crm=chosen)
    await stream.sinks.start()
    some = [record(0), record(1, "goal"), record(2, "goal", "other"), record(3, "goal")]
    await stream.commit(*some, number=1)
    await stream.until("crm", 2)
    assert bodies(crm) == [["u1", "u3"]]
    await stream.sinks.stop()


async def test_it_goes_on_where_it_was_and_a_new_one_begins_with_what_comes(
    store: Store, tmp_path: Path, crm: HttpProvider
) -> None:
    chosen = SinkSettings(kind="webhook", url=crm.url)
    first = Stream(store, tmp_path, crm=chosen)
    await first.commit(record(0), number=1)  # before anybody knew of the sink
    await first.sinks.start()
    await first.commit(record(1), number=2)
    await first.until("crm", 1)
    while await store.read(lambda c: c.execute(
        "SELECT value FROM meta WHERE name = 'sink:crm'").fetchone()) != (2,):  # fmt: skip
        await asyncio.sleep(0)
    await first.sinks.stop()
    await first.commit(record(2), number=3)
    second = Stream(store, tmp_path, crm=chosen)
    await second.sinks.start()
    await second.until("crm", 1)
    assert bodies(crm) == [["u1"], ["u2"]]
    await second.sinks.stop()


async def test_a_sink_that_is_down_slows_no_other_and_one_record_it_refuses_is_passed_over(
    store: Store, tmp_path: Path, crm: HttpProvider
) -> None:
    async def picky(request: web.Request) -> web.Response:
        return web.Response(status=422 if b'"u2"' in await request.read() else 204)

    crm.answer = picky
    stream = Stream(
        store, tmp_path,
        dead=SinkSettings(kind="webhook", url="http://127.0.0.1:1/"),
        crm=SinkSettings(kind="webhook", url=crm.url),
        lake=SinkSettings(kind="file"),
    )  # fmt: skip
    await stream.sinks.start()
    await stream.commit(*map(record, range(4)), number=1)
    await stream.until("crm", 3)
    await stream.until("lake", 4)
    assert stream.taken("crm", "refused") == 1
    assert stream.taken("dead") == 0
    await stream.sinks.stop()


async def test_a_file_is_put_aside_when_it_has_grown_and_a_second_copy_is_not_written(
    store: Store, tmp_path: Path
) -> None:
    chosen = SinkSettings(kind="file", rotate_bytes=1, files=2, batch=1)
    stream = Stream(store, tmp_path, lake=chosen)
    await stream.sinks.start()
    await stream.commit(*map(record, range(5)), number=1)
    await stream.until("lake", 5)
    await stream.sinks.stop()
    names = sorted(path.name for path in (tmp_path / "sinks").iterdir())
    assert names == ["lake.000000000000004.ndjson", "lake.000000000000005.ndjson", "lake.ndjson"]
    await store.transact(
        lambda c: c.execute("UPDATE meta SET value = 4 WHERE name = 'sink:lake'") and None
    )
    again = Stream(store, tmp_path, lake=msgspec.structs.replace(chosen, rotate_bytes=1 << 20))
    await again.sinks.start()
    await again.until("lake", 1)
    await again.sinks.stop()
    (line,) = (tmp_path / "sinks/lake.ndjson").read_bytes().splitlines()
    assert msgspec.json.decode(line)["user_id"] == "u4"
    assert forget_in_files(tmp_path, "u4") == 1
    assert (tmp_path / "sinks/lake.ndjson").read_bytes() == b""
