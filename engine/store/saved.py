"""A user as he was saved last: in his row, or later in the user log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.state import decode_user
from engine.store import user_log

if TYPE_CHECKING:
    import sqlite3


def saved_bytes(connection: sqlite3.Connection, user_id: str) -> bytes | None:
    """A user as he was saved last: in the user log, where that is newer than his row."""
    row = connection.execute(
        "SELECT state, batch FROM users WHERE user_id = ?", (user_id,)
    ).fetchone()
    state, saved_by = (None, -1) if row is None else row
    for (states,) in connection.execute(
        "SELECT states FROM user_log WHERE batch > ? AND instr(states, ?) ORDER BY batch",
        (saved_by, user_id.encode()),
    ):
        for one in user_log.unpack(states):
            if decode_user(one).user_id == user_id:
                state = one
    return state
