"""What is held of one user, read in slices between commits, in order of time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.effects import Record, SendMessage
from engine.core.inputs import UserErased, UserInput
from engine.core.state import User, decode_user
from engine.store import archive, coupons, erasure, inbox
from engine.store.saved import saved_bytes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Sequence

    from engine.store.database import Store

SLICE_ROWS: Final = 32
"""Journal rows that a slice reads: one of many inputs is searched in half a millisecond."""

SLICE_RECORDS: Final = 512

_decode_input = msgspec.json.Decoder(UserInput | UserErased).decode
_decode_record = msgspec.json.Decoder(Record).decode
_decode_message = msgspec.json.Decoder(SendMessage).decode


class Message(msgspec.Struct):
    """A message in the outbox.

    Attributes:
        snapshot: What its template may name, as JSON.
        rendered: What goes over the wire, as JSON, once it was rendered.
        dead: Why its delivery failed for good; None while it is under way.
    """

    message: SendMessage
    snapshot: msgspec.Raw
    rendered: msgspec.Raw | None
    dead: str | None


class Item(msgspec.Struct):
    """A quarantined item, as `Quarantined`, and its number there."""

    number: int
    received_at_ms: int
    source: str
    path: str
    reason: str
    body: bytes


async def ids_of(store: Store, user_id: str) -> tuple[str, ...]:
    """All ids of the user whom one of them means, his own first; that one for nobody.

    As he was saved last, where no process runs that knows better. O(the user log).
    """
    user = await saved_state(store, user_id)
    return (user_id,) if user is None else (user.user_id, *user.aliases)


async def inputs_of(store: Store, *ids: str) -> AsyncIterator[UserInput | UserErased]:
    """The inputs of a user with these ids, oldest first, as far back as they are kept.

    O(segments), and the rows in which he, or somebody with his hash, has an input.
    """
    walk = archive.Walk("journal", *ids, asked=store.indexing.places)
    while not walk.is_done:
        for line in await store.read(partial(_lines, walk=walk, ids=ids)):
            yield _decode_input(line)


async def records_of(store: Store, *ids: str) -> AsyncIterator[Record]:
    """The records of a user with these ids, in order of the commits that made them."""
    walk = archive.Walk("records", *ids, asked=store.indexing.places)
    while not walk.is_done:
        for row in await store.read(partial(_records, walk=walk, ids=ids)):
            yield _decode_record(row)


async def messages_of(store: Store, *ids: str) -> list[Message]:
    """His messages whose delivery has not come to its end, and those that failed for good."""
    rows = await store.read(
        lambda c: c.execute(
            "SELECT message, snapshot, rendered, dead FROM outbox "  # noqa: S608 - marks alone
            f"WHERE user_id IN ({_marks(ids)}) ORDER BY number",
            ids,
        ).fetchall()
    )
    return [
        Message(
            _decode_message(message),
            msgspec.Raw(snapshot or b"null"),
            None if rendered is None else msgspec.Raw(rendered),
            dead,
        )
        for message, snapshot, rendered, dead in rows
    ]


async def quarantined_of(store: Store, *ids: str) -> list[Item]:
    """Items in the quarantine that name him, by any of his ids. O(the quarantine)."""
    found: list[Item] = []
    after = 0
    while True:
        rows = await store.read(partial(_quarantined, after=after))
        if not rows:
            return found
        after = rows[-1][0]
        found += [
            Item(*row) for row in rows if any(erasure.names(row[-1], user_id) for user_id in ids)
        ]


async def quarantine(
    store: Store,
    *,
    after: int = 0,
    limit: int,
    source: str | None = None,
    numbers: Sequence[int] | None = None,
) -> list[Item]:
    """Items in the quarantine, oldest first, from behind the number `after` on.

    Those of one `source`, or with these `numbers` (in order), where either is given. O(what is
    passed over, and told).
    """
    values: tuple[int | str, ...]
    if numbers is not None:
        asked = [number for number in numbers if number > after][:limit]
        where, values = f"number IN ({_marks(asked)})", (*asked,)
    elif source is not None:
        where, values = "number > ? AND source = ?", (after, source)
    else:
        where, values = "number > ?", (after,)
    rows = await store.read(
        lambda c: c.execute(
            "SELECT number, received_at_ms, source, path, reason, body FROM quarantine "  # noqa: S608 - marks alone
            f"WHERE {where} ORDER BY number LIMIT ?",
            (*values, limit),
        ).fetchall()
    )
    return [Item(*row) for row in rows]


async def floors_of(store: Store, *ids: str) -> list[tuple[int, User]]:
    """His earlier states that the archive is replayed from, with the instant; oldest first."""
    rows = await store.read(
        lambda c: c.execute(
            "SELECT ifnull(at_ms, 0), state FROM floors LEFT JOIN generations USING (generation) "  # noqa: S608 - marks alone
            f"WHERE user_id IN ({_marks(ids)}) ORDER BY generation",
            ids,
        ).fetchall()
    )
    states = [(at_ms, decode_user(state)) for at_ms, state in rows]
    return [(at_ms, user) for at_ms, user in states if not user.merged_into]


async def inbox_of(store: Store, *ids: str) -> list[inbox.Kept]:
    """His in-app messages, oldest first, also those that he is not shown any more."""
    return await store.read(partial(inbox.of_user, user_ids=ids, now_ms=0))


async def saved_state(store: Store, user_id: str) -> User | None:
    """A user as he was saved last, by any of his ids, where no process runs that knows better.

    O(the user log).
    """
    state = await store.read(partial(saved_bytes, user_id=user_id))
    while state is not None and (user := decode_user(state)).merged_into:
        state = await store.read(partial(saved_bytes, user_id=user.merged_into))
    return None if state is None else user


async def coupons_of(store: Store, *ids: str) -> list[tuple[str, str, int]]:
    """Codes that are a user's: (pool, code, instant), in order of time. O(what there is)."""
    return await store.read(lambda connection: coupons.held(connection, *ids))


