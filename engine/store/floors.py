"""Floors: saved states from which the archive can be replayed.

A *generation* of floors is everybody's saved state, copied in slices, user by user; it is complete
with the last one, at an instant `at_ms`. Whoever has not changed since his last floor gets no new
one. A floor is what a restart at that time would have read: with the inputs since `from_input` it
gives the user as he was at any instant from `at_ms` on, by the very means of recovery, and under
the code and the plan that made it.

The *floor of the archive* is the newest generation that is `events.keep` old or older. Journal rows
below its `from_input` go, and so do older floors. Generations begin `GENERATIONS` times in
`events.keep`, so that inputs stay a quarter longer at the most.

The other way, one state a user that each input is replayed onto as it goes, holds fewer bytes; but
it writes a page for nearly each of those inputs, runs every input twice, and needs every plan and
every version of the engine that there was.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.state import decode_user
from engine.store import user_log
from engine.store.saved import saved_bytes

if TYPE_CHECKING:
    import sqlite3

GENERATIONS: Final = 4
"""Generations begun in the time for which events are kept."""

SLICE_USERS: Final = 256
"""Users that a slice copies, or whose older floors it drops."""


class _Whose(msgspec.Struct):
    user_id: str


_decode_whose = msgspec.msgpack.Decoder(_Whose).decode


class _Seen(msgspec.Struct):
    seen: int = 0
    last_seen_at_ms: int = 0


_decode_seen = msgspec.msgpack.Decoder(_Seen).decode
_FLOOR: Final = (
    "SELECT state FROM floors WHERE user_id = ? AND generation <= ? "
    "ORDER BY generation DESC LIMIT 1"
)


class Floor(msgspec.Struct):
    """What a replay of the archive starts from, for one user.

    Attributes:
        at_ms: From this instant on a replay is exact; 0: from the beginning.
        from_input: Number of the first input that the replay needs.
        state: The user's saved state; None where he was not known yet.
        settled: The change of the plan that everybody was saved under there.
    """

    at_ms: int
    from_input: int
    state: bytes | None
    settled: int = 0


class _Copy:
    """A generation that is being made: what the user log held as it began, and how far it is."""

    def __init__(self, generation: int, logged: dict[str, tuple[int, bytes]]) -> None:
        self.generation = generation
        self.logged = logged
        self.after = ""


class Floors:
    """Makes generations and drops those that are too old, a slice at a time.

    Of one database, on its connection's thread, each call within a transaction that is not rolled
    back without `forget`. What is under way is in memory: a restart begins a new generation, and
    what the broken one had copied stays good.
    """

    def __init__(self) -> None:
        self._copy: _Copy | None = None
        self._swept = ""

    def forget(self, *user_ids: str) -> None:
        """These are to be in no generation that is under way; without an id: begin it anew."""
        if not user_ids:
            self._copy = None
        elif self._copy is not None:
            for user_id in user_ids:
                self._copy.logged.pop(user_id, None)

    def work(self, connection: sqlite3.Connection, now_ms: int, keep_ms: int) -> bool:
        """Do a slice of what there is to do; whether to go on at once. O(`SLICE_USERS`).

        The first slice of a generation reads the user log whole; behind its last there is time.
        """
        if self._copy is not None:
            self._copy_some(connection, self._copy, now_ms)
            return self._copy is not None
        if self._sweep(connection, now_ms - keep_ms):
            return True
        newest = connection.execute(
            "SELECT generation, at_ms FROM generations ORDER BY generation DESC LIMIT 1"
        ).fetchone()
        if newest is None:
            return self._begin_first(connection)
        generation, at_ms = newest
        if at_ms is not None and at_ms + keep_ms // GENERATIONS > now_ms:
            return False
        # One that is not complete was left behind by a process that ended.
        connection.execute("DELETE FROM generations WHERE at_ms IS NULL")
        self._begin(connection, generation + 1)
        return True

    def _begin_first(self, connection: sqlite3.Connection) -> bool:
        """A new database's floor is nobody; one of before there were floors has users already."""
        row = connection.execute("SELECT value FROM meta WHERE name = 'next_input'").fetchone()
        if row is None:
            return False
        (first,) = connection.execute("SELECT min(first_input) FROM journal").fetchone()
        if first == 1:
            connection.execute("INSERT INTO generations VALUES (0, 1, 0, 0)")
        else:
            self._begin(connection, 0)
        return True

    def _begin(self, connection: sqlite3.Connection, generation: int) -> None:
        connection.execute(
            "INSERT INTO generations SELECT ?, value, NULL, "
            "ifnull((SELECT value FROM meta WHERE name = 'settled'), 0) "
            "FROM meta WHERE name = 'replay_from'",
            (generation,),
        )
        logged: dict[str, tuple[int, bytes]] = {}
        for batch, states in connection.execute(
            "SELECT batch, states FROM user_log ORDER BY batch"
        ):
            for state in user_log.unpack(states):
                logged[_decode_whose(state).user_id] = (batch, state)
        self._copy = _Copy(generation, logged)

    def _copy_some(self, connection: sqlite3.Connection, copy: _Copy, now_ms: int) -> None:
        """The next users: first all who were in the log, then the rows of others."""
        if copy.logged:
            chosen = list(islice(copy.logged, SLICE_USERS))
            connection.executemany(
                # His row may be newer than what the log still holds.
                "INSERT OR IGNORE INTO floors VALUES (?1, ?2, ifnull("
                "(SELECT state FROM users WHERE user_id = ?1 AND batch >= ?3), ?4))",
                [(user_id, copy.generation, *copy.logged.pop(user_id)) for user_id in chosen],
            )
            _follow_merged(connection, copy.generation, min(chosen), max(chosen))
            return
        last = _last_of_slice(connection, "users", copy.after)
        if last is not None:
            connection.execute(
                "INSERT OR IGNORE INTO floors "
                "SELECT user_id, ?, state FROM users WHERE user_id > ? AND user_id <= ? "
                "AND state IS NOT (SELECT older.state FROM floors AS older "
                " WHERE older.user_id = users.user_id ORDER BY generation DESC LIMIT 1)",
                (copy.generation, copy.after, last),
            )
            _follow_merged(connection, copy.generation, copy.after, last)
            copy.after = last
            return
        connection.execute(
            "UPDATE generations SET at_ms = ? WHERE generation = ?", (now_ms, copy.generation)
        )
        self._copy = None

    def _sweep(self, connection: sqlite3.Connection, before_ms: int) -> bool:
        """Drop the floors below the archive's, and then their generations."""
        (floor, oldest) = connection.execute(
            "SELECT max(generation) FILTER (WHERE at_ms <= ?), min(generation) FROM generations",
            (before_ms,),
        ).fetchone()
        if floor is None or floor == oldest:
            return False
        last = _last_of_slice(connection, "floors", self._swept)
        if last is not None:
            connection.execute(
                "DELETE FROM floors WHERE user_id > ? AND user_id <= ? AND generation < "
                "(SELECT max(generation) FROM floors AS newer "
                " WHERE newer.user_id = floors.user_id AND newer.generation <= ?)",
                (self._swept, last, floor),
            )
            self._swept = last
        else:
            connection.execute("DELETE FROM generations WHERE generation < ?", (floor,))
            self._swept = ""
        return True


