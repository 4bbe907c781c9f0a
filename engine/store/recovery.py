"""What a restart reads: users, the journal's tail, remembered message ids, the plan in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.inputs import Input, PlanChanged, decode_inputs
from engine.core.state import User, decode_user
from engine.errors import StoreError
from engine.store import plans, user_log
from engine.store.batch import UserLog
from engine.store.soundness import way_back

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


HASH_BYTES = 8


class Recovered(msgspec.Struct):
    """The state that the last run left behind.

    Attributes:
        users: By id, each as of the last input that it had seen when it was saved.
        tail: (number, input) pairs from the first that an unsaved user still needs, in order.
        hashes: Message-id hashes of rows within the window, oldest first: (at_ms, bytes); where
            they are too many, those of the newest rows.
        next_input: The number that the next input gets.
        next_message: The number that the next outbox row gets.
        next_batch: The number that the next batch gets.
        log: What is in the user log.
        last_at_ms: The newest stamp known; 0 for a new database.
        changes: Those before the tail that users may lack, numbered, in order; the first brought
            the plan that nobody is behind any more.
        contents: What plans were compiled from, by id: all that are named here or in the tail.
        bandits: What was counted of experiments.
    """

    users: dict[str, User]
    tail: list[tuple[int, Input]]
    hashes: list[tuple[int, bytes]]
    next_input: int
    next_message: int
    next_batch: int
    log: UserLog
    last_at_ms: int
    changes: list[tuple[int, Input]] = []
    contents: dict[str, bytes] = {}
    bandits: bytes = b""

    @property
    def plan_id(self) -> str:
        """Of the plan in force at the start of the tail; "" for a new database."""
        brought = [one.plan_id for _, one in self.changes if isinstance(one, PlanChanged)]
        return brought[-1] if brought else ""


def recover(
    connection: sqlite3.Connection, path: Path, dedupe_window_ms: int, dedupe_max: int
) -> Recovered:
    """Read everything. O(users + journal tail + message ids of the window, `dedupe_max` at most).

    Raises StoreError where a row cannot be read as what it should be, or is gone.
    """
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    last_at_ms = int(meta.get("last_at_ms", 0))
    try:
        users, log = _users(connection, path)
        replay_from = int(meta.get("replay_from", 1))
        tail = list(_tail(connection, replay_from))
        changes = plans.read(connection, replay_from)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"the stored state cannot be read: {error}",
            hint="start the version that wrote it, or restore a backup",
            code="store.corrupt",
        ) from error
    return Recovered(
        users=users,
        tail=tail,
        hashes=_hashes(connection, last_at_ms - dedupe_window_ms, dedupe_max),
        next_input=int(meta.get("next_input", 1)),
        next_message=connection.execute("SELECT ifnull(max(number), 0) FROM outbox").fetchone()[0]
        + 1,
        next_batch=int(meta.get("next_batch", 1)),
        log=log,
        last_at_ms=last_at_ms,
        changes=changes,
        contents=dict(connection.execute("SELECT plan_id, content FROM plans")),
        bandits=bytes(meta.get("bandits", b"")),
    )


def _users(connection: sqlite3.Connection, path: Path) -> tuple[dict[str, User], UserLog]:
    """Each user as he was saved last: in his row, or later in the log. Raises StoreError."""
    logged: dict[str, tuple[int, User]] = {}
    written: dict[str, int] = {}  # whose rows marks tell of
    sizes: list[tuple[int, int]] = []
    for batch, states in connection.execute("SELECT batch, states FROM user_log ORDER BY batch"):
        sizes.append((batch, len(states)))
        for state in user_log.unpack(states):
            if in_row := user_log.marked(state):
                logged.pop(in_row, None)
                written[in_row] = batch
                continue
            user = decode_user(state)
            logged.pop(user.user_id, None)  # so that who was logged longest ago stands first
            logged[user.user_id] = (batch, user)
    users: dict[str, User] = {}
    for user_id, state, batch in connection.execute("SELECT user_id, state, batch FROM users"):
        if user_id in written and written[user_id] <= batch:
            del written[user_id]
        if user_id in logged and logged[user_id][0] > batch:
            continue
        logged.pop(user_id, None)
        users[user_id] = decode_user(state)
    if written:
        raise _rows_gone(path, len(written))
    users.update((user_id, user) for user_id, (_, user) in logged.items())
    return users, UserLog({user_id: batch for user_id, (batch, _) in logged.items()}, sizes)


def _rows_gone(path: Path, count: int) -> StoreError:
    what = (
        "a user's row that was written is gone"
        if count == 1
        else (f"the rows of {count:,} users that were written are gone")
    )
    return StoreError(
        f"{path} is damaged: {what}",
        hint=f"{way_back(path)}; hairspring audit tells whose",
        code="store.corrupt",
    )


def _hashes(connection: sqlite3.Connection, after_ms: int, ids_max: int) -> list[tuple[int, bytes]]:
    newest_first = connection.execute("SELECT at_ms, hashes FROM journal ORDER BY first_input DESC")
    rows: list[tuple[int, bytes]] = []
    count = 0
    for at_ms, hashes in newest_first:
        if at_ms <= after_ms or count >= ids_max:
            break
        if hashes:
            rows.append((at_ms, hashes))
            count += len(hashes) // HASH_BYTES
    newest_first.close()
    rows.reverse()
    return rows


def _tail(connection: sqlite3.Connection, replay_from: int) -> Iterator[tuple[int, Input]]:
    rows = connection.execute(
        "SELECT first_input, inputs FROM journal "
        "WHERE first_input >= ifnull("
        " (SELECT max(first_input) FROM journal WHERE first_input <= ?), 0) ORDER BY first_input",
        (replay_from,),
    )
    for first_input, lines in rows:
        for number, happened in enumerate(decode_inputs(lines), start=first_input):
            if number >= replay_from:
                yield number, happened