async def is_held(store: Store, user_id: str) -> bool:
    """Whether anything is held of him, be it inputs that no saved state has seen. Stops at once."""
    if await saved_state(store, user_id) is not None or await messages_of(store, user_id):
        return True
    if await inbox_of(store, user_id):
        return True
    async for _ in inputs_of(store, user_id):
        return True
    async for _ in records_of(store, user_id):
        return True
    return bool(await quarantined_of(store, user_id))


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _lines(connection: sqlite3.Connection, walk: archive.Walk, ids: tuple[str, ...]) -> list[bytes]:
    lines: list[bytes] = []
    for key in walk.next_keys(connection, SLICE_ROWS):
        row = connection.execute(
            "SELECT inputs FROM journal WHERE first_input = ?", (key,)
        ).fetchone()
        if row is not None:
            lines += [line for _, line in archive.lines_of(row[0], *ids)]
    return lines


def _records(
    connection: sqlite3.Connection, walk: archive.Walk, ids: tuple[str, ...]
) -> list[bytes]:
    keys = walk.next_keys(connection, SLICE_RECORDS)
    marks = ",".join("?" * len(keys))
    rows = connection.execute(
        f"SELECT user_id, record FROM records WHERE number IN ({marks}) ORDER BY number",  # noqa: S608 - marks alone
        keys,
    )
    return [record for user_id, record in rows if user_id in ids]


def _quarantined(
    connection: sqlite3.Connection, after: int
) -> list[tuple[int, int, str, str, str, bytes]]:
    return connection.execute(
        "SELECT number, received_at_ms, source, path, reason, body FROM quarantine "
        "WHERE number > ? ORDER BY number LIMIT ?",
        (after, SLICE_ROWS),
    ).fetchall()
