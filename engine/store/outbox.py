"""Messages between their commit and the end of their delivery, as rows; those that failed for good.

A row is *dead* once its message failed with nothing left to stand in for it: it is kept as a dead
letter, with what it takes to deliver it after all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from engine.core.effects import SendMessage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from engine.core.effects import CloseMessage, ReviveMessage

Parts: TypeAlias = Literal["all", "rendered", "head"]
"""What is read of a row: its message, with what is rendered, with the snapshot too."""

_PARTS: Final[dict[Parts, str]] = {
    "all": "CASE WHEN rendered IS NULL THEN snapshot ELSE x'' END, rendered",
    "rendered": "x'', rendered",
    "head": "x'', NULL",
}

COLUMNS: Final = "(number, id, user_id, channel, urgent, message, snapshot)"
"""Of a row as it is written first."""

SIZE: Final = "length(message) + length(snapshot) + ifnull(length(rendered), 0)"
"""Of a row, in bytes; SQLite reads them from the row's head."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SendMessage).decode


def read(
    connection: sqlite3.Connection,
    *,
    channel: str,
    after_number: int,
    limit: int,
    urgent: bool,
    bytes_max: int,
    parts: Parts,
) -> list[tuple[Any, ...]]:
    """As `Store.outbox`: (number, message, snapshot, rendered, attempts, tried_at_ms) of each."""
    cursor = connection.execute(
        f"SELECT number, message, {_PARTS[parts]}, attempts, tried_at_ms FROM outbox "  # noqa: S608 - one of three
        "WHERE channel = ? AND urgent = ? AND number > ? AND dead IS NULL ORDER BY number LIMIT ?",
        (channel, urgent, after_number, limit),
    )
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        rows.append(row)
        size += len(row[2]) + len(row[3] or b"")
        if size >= bytes_max:
            break
    cursor.close()
    return rows


def row_of(number: int, message: SendMessage) -> tuple[Any, ...]:
    """A row of `COLUMNS`, without its snapshot."""
    return (number, message.id, message.user_id, message.channel, message.urgent, _head(message))


def close(connection: sqlite3.Connection, closed: Sequence[CloseMessage]) -> int:
    """Deliveries came to their end: rows go, or are dead letters from here on.

    Returns how many bytes those are (`SIZE`).
    """
    dead_bytes = 0
    for one in closed:
        if one.dead:
            row = connection.execute(
                "UPDATE outbox SET dead = ?, dead_at_ms = ?, attempts = ?, pending = ? "  # noqa: S608 - a constant
                f"WHERE id = ? RETURNING {SIZE}",
                (one.reason, one.at_ms, one.attempts, one.pending or None, one.id),
            ).fetchone()
            dead_bytes += row[0] if row else 0
        else:
            connection.execute("DELETE FROM outbox WHERE id = ?", (one.id,))
    return dead_bytes


class Tried(NamedTuple):
    """How often a message was tried in vain, and when first: a row of `keep_tried`'s statement."""

    attempts: int
    first_at_ms: int
    id: str


def keep_tried(
    connection: sqlite3.Connection,
    *,
    tried: Sequence[Tried],
    failing: Mapping[tuple[str, str], int],
) -> None:
    """Note attempts that failed; and by (channel, provider), since when it is down (0: it is not).

    What has come to its end meanwhile stays as it is.
    """
    connection.executemany(
        "UPDATE outbox SET attempts = ?, tried_at_ms = ? WHERE id = ? AND dead IS NULL", tried
    )
    for provider, since_ms in failing.items():
        if since_ms:
            connection.execute("INSERT OR REPLACE INTO failing VALUES (?, ?, ?)",
                               (*provider, since_ms))  # fmt: skip
        else:
            connection.execute("DELETE FROM failing WHERE channel = ? AND provider = ?", provider)


def failing(connection: sqlite3.Connection) -> list[tuple[tuple[str, str], int]]:
    """((channel, provider), since when) of those that were down, the latest first. O(those)."""
    rows = connection.execute(
        "SELECT channel, provider, since_ms FROM failing ORDER BY since_ms DESC"
    )
    return [((channel_id, provider), since_ms) for channel_id, provider, since_ms in rows]


def revive(connection: sqlite3.Connection, revived: Sequence[ReviveMessage]) -> None:
    """Dead letters are to be delivered after all."""
    connection.executemany(
        "UPDATE outbox SET dead = NULL, dead_at_ms = NULL, pending = NULL, attempts = 0, "
        "tried_at_ms = 0 WHERE id = ?",
        [(one.id,) for one in revived],
    )


def _head(message: SendMessage) -> bytes:
    """A message without its snapshot, which has a column of its own."""
    return _encode(msgspec.structs.replace(message, snapshot=msgspec.Raw(b"null")))


class Letter(msgspec.Struct, frozen=True):
    """A dead letter.

    Attributes:
        number: Of its row; letters are told in this order.
        reason: Why it failed, as in its record.
        failed_at_ms: When that was known; 0 where an earlier version did not keep it.
        attempts: How many were made, since it was last sent on its way.
        pending: What its user knew of it, as JSON; b"" where an earlier version did not keep it.
    """

    number: int
    message: SendMessage
    reason: str
    failed_at_ms: int
    attempts: int
    pending: bytes


def letters(
    connection: sqlite3.Connection,
    *,
    after_number: int,
    limit: int,
    ids: Sequence[str] | None,
    campaign: str | None,
    channel: str | None,
) -> list[Letter]:
    """Dead letters beyond a row number, in order, as far as they are meant. O(letters)."""
    asked = (
        ("id IN (SELECT value FROM json_each(?))", ids and _encode(ids).decode()),
        ("message ->> '$.campaign' = ?", campaign),
        ("channel = ?", channel),
    )
    where = [(clause, value) for clause, value in asked if value is not None]
    if ids is not None and not ids:
        return []
    clauses = "".join(f" AND {clause}" for clause, _ in where)
    rows = connection.execute(
        "SELECT number, message, dead, ifnull(dead_at_ms, 0), attempts, ifnull(pending, x'') "  # noqa: S608 - clauses of this function
        f"FROM outbox WHERE dead IS NOT NULL AND number > ?{clauses} ORDER BY number LIMIT ?",
        (after_number, *(value for _, value in where), limit),
    )
    return [Letter(number, _decode(message), *rest) for number, message, *rest in rows]


def count_letters(connection: sqlite3.Connection) -> int:
    """How many dead letters there are. O(letters)."""
    row = connection.execute("SELECT count(*) FROM outbox WHERE dead IS NOT NULL").fetchone()
    return int(row[0])
