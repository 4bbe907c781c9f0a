from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from engine.store import Store, erasure, inbox
from engine.store.holdings import inbox_of, is_held
from engine.store.pruning import SLICE_BYTES_MAX, SLICE_ROWS_MAX

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator
    from pathlib import Path

NEVER = 1 << 50


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "hairspring.db")
    yield opened
    await opened.close()


async def put(store: Store, message_id: str, *users: str, **more: Any) -> bool:
    options = {"expires_at_ms": NEVER, "message": b"{}", "most": 100, **more}
    return await store.transact(
        partial(inbox.put, message_id=message_id, user_ids=users or ("ada",), **options)
    )


async def ids(store: Store, *users: str, **more: Any) -> list[str]:
    options = {"now_ms": 0, **more}
    kept = await store.read(partial(inbox.of_user, user_ids=users or ("ada",), **options))
    return [one.id for one in kept]


def _count(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("SELECT count(*) FROM inbox").fetchone()[0]
    return count


async def test_a_message_is_kept_once(store: Store) -> None:
    assert await put(store, "m1")
    assert not await put(store, "m1")
    assert await ids(store) == ["m1"]


async def test_who_bears_several_ids_has_one_inbox(store: Store) -> None:
    await put(store, "m1", "visitor")
    await put(store, "m2", "ada", "visitor", most=2)
    assert await ids(store, "ada", "visitor") == ["m1", "m2"]
    await put(store, "m3", "ada", "visitor", most=2)
    assert await ids(store, "ada", "visitor") == ["m2", "m3"]


async def test_what_has_expired_is_not_told_and_goes_though_no_other_comes(store: Store) -> None:
    await put(store, "new", expires_at_ms=6)
    await put(store, "old", expires_at_ms=5)
    assert await ids(store, now_ms=5) == ["new", "old"]
    assert await ids(store, now_ms=6) == ["new"]
    assert not await store.prune(5)
    assert await ids(store) == ["new", "old"]
    assert await store.prune(6)
    assert await ids(store) == ["new"]
    assert not await store.prune(6)


async def test_what_has_expired_goes_a_slice_at_a_time(store: Store) -> None:
    large = b"x" * (SLICE_BYTES_MAX // 2)
    for number in range(SLICE_ROWS_MAX + 1):
        await put(store, f"small-{number}", "ada", expires_at_ms=number + 1, most=1_000)
    for number in range(3):
        await put(store, f"large-{number}", "bob", expires_at_ms=1_000 + number, message=large)
    left = []
    while await store.prune(2_000):
        left.append(await store.read(_count))
    assert left == [4, 1, 0]


async def test_no_number_ever_names_another_message(store: Store) -> None:
    await put(store, "m1", expires_at_ms=5)
    (first,) = await inbox_of(store, "ada")
    assert await store.prune(6)
    await put(store, "m2")
    (second,) = await inbox_of(store, "ada")
    assert second.number > first.number
    assert await ids(store, after=first.number) == ["m2"]


async def test_what_was_done_first_counts(store: Store) -> None:
    await put(store, "m1")
    for at_ms in (7, 9):
        await store.transact(partial(inbox.mark, message_id="m1", done="read", at_ms=at_ms))
    kept = await store.read(partial(inbox.find, message_id="m1"))
    assert kept is not None
    assert (kept.read_at_ms, kept.clicked_at_ms, kept.dismissed_at_ms) == (7, 0, 0)


async def test_an_inbox_is_held_of_its_user_and_erased_with_him(store: Store) -> None:
    await put(store, "m1")
    await put(store, "m2", "bob")
    assert await is_held(store, "ada")
    rows = erasure.Erasure("ada", forget=store.floors.forget)
    while await store.transact(rows.go_on):
        pass
    assert rows.counts.messages == 1
    assert await inbox_of(store, "ada") == []
    assert not await is_held(store, "ada")
    assert await ids(store, "bob") == ["m2"]
