"""Whether what a database holds fits together: each check reads it whole and tells what does not.

The checks are of what two parts of the database say of one thing: rows of the journal and their
numbers, stamps and hashes; the index and the rows that it leads to; rows and the JSON in them. What
follows from the inputs by the rules of the engine is asked by whoever can replay them
(`engine/sim/auditing.py`).
"""

from __future__ import annotations

from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from xxhash import xxh3_64_intdigest as hash_of

from engine.core.effects import Record, SendMessage
from engine.core.inputs import decode_inputs
from engine.core.messages.waiting import find_message
from engine.core.state import decode_user
from engine.store import user_log
from engine.store.archive import BUCKETS, PLACE_MASK, mark_of
from engine.store.pruning import QUARANTINE_BYTES_MAX, QUARANTINE_ROWS_MAX

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterator, Mapping

    from engine.core.inputs import Input
    from engine.core.messages.waiting import Pending
    from engine.core.state import User
    from engine.store.archive import Kind

FOUND_MAX: Final = 200
"""Findings of one check that are told."""


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing that does not fit.

    Attributes:
        part: What part of the database: `journal`, `index`, `outbox`, `users`, ….
        subject: Which row, user or message.
        told: What is wrong with it.
    """

    part: str
    subject: str
    told: str


class _Whose(msgspec.Struct):
    user_id: str = ""


_decode_whose = msgspec.json.Decoder(_Whose).decode_lines
_decode_record = msgspec.json.Decoder(Record).decode
_decode_message = msgspec.json.Decoder(SendMessage).decode


def pages(connection: sqlite3.Connection) -> list[Finding]:
    """SQLite's own check of each page, and of what the indexes of tables say. O(size)."""
    rows = connection.execute(f"PRAGMA integrity_check({FOUND_MAX})").fetchall()
    return [Finding("pages", "database", str(told)) for (told,) in rows if told != "ok"]


def journal(connection: sqlite3.Connection, told: Callable[[int], None]) -> list[Finding]:
    """Whether inputs follow one another, in number and time, and their ids are remembered.

    O(journal). `told` hears the number of the last input that was looked at.
    """
    return list(_first(_journal(connection, told)))


def _journal(connection: sqlite3.Connection, told: Callable[[int], None]) -> Iterator[Finding]:
    expected, last_at_ms = None, 0
    rows = connection.execute(
        "SELECT first_input, inputs_count, at_ms, hashes, inputs FROM journal ORDER BY first_input"
    )
    for first, count, at_ms, hashes, lines in rows:
        row = f"commit of input {first}"
        if expected is not None and first != expected:
            what = "are missing" if first > expected else "are there twice"
            between = sorted((expected, first))
            yield Finding("journal", row, f"inputs {between[0]} to {between[1] - 1} {what}")
        expected = first + count
        try:
            inputs = decode_inputs(lines)
        except msgspec.MsgspecError as error:
            yield Finding("journal", row, f"cannot be read: {error}")
            continue
        if len(inputs) != count:
            yield Finding("journal", row, f"holds {len(inputs)} inputs, and says {count}")
        for number, happened in enumerate(inputs, first):
            if happened.at_ms < last_at_ms:
                yield Finding("journal", f"input {number}", "is stamped before the one before it")
            last_at_ms = max(last_at_ms, happened.at_ms)
        yield from _forgotten(first, inputs, hashes)
        if last_at_ms > at_ms:
            yield Finding("journal", row, "is stamped before its inputs")
        told(expected)
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    if expected is not None and int(meta.get("next_input", expected)) != expected:
        counted = f"the last input is {expected - 1}, and the next is to be {meta['next_input']}"
        yield Finding("journal", "meta next_input", counted)
    if int(meta.get("last_at_ms", last_at_ms)) < last_at_ms:
        yield Finding("journal", "meta last_at_ms", "is before the stamp of the last input")


