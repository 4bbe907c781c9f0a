"""What a user is brought back from as he was at an instant: a saved state, and what followed.

Whoever lives through that again (`engine.runtime.admin.past`) has the user as the process had him
then: the archive's floors (`floors`) are such states, and so is the one that was saved last.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from engine.core.inputs import Input
from engine.store import archive, journal, plans
from engine.store.floors import floors_before
from engine.store.saved import saved_bytes

if TYPE_CHECKING:
    import sqlite3

    from engine.store.archive import Places
    from engine.store.database import Store

SLICE_ROWS: Final = 32
"""Journal rows that a slice reads: many inputs of others may lie among them."""

_OF_ALL: Final = (
    b'{"type":"plan"',
    b'{"type":"announced"',
    b'{"type":"weights"',
    b'{"type":"resumed"',
    b'{"type":"clock"',
)
"""How the lines of inputs begin that concern everybody."""

_NOBODY: Final = ""
"""The user id under which the archive's index has rows with inputs that name no user."""

Numbered: TypeAlias = list[tuple[int, Input]]
"""Inputs with their numbers, in order."""

_decode_input = msgspec.json.Decoder(Input).decode


class Start(msgspec.Struct, frozen=True):
    """Where a user can be lived through again from.

    Attributes:
        at_ms: From this instant on he is as he was; 0: from his first input on.
        from_input: Number of the first input that is needed.
        states: As he was saved, under each of his ids that was somebody's; none where he was not
            known yet.
        changes: Changes of the plan, and of time, from before that input, that he may lack.
    """

    at_ms: int
    from_input: int
    states: list[bytes]
    changes: Numbered


def starts_before(
    connection: sqlite3.Connection, ids: tuple[str, ...], at_ms: int, oldest_ms: int
) -> list[Start]:
    """All starts of an instant or before, the nearest first; [] where there is none left.

    `oldest_ms` is how far back things are kept: below the floor of then, states have gone in part.
    """
    each = [floors_before(connection, user_id, at_ms, oldest_ms) for user_id in ids]
    found = [
        Start(
            floors[0].at_ms,
            floors[0].from_input,
            [floor.state for floor in floors if floor.state is not None],
            plans.between(connection, floors[0].from_input, floors[0].settled),
        )
        for floors in zip(*each, strict=True)
    ]
    (first,) = connection.execute("SELECT min(first_input) FROM journal").fetchone()
    if first == 1 and (not found or found[-1].at_ms):
        found.append(Start(0, 1, [], []))
    return found


def newest_start(connection: sqlite3.Connection, ids: tuple[str, ...]) -> Start:
    """The state that was saved last, and from where on a restart would replay."""
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    replay_from = int(meta.get("replay_from", 1))
    saved = [saved_bytes(connection, user_id) for user_id in ids]
    states = [state for state in saved if state is not None]
    at_ms = int(meta.get("last_at_ms", 0))
    return Start(at_ms, replay_from, states, plans.read(connection, replay_from))


def last_stamp(connection: sqlite3.Connection) -> int:
    """The newest stamp known; 0 for a new database."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'last_at_ms'").fetchone()
    return int(row[0]) if row else 0


def newest_plan(connection: sqlite3.Connection) -> tuple[str, bytes | None] | None:
    """The plan in force, and what it was compiled from; None for a new database."""
    row = connection.execute(
        "SELECT plan_id, (SELECT content FROM plans WHERE plans.plan_id = changes.plan_id) "  # noqa: S608 - one text of ours
        "FROM changes WHERE plan_id <> '' AND number NOT IN "
        f"({plans.ANNOUNCED}) ORDER BY number DESC LIMIT 1"
    ).fetchone()
    return None if row is None else (row[0], None if row[1] is None else bytes(row[1]))


def contents(connection: sqlite3.Connection, ids: list[str]) -> dict[str, bytes]:
    """What plans were compiled from, as far as it is stored."""
    found: dict[str, bytes] = {}
    for plan_id in ids:
        row = connection.execute(
            "SELECT content FROM plans WHERE plan_id = ?", (plan_id,)
        ).fetchone()
        if row is not None:
            found[plan_id] = bytes(row[0])
    return found


def neighbours(connection: sqlite3.Connection, user_id: str, count: int) -> list[str]:
    """Ids that begin as this one does, more or less: those next to it in order. O(count)."""
    rows = connection.execute(
        "SELECT user_id FROM (SELECT user_id FROM users WHERE user_id < ?1 "
        "ORDER BY user_id DESC LIMIT ?2) UNION ALL "
        "SELECT user_id FROM (SELECT user_id FROM users WHERE user_id >= ?1 "
        "ORDER BY user_id LIMIT ?2)",
        (user_id, count),
    )
    return [row[0] for row in rows]


async def inputs_since(
    store: Store, ids: tuple[str, ...], from_input: int, until_ms: int
) -> Numbered:
    """The inputs of a user with these ids, and those that concern everybody, numbered.

    Up to an instant, inclusive.

    O(segments, and the rows in which he, or somebody with his hash, has an input).
    """
    found: Numbered = []
    asked = store.indexing.places
    keys = await store.read(partial(_keys, asked=asked, ids=ids, from_input=from_input))
    for place in range(0, len(keys), SLICE_ROWS):
        chosen = keys[place : place + SLICE_ROWS]
        some = await store.read(partial(_inputs, keys=chosen, ids=ids, from_input=from_input))
        # The loop is left with what takes no time, however many they are.
        found += some
        if some and some[-1][1].at_ms > until_ms:
            del found[bisect_right(found, until_ms, key=_at_ms) :]
            break
    return found


def _at_ms(numbered: tuple[int, Input]) -> int:
    return numbered[1].at_ms


def _inputs(
    connection: sqlite3.Connection, keys: list[int], ids: tuple[str, ...], from_input: int
) -> Numbered:
    lines = _lines(connection, keys, ids)
    return [(number, _decode_input(line)) for number, line in lines if number >= from_input]


def _keys(
    connection: sqlite3.Connection, asked: Places, ids: tuple[str, ...], from_input: int
) -> list[int]:
    """Rows, from that of an input on, that may hold what is asked for; in order."""
    first = journal.row_of(connection, from_input)
    own, scanned_from = asked(connection, "journal", *ids)
    of_all, _ = asked(connection, "journal", _NOBODY)
    rows = connection.execute(
        "SELECT first_input FROM journal WHERE first_input >= ? ORDER BY first_input",
        (max(first, scanned_from),),
    )
    indexed = {key for key in (*own, *of_all) if key >= first}
    return sorted(indexed | {row[0] for row in rows})


def _lines(
    connection: sqlite3.Connection, keys: list[int], ids: tuple[str, ...]
) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for key in keys:
        row = connection.execute(
            "SELECT inputs FROM journal WHERE first_input = ?", (key,)
        ).fetchone()
        if row is None:
            continue
        lines = dict(archive.lines_of(row[0], *ids))
        if any(mark in row[0] for mark in _OF_ALL):
            split = enumerate(archive.split(row[0]))
            lines.update((place, line) for place, line in split if line.startswith(_OF_ALL))
        found += [(key + place, lines[place]) for place in sorted(lines)]
    return found
