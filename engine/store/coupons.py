"""Coupon codes: one a person, none twice.

A code is a person's from the commit that gives it to him, before the message that tells it is
rendered: whatever happens then, the next attempt finds the same one. Taken is taken: erasing
somebody takes his id from his codes and leaves them taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

Wanted: TypeAlias = "tuple[Sequence[str], int, Sequence[str]]"
"""Whose codes (all ids of his, his own first), when, of which pools."""

Given: TypeAlias = "tuple[dict[str, str], list[str]]"
"""The codes by pool, and the pools that have one less."""

SLICE_CODES: Final = 2_000
"""Codes that are read in, or let go of, in one transaction."""


def digests(connection: sqlite3.Connection) -> dict[str, str]:
    """What each pool was read from last, as its file's digest."""
    return dict(connection.execute("SELECT pool, digest FROM coupon_pools"))


def begin(connection: sqlite3.Connection, pool: str) -> int:
    """A number for a reading of a pool that begins: what bears another one is not in the file."""
    row = connection.execute("SELECT reading FROM coupon_pools WHERE pool = ?", (pool,)).fetchone()
    reading = 1 if row is None else int(row[0]) + 1
    connection.execute("INSERT OR REPLACE INTO coupon_pools VALUES (?, '', ?)", (pool, reading))
    return reading


def add(connection: sqlite3.Connection, pool: str, reading: int, codes: Sequence[str]) -> None:
    """Have codes in a pool, in that order behind those that are there. O(codes * log)."""
    (last,) = connection.execute(
        "SELECT ifnull(max(number), 0) FROM coupons WHERE pool = ?", (pool,)
    ).fetchone()
    connection.executemany(
        "INSERT INTO coupons (pool, code, number, reading, is_taken) VALUES (?, ?, ?, ?, 0) "
        "ON CONFLICT (pool, code) DO UPDATE SET reading = excluded.reading",
        [(pool, code, last + place, reading) for place, code in enumerate(codes, start=1)],
    )


def drop_others(connection: sqlite3.Connection, pool: str, reading: int) -> bool:
    """Let go of some codes that are nobody's and in the file no more; whether there may be more."""
    gone = connection.execute(
        "DELETE FROM coupons WHERE pool = ? AND code IN (SELECT code FROM coupons "
        "WHERE pool = ? AND is_taken = 0 AND reading <> ? LIMIT ?)",
        (pool, pool, reading, SLICE_CODES),
    )
    return gone.rowcount > 0


def finish(connection: sqlite3.Connection, pool: str, digest: str) -> None:
    """A pool was read in whole."""
    connection.execute("UPDATE coupon_pools SET digest = ? WHERE pool = ?", (digest, pool))


def assign(
    connection: sqlite3.Connection, ids: Sequence[str], pools: Sequence[str], at_ms: int
) -> Given:
    """The user's code of each pool, the one that he has, else the next; and pools of fresh codes.

    What he has under any id of his is his: the first of it, where two had one each before they
    turned out to be one user. None of a pool that is empty. Where one is, nothing is given: no
    message that does not go uses up a code. O(pools * ids * log).
    """
    marks = ",".join("?" * len(ids))
    given: dict[str, str] = {}
    fresh: list[tuple[str, int, str, str]] = []
    for pool in pools:
        row = connection.execute(
            f"SELECT code FROM coupons WHERE pool = ? AND holder IN ({marks}) "  # noqa: S608 - marks
            "ORDER BY at_ms, number LIMIT 1",
            (pool, *ids),
        ).fetchone()
        if row is None:
            row = connection.execute(
                "SELECT code FROM coupons WHERE pool = ? AND is_taken = 0 ORDER BY number LIMIT 1",
                (pool,),
            ).fetchone()
            if row is None:
                continue
            fresh.append((ids[0], at_ms, pool, row[0]))
        given[pool] = row[0]
    if len(given) < len(pools):
        return given, []
    connection.executemany(
        "UPDATE coupons SET is_taken = 1, holder = ?, at_ms = ? WHERE pool = ? AND code = ?", fresh
    )
    return given, [pool for _, _, pool, _ in fresh]


def assign_each(connection: sqlite3.Connection, wanted: Sequence[Wanted]) -> list[Given]:
    """`assign` for several, in one transaction: who comes first gets the earlier code."""
    return [assign(connection, ids, pools, at_ms) for ids, at_ms, pools in wanted]


def left(connection: sqlite3.Connection) -> dict[str, int]:
    """How many codes of each pool are nobody's. O(codes)."""
    counted = connection.execute(
        "SELECT pool, (SELECT count(*) FROM coupons WHERE coupons.pool = coupon_pools.pool "
        "AND is_taken = 0) FROM coupon_pools"
    )
    return dict(counted)


def held(connection: sqlite3.Connection, *ids: str) -> list[tuple[str, str, int]]:
    """Codes of a user, of all his ids: (pool, code, instant), in order of time."""
    marks = ",".join("?" * len(ids))
    return connection.execute(
        f"SELECT pool, code, at_ms FROM coupons WHERE holder IN ({marks}) "  # noqa: S608 - marks
        "ORDER BY at_ms, pool, number",
        ids,
    ).fetchall()


def forget(connection: sqlite3.Connection, user_ids: Sequence[str]) -> None:
    """Nobody knows any more whose codes these were; they stay taken."""
    for user_id in user_ids:
        connection.execute(
            "UPDATE coupons SET holder = NULL, at_ms = NULL WHERE holder = ?", (user_id,)
        )