def _forgotten(first: int, inputs: list[Input], hashes: bytes) -> Iterator[Finding]:
    """Inputs whose message id would be taken once more."""
    known = {*array("Q", hashes[: len(hashes) // 8 * 8])}
    for number, happened in enumerate(inputs, first):
        message_id = getattr(happened, "message_id", "")
        if message_id and hash_of(message_id.encode()) not in known:
            yield Finding("dedupe", f"input {number}", "its message id is not remembered")


def index(connection: sqlite3.Connection, kind: Kind) -> list[Finding]:
    """Whether the archive's index has what it should, and leads to what is there. O(archive)."""
    return list(_first(_index(connection, kind)))


def _index(connection: sqlite3.Connection, kind: Kind) -> Iterator[Finding]:
    firsts = [
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT first FROM archive_index WHERE kind = ? ORDER BY first", (kind,)
        )
    ]
    indexed = connection.execute(
        "SELECT value FROM meta WHERE name = ?", (f"indexed_{kind}",)
    ).fetchone()
    ends = [*firsts[1:], int(indexed[0]) if indexed else 1]
    # Records of somebody who was erased are gone, and what led to them may stay.
    (erased,) = connection.execute("SELECT count(*) FROM tombstones").fetchone()
    oldest = 0
    for first, end in zip(firsts, ends, strict=False):
        entries = _entries(connection, kind, first)
        there: set[int] = set()
        for key, user_ids in _rows(connection, kind, first, end):
            oldest = oldest or key
            there.add(key)
            for user_id in user_ids:
                if mark_of(user_id) | (key - first) not in entries:
                    told = f"does not lead to {_ROW[kind]} {key} of {user_id!r}"
                    yield Finding("index", f"{kind} from {first}", told)
        for place in sorted({entry & PLACE_MASK for entry in entries}):
            key = first + place
            may_be_gone = key < oldest or not oldest or (kind == "records" and erased)
            if key >= end or (key not in there and not may_be_gone):
                told = f"leads to {_ROW[kind]} {key}, which is not there"
                yield Finding("index", f"{kind} from {first}", told)


_ROW: Final = {"journal": "the commit of input", "records": "record"}


def _entries(connection: sqlite3.Connection, kind: Kind, first: int) -> set[int]:
    found: set[int] = set()
    for bucket in range(BUCKETS):  # by which the rows lie: without it, each segment reads them all
        row = connection.execute(
            "SELECT entries FROM archive_index WHERE kind = ? AND bucket = ? AND first = ?",
            (kind, bucket, first),
        ).fetchone()
        if row is not None:
            segment = array("Q")
            segment.frombytes(row[0][: len(row[0]) // 8 * 8])
            found.update(segment)
    return found


def _rows(
    connection: sqlite3.Connection, kind: Kind, first: int, end: int
) -> Iterator[tuple[int, Collection[str]]]:
    """Keys of rows, and whose they are."""
    if kind == "records":
        for number, user_id in connection.execute(
            "SELECT number, user_id FROM records WHERE number >= ? AND number < ? ORDER BY number",
            (first, end),
        ):
            yield number, (user_id,)
        return
    for number, lines in connection.execute(
        "SELECT first_input, inputs FROM journal WHERE first_input >= ? AND first_input < ? "
        "ORDER BY first_input",
        (first, end),
    ):
        try:
            yield number, {whose.user_id for whose in _decode_whose(lines)}
        except msgspec.MsgspecError:
            yield number, ()  # that is told of the journal


def records(connection: sqlite3.Connection) -> list[Finding]:
    """Whether records are of whom their rows say. O(records)."""
    return list(_first(_records(connection)))


def _records(connection: sqlite3.Connection) -> Iterator[Finding]:
    last_at_ms = int(_meta(connection, "last_at_ms"))
    for number, user_id, campaign, raw in connection.execute(
        "SELECT number, user_id, campaign, record FROM records ORDER BY number"
    ):
        try:
            record = _decode_record(raw)
        except msgspec.MsgspecError as error:
            yield Finding("records", f"record {number}", f"cannot be read: {error}")
            continue
        if (record.user_id, record.campaign) != (user_id, campaign):
            told = f"is of {record.user_id!r} in {record.campaign!r}, and its row says otherwise"
            yield Finding("records", f"record {number}", told)
        if record.at_ms > last_at_ms:
            yield Finding("records", f"record {number}", "is of an instant that has not come yet")


def outbox(
    connection: sqlite3.Connection,
    find: Callable[[str], User | None],
    pending: Mapping[str, str],
) -> list[Finding]:
    """Whether each message has a user who waits for it, and each user a row. O(outbox + pending).

    Args:
        connection: The database.
        find: The user of an id.
        pending: Who waits, by message.
    """
    return list(_first(_outbox(connection, find, pending)))


def _outbox(
    connection: sqlite3.Connection,
    find: Callable[[str], User | None],
    pending: Mapping[str, str],
) -> Iterator[Finding]:
    alive: set[str] = set()
    for message_id, user_id, channel, raw, dead in connection.execute(
        "SELECT id, user_id, channel, message, dead FROM outbox ORDER BY number"
    ):
        about = f"message {message_id}"
        user = find(user_id)
        awaited = None if user is None else find_message(user.pending, message_id)
        try:
            message = _decode_message(raw)
        except msgspec.MsgspecError as error:
            yield Finding("outbox", about, f"cannot be read: {error}")
        else:
            row = (message_id, user_id, channel)
            yield from (
                Finding("outbox", about, told) for told in _otherwise(message, row, awaited)
            )
        if dead is not None:
            if awaited:
                yield Finding("outbox", about, f"is a dead letter, and {user_id!r} waits for it")
            continue
        alive.add(message_id)
        if not awaited:
            what = "is not known" if user is None else "does not wait for it"
            yield Finding("outbox", about, f"is to go to {user_id!r}, who {what}")
    for message_id in sorted(pending.keys() - alive):
        told = f"{pending[message_id]!r} waits for it, and it is not in the outbox"
        yield Finding("outbox", f"message {message_id}", told)


def _otherwise(
    message: SendMessage, row: tuple[str, str, str], awaited: Pending | None
) -> Iterator[str]:
    """How a message is another than its row, or its user's state, says."""
    if (message.id, message.user_id, message.channel) != row:
        yield "is another one than its row says"
    for field in _SAID_TWICE if awaited else ():
        said, waits_for = getattr(message, field), getattr(awaited, field)
        if said != waits_for:
            yield f"has the {field} {said!r}, and {row[1]!r} waits for {waits_for!r}"


_SAID_TWICE: Final = ("enrollment", "campaign", "step", "template")
"""What a message and its user's state say of it alike."""


def states(connection: sqlite3.Connection) -> list[Finding]:
    """Whether saved states and floors are there, can be read, and are of whom their rows say.

    O(users).
    """
    return list(_first(_states(connection)))


def _states(connection: sqlite3.Connection) -> Iterator[Finding]:
    with suppress(msgspec.MsgspecError):  # that is told of everybody
        for user_id, batch in sorted(user_log.rows_gone(connection).items()):
            yield Finding("users", repr(user_id), f"his row, which batch {batch} wrote, is gone")
    next_input = int(_meta(connection, "next_input"))
    tables = (
        ("users", "SELECT user_id, state FROM users ORDER BY user_id"),
        ("floors", "SELECT user_id, state FROM floors ORDER BY user_id, generation"),
    )
    for part, rows in tables:
        for user_id, state in connection.execute(rows):
            try:
                user = decode_user(state)
            except (msgspec.MsgspecError, ValueError) as error:
                yield Finding(part, repr(user_id), f"cannot be read: {error}")
                continue
            if user.user_id != user_id:
                yield Finding(part, repr(user_id), f"is the state of {user.user_id!r}")
            elif next_input and user.seen >= next_input:
                told = f"has seen input {user.seen}, and the next is to be {next_input}"
                yield Finding(part, repr(user_id), told)


def floors(connection: sqlite3.Connection) -> list[Finding]:
    """Whether generations of floors, and the floors of each user, go forward. O(floors)."""
    return list(_first(_floors(connection)))


def _floors(connection: sqlite3.Connection) -> Iterator[Finding]:
    next_input = _meta(connection, "next_input")
    newest = -1
    before = (0, 0)
    for generation, from_input, at_ms in connection.execute(
        "SELECT generation, from_input, at_ms FROM generations ORDER BY generation"
    ):
        about = f"generation {generation}"
        made = (from_input, before[1] if at_ms is None else at_ms)
        if made[0] < before[0] or made[1] < before[1]:
            yield Finding("floors", about, "is from before the one before it")
        if next_input and from_input > next_input:
            told = f"is from input {from_input}, and the next is to be {next_input}"
            yield Finding("floors", about, told)
        newest, before = generation, made
    last: tuple[str, int] = ("", 0)
    for user_id, generation, state in connection.execute(
        "SELECT user_id, generation, state FROM floors ORDER BY user_id, generation"
    ):
        if generation > newest:
            told = f"is of generation {generation}, and the newest is {newest}"
            yield Finding("floors", repr(user_id), told)
        try:
            seen = decode_user(state).seen
        except (msgspec.MsgspecError, ValueError):
            continue  # that is told of the states
        if last[0] == user_id and seen < last[1]:
            told = f"has seen input {seen} in generation {generation}, and {last[1]} before"
            yield Finding("floors", repr(user_id), told)
        last = (user_id, seen)


def rest(connection: sqlite3.Connection) -> list[Finding]:
    """Whether plans that are named are there, and the quarantine is within its bounds. O(rows)."""
    found = []
    if not _any(connection, "changes") and _any(connection, "journal"):
        told = "there are inputs, and it is not known by which plan they were taken"
        found.append(Finding("plans", "database", told))
    found += [
        Finding("plans", f"change {number}", f"names the plan {plan_id}, which is not stored")
        for number, plan_id in connection.execute(
            "SELECT number, plan_id FROM changes WHERE plan_id <> '' "
            "AND plan_id NOT IN (SELECT plan_id FROM plans) ORDER BY number"
        )
    ]
    rows, size = connection.execute(
        "SELECT count(*), ifnull(sum(length(body)), 0) FROM quarantine"
    ).fetchone()
    if rows > QUARANTINE_ROWS_MAX or size > QUARANTINE_BYTES_MAX:
        told = f"holds {rows} items of {size} bytes, more than it has room for"
        found.append(Finding("quarantine", "quarantine", told))
    return found


def _any(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None  # noqa: S608 - a name of ours


def _meta(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def _first(findings: Iterator[Finding]) -> Iterator[Finding]:
    for count, finding in enumerate(findings):
        if count < FOUND_MAX:
            yield finding
        elif count == FOUND_MAX:
            yield Finding(finding.part, "and more", f"beyond the first {FOUND_MAX}")
        else:
            return
