"""The user log: whoever was saved lately, a row a commit (why: `engine.runtime.saving`).

A row holds states, and *marks*: whose own row that commit has written, of whom the log had a state.
That state is older than the row, and stays in the log until it is swept; without the mark it passed
for the newest wherever the row is gone from a damaged file, and its user came back as he once was.
A mark is a state with nothing in it but the id: who erases a user needs to know of nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import sqlite3

pack: Final = msgspec.msgpack.Encoder().encode
"""States and marks as one row."""

unpack: Final = msgspec.msgpack.Decoder(list[bytes]).decode
"""The inverse of `pack`. Raises `msgspec.DecodeError` on anything else."""

_ENDS: Final = pack("in_row") + pack(True)


class _Mark(msgspec.Struct):
    user_id: str
    in_row: bool = False


_decode = msgspec.msgpack.Decoder(_Mark).decode


def mark(user_id: str) -> bytes:
    """That a commit has written a user's row."""
    return pack(_Mark(user_id, in_row=True))


def marked(state: bytes) -> str:
    """Whose row a mark tells of; "" for a state. Raises `msgspec.DecodeError`."""
    if not state.endswith(_ENDS):
        return ""
    read = _decode(state)  # a trait may be called so, too
    return read.user_id if read.in_row else ""


def rows_gone(connection: sqlite3.Connection) -> dict[str, int]:
    """Users whose row is not there, or older than a mark tells: with the batch that wrote it.

    O(the log). Raises `msgspec.DecodeError`.
    """
    batches: dict[str, int] = {}
    for batch, states in connection.execute("SELECT batch, states FROM user_log ORDER BY batch"):
        batches.update({user_id: batch for state in unpack(states) if (user_id := marked(state))})
    row_of = "SELECT batch FROM users WHERE user_id = ? AND batch >= ?"
    return {
        user_id: batch
        for user_id, batch in batches.items()
        if connection.execute(row_of, (user_id, batch)).fetchone() is None
    }
