"""In-app messages: at most so many of a user, until they expire (and `pruning` lets go of them).

Numbers count up and never name another message again, so that a browser can say up to which one it
has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

Mark: TypeAlias = Literal["read", "clicked", "dismissed"]


class Kept(msgspec.Struct, frozen=True):
    """A message in an inbox; the instants are 0 where it has not been done.

    Attributes:
        number: Its place in the order in which messages came.
        message: What is shown, as JSON.
    """

    number: int
    id: str
    user_id: str
    expires_at_ms: int
    read_at_ms: int
    clicked_at_ms: int
    dismissed_at_ms: int
    message: bytes


_COLUMNS: Final = ", ".join(Kept.__struct_fields__)


def put(
    connection: sqlite3.Connection,
    message_id: str,
    user_ids: Sequence[str],
    expires_at_ms: int,
    message: bytes,
    *,
    most: int,
) -> bool:
    """Keep a message of a user (all his ids, his own first); False where it is there already.

    Where they are too many, the oldest of his go. O(his messages).
    """
    done = connection.execute(
        "INSERT INTO inbox (id, user_id, expires_at_ms, message) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (id) DO NOTHING",
        (message_id, user_ids[0], expires_at_ms, message),
    )
    connection.execute(
        f"DELETE FROM inbox WHERE number IN (SELECT number FROM inbox WHERE user_id IN "  # noqa: S608 - marks alone
        f"({_marks(user_ids)}) ORDER BY number DESC LIMIT -1 OFFSET ?)",
        (*user_ids, most),
    )
    return done.rowcount > 0


def of_user(
    connection: sqlite3.Connection,
    user_ids: Sequence[str],
    *,
    now_ms: int,
    after: int = 0,
    limit: int = -1,
) -> list[Kept]:
    """A user's messages behind a number that have not expired, oldest first. O(his messages)."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM inbox WHERE user_id IN ({_marks(user_ids)}) "  # noqa: S608 - names and marks
        "AND number > ? AND expires_at_ms >= ? ORDER BY number LIMIT ?",
        (*user_ids, after, now_ms, limit),
    )
    return [Kept(*row) for row in rows]


def find(connection: sqlite3.Connection, message_id: str) -> Kept | None:
    """A message by its id. O(1)."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM inbox WHERE id = ?",  # noqa: S608 - names alone
        (message_id,),
    ).fetchone()
    return None if row is None else Kept(*row)


def mark(connection: sqlite3.Connection, message_id: str, done: Mark, at_ms: int) -> None:
    """Say that something was done with a message, for the first time. O(1)."""
    connection.execute(
        f"UPDATE inbox SET {done}_at_ms = ? WHERE id = ? AND {done}_at_ms = 0",  # noqa: S608 - one of three names
        (at_ms, message_id),
    )


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))
