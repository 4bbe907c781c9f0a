"""What one world is made of: a seed, how much happens in it, and which faults it may meet.

Every part of a world draws from a stream of its own (`stream`), named after it. So a smaller
scenario of the same seed, with one kind of fault switched off, say, leaves the other parts much as
they were; that is what makes shrinking work.
"""

from __future__ import annotations

from random import Random  # noqa: TID251 - a world is a function of its seed, and of nothing else
from typing import Final, TypeAlias

import msgspec

Chance: TypeAlias = Random
"""A stream of random numbers."""

FAULTS: Final = {
    "crash": "the process is killed between two callbacks of its loop",
    "torn": "the power goes while a transaction is on its way to the disk",
    "drain": "the process is told to stop, and drains",
    "long_downtime": "it is away for hours, across deadlines and expiries",
    "stall": "the machine stands still for seconds or minutes, the process with it",
    "disk_slow": "a transaction takes up to half a second",
    "disk_hang": "a transaction takes longer than clients wait",
    "disk_full": "SQLite may not grow the file for a while",
    "disk_busy": "another connection holds the database's write lock for a while",
    "disk_error": "a statement fails with an I/O error: before, in or at the end of a transaction",
    "disk_lied": "the commit is told to have failed, and happened all the same",
    "answer_lost": "an answer does not reach its client, who sends the same again",
    "duplicate": "a client sends again what was acknowledged",
    "late": "an event happened long before it is sent",
    "swapped": "events arrive in another order than they happened in",
    "future": "a client's clock is ahead",
    "garbage": "an item is none",
    "wall_ahead": "the wall clock jumps ahead, by seconds or hours",
    "wall_back": "the wall clock is set back",
    "wall_drift": "the wall clock and the monotonic one drift apart",
    "provider_slow": "a provider takes seconds",
    "provider_busy": "a provider wants it later",
    "provider_rejects": "a provider refuses for good, an address perhaps",
    "provider_hangs": "a provider says nothing until the attempt is given up",
    "provider_deaf": "a provider takes the message, and the process does not learn of it",
    "provider_broken": "a channel raises an error",
    "plan_changed": "the shop is edited, and taken on at once or by the next start",
    "user_erased": "a user is erased, who may come again",
    "merged": "users are known by their devices alone, and turn out to be who they are",
    "aliased": "two who were known already turn out to be one",
    "answered": "messages are opened, clicked, unsubscribed by; or machines do it, or they bounce",
    "revived": "dead letters are delivered after all",
    "backed_up": "the shop is backed up while it runs",
    "restored": "the newest backup stands in for the database, on a new disk or the same",
    "pruned": "events are kept for a minute, and go",
    "consented": "somebody says yes or no to a channel or a topic while messages wait",
}
"""Every kind of fault, and what it is."""


ENDS: Final = frozenset({"crash", "torn"})
"""Faults that most others come to light by."""

OFTEN: Final = 0.85
HALF: Final = 0.5


class Scenario(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One world. The same scenario is the same world, on any machine and in any process.

    Attributes:
        seed: Where all else comes from.
        faults: The kinds that may happen, of `FAULTS`.
        users: How many users there are.
        events: How many events they make.
        lives: How often the process is started at most while faults happen.
        unsafe_ms: How long faults happen; afterwards the world heals and drains.
    """

    seed: int
    faults: tuple[str, ...] = tuple(FAULTS)
    users: int = 4
    events: int = 16
    lives: int = 4
    unsafe_ms: int = 60_000


def draw(seed: int) -> Scenario:
    """The scenario of a seed. Half of the faults, so that some worlds show what others hide.

    (Swarm testing: Groce et al., ISSTA 2012.)
    """
    chance = stream(seed, "scenario")
    return Scenario(
        seed=seed,
        faults=tuple(
            kind for kind in FAULTS if chance.random() < (OFTEN if kind in ENDS else HALF)
        ),
        users=chance.choice((1, 3, 6, 12)),
        events=chance.choice((8, 20, 40)),
        lives=chance.randint(3, 8),
        unsafe_ms=chance.choice((5_000, 20_000, 60_000, 120_000)),
    )


def stream(seed: int, name: str) -> Chance:
    """The random numbers of one part of a world."""
    return Random(f"{seed}/{name}")  # noqa: S311 - reproducible is what it has to be


def who(scenario: Scenario) -> list[str]:
    """The users of a world: one is there in every world that has two, the others differ.

    For what is drawn by a hash of the id is drawn alike in every world in which he is.
    """
    first = 12 * (scenario.seed % 1_000)
    return [f"who{number + first * (number != 1)}who" for number in range(scenario.users)]
