"""What is held of one user, read in slices between commits, in order of time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.effects import Record, SendMessage
from engine.core.inputs import UserErased, UserInput
from engine.core.state import User, decode_user
from engine.store import archive, erasure

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator

    from engine.store.database import Store

SLICE_ROWS: Final = 32
"""Journal rows that a slice reads: one of many inputs is searched in half a millisecond."""

SLICE_RECORDS: Final = 512

_decode_input = msgspec.json.Decoder(UserInput | UserErased).decode
_decode_record = msgspec.json.Decoder(Record).decode
_decode_message = msgspec.json.Decoder(SendMessage).decode
_unpack = msgspec.msgpack.Decoder(list[bytes]).decode


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
    """A quarantined item, as `Quarantined`."""

    received_at_ms: int
    source: str
    path: str
    reason: str
    body: bytes


async def inputs_of(store: Store, user_id: str) -> AsyncIterator[UserInput | UserErased]:
    """A user's inputs, oldest first, as far back as they are kept.

    O(segments), and the rows in which he, or somebody with his hash, has an input.
    """
    walk = archive.Walk("journal", user_id)
    while (lines := await store.read(partial(_lines, walk=walk, user_id=user_id))) is not None:
        for line in lines:
            yield _decode_input(line)


async def records_of(store: Store, user_id: str) -> AsyncIterator[Record]:
    """A user's records, in order of the commits that made them."""
    walk = archive.Walk("records", user_id)
    while (rows := await store.read(partial(_records, walk=walk, user_id=user_id))) is not None:
        for row in rows:
            yield _decode_record(row)


async def messages_of(store: Store, user_id: str) -> list[Message]:
    """His messages whose delivery has not come to its end, and those that failed for good."""
    rows = await store.read(
        lambda c: c.execute(
            "SELECT message, snapshot, rendered, dead FROM outbox WHERE user_id = ? "
            "ORDER BY number",
            (user_id,),
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


async def quarantined_of(store: Store, user_id: str) -> list[Item]:
    """Items in the quarantine that name him. O(the quarantine)."""
    found: list[Item] = []
    after = 0
    while True:
        rows = await store.read(partial(_quarantined, after=after))
        if not rows:
            return found
        after = rows[-1][0]
        found += [Item(*row[1:]) for row in rows if erasure.names(row[-1], user_id)]


async def floors_of(store: Store, user_id: str) -> list[tuple[int, User]]:
    """His earlier states that the archive is replayed from, with the instant; oldest first."""
    rows = await store.read(
        lambda c: c.execute(
            "SELECT ifnull(at_ms, 0), state FROM floors LEFT JOIN generations USING (generation) "
            "WHERE user_id = ? ORDER BY generation",
            (user_id,),
        ).fetchall()
    )
    return [(at_ms, decode_user(state)) for at_ms, state in rows]


async def saved_state(store: Store, user_id: str) -> User | None:
    """A user as he was saved last, where no process runs that knows better. O(the user log)."""
    state = await store.read(partial(saved_bytes, user_id=user_id))
    return None if state is None else decode_user(state)


async def is_held(store: Store, user_id: str) -> bool:
    """Whether anything is held of him, be it inputs that no saved state has seen. Stops at once."""
    if await saved_state(store, user_id) is not None or await messages_of(store, user_id):
        return True
    async for _ in inputs_of(store, user_id):
        return True
    async for _ in records_of(store, user_id):
        return True
    return bool(await quarantined_of(store, user_id))


def _lines(connection: sqlite3.Connection, walk: archive.Walk, user_id: str) -> list[bytes] | None:
    keys = walk.next_keys(connection, SLICE_ROWS)
    if not keys:
        return None
    lines: list[bytes] = []
    for key in keys:
        row = connection.execute(
            "SELECT inputs FROM journal WHERE first_input = ?", (key,)
        ).fetchone()
        if row is not None:
            lines += [line for _, line in archive.lines_of(row[0], user_id)]
    return lines


def _records(
    connection: sqlite3.Connection, walk: archive.Walk, user_id: str
) -> list[bytes] | None:
    keys = walk.next_keys(connection, SLICE_RECORDS)
    if not keys:
        return None
    marks = ",".join("?" * len(keys))
    rows = connection.execute(
        f"SELECT record FROM records WHERE number IN ({marks}) AND user_id = ? ORDER BY number",  # noqa: S608 - marks alone
        (*keys, user_id),
    )
    return [row[0] for row in rows]


def _quarantined(
    connection: sqlite3.Connection, after: int
) -> list[tuple[int, int, str, str, str, bytes]]:
    return connection.execute(
        "SELECT number, received_at_ms, source, path, reason, body FROM quarantine "
        "WHERE number > ? ORDER BY number LIMIT ?",
        (after, SLICE_ROWS),
    ).fetchall()


def saved_bytes(connection: sqlite3.Connection, user_id: str) -> bytes | None:
    """A user as he was saved last: in the user log, where that is newer than his row."""
    row = connection.execute(
        "SELECT state, batch FROM users WHERE user_id = ?", (user_id,)
    ).fetchone()
    state, saved_by = (None, -1) if row is None else row
    for batch, states in connection.execute(
        "SELECT batch, states FROM user_log WHERE batch > ? AND instr(states, ?) ORDER BY batch",
        (saved_by, user_id.encode()),
    ):
        for one in _unpack(states):
            if decode_user(one).user_id == user_id:
                state, saved_by = one, batch
    return state