def floors_before(
    connection: sqlite3.Connection, user_id: str, at_ms: int, oldest_ms: int
) -> list[Floor]:
    """A user's floors of an instant or before, newest first.

    None below the archive's own, the newest of `oldest_ms` or before: those have gone in part.
    O(generations).
    """
    rows = connection.execute(
        "SELECT generation, from_input, at_ms, settled FROM generations WHERE at_ms <= ?1 "
        "AND generation >= ifnull((SELECT max(generation) FROM generations WHERE at_ms <= ?2), 0) "
        "ORDER BY generation DESC",
        (at_ms, oldest_ms),
    ).fetchall()
    return [_floor(connection, user_id, *row) for row in rows]


def floor_of(connection: sqlite3.Connection, behind: int) -> int | None:
    """The generation from which an archive can be replayed whose first row ends before `behind`."""
    row = connection.execute(
        "SELECT max(generation) FROM generations WHERE at_ms IS NOT NULL AND from_input <= ?",
        (behind,),
    ).fetchone()
    generation: int | None = row[0]
    return generation


def seen_at(connection: sqlite3.Connection, user_id: str, generation: int) -> tuple[int, int]:
    """Number of the last input that a user's floor holds, and when he last did something there.

    Zeros where he was not known yet.
    """
    row = connection.execute(_FLOOR, (user_id, generation)).fetchone()
    if row is None:
        return 0, 0
    saved = _decode_seen(row[0])
    return saved.seen, saved.last_seen_at_ms


def _floor(
    connection: sqlite3.Connection,
    user_id: str,
    generation: int,
    from_input: int,
    at_ms: int,
    settled: int,
) -> Floor:
    row = connection.execute(_FLOOR, (user_id, generation)).fetchone()
    return Floor(at_ms, from_input, bytes(row[0]) if row else None, settled)


def _follow_merged(connection: sqlite3.Connection, generation: int, first: str, last: str) -> None:
    """Copy anew whom somebody was merged into who has just been copied as merged.

    His own copy may be from before it, and then nobody would have what the other one did. O(ids).
    """
    rows = connection.execute(
        "SELECT state FROM floors WHERE generation = ? AND user_id BETWEEN ? AND ? "
        "AND instr(state, 'merged_into')",
        (generation, first, last),
    ).fetchall()
    bearers = {decode_user(state).merged_into for (state,) in rows} - {""}
    while bearers:
        bearer = bearers.pop()
        state = saved_bytes(connection, bearer)
        if state is not None:
            connection.execute(
                "INSERT OR REPLACE INTO floors VALUES (?, ?, ?)", (bearer, generation, state)
            )
            bearers |= {decode_user(state).merged_into} - {""}


def _last_of_slice(connection: sqlite3.Connection, table: str, after: str) -> str | None:
    """The id of the last user of a slice of a table, in order of id; None behind the last."""
    row = connection.execute(
        f"SELECT max(user_id) FROM (SELECT user_id FROM {table} WHERE user_id > ? "  # noqa: S608 - one of two names
        "ORDER BY user_id LIMIT ?)",
        (after, SLICE_USERS),
    ).fetchone()
    last: str | None = row[0]
    return last
