"""What a process beside this one may be asked to do (`beside`), each as one line of JSON.

Whoever asks need not know who does it: the server asks, the simulator answers.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

RECORDS_MAX: Final = 5_000
"""Records that an answer holds at the most, one by one."""

DAYS_MAX: Final = 400
"""How far back an archive may be asked; it holds what `events.keep` says."""


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept of a shop's past, and which part of it is asked for.

    Attributes:
        path: The database, which its own process goes on writing.
        keep_ms: How long it keeps what nothing needs any more.
        from_ms: The part's first instant.
        until_ms: Its last, inclusive.
    """

    path: str
    keep_ms: int
    from_ms: int
    until_ms: int


class SimulateErrand(msgspec.Struct, frozen=True, kw_only=True, tag="simulate"):
    """Run a shop in virtual time over the archive, or over the events that are sent along.

    Attributes:
        content: The shop, as `config.encode_content` has it.
        until_ms: The last instant of a run over events, inclusive; None: until no deadline is
            left, at most 90 days past the last event. Over the archive: its own last instant.
        failing: By channel, the share of its messages that fail.
        seed: Of those.
        records: How many records are told one by one.
    """

    content: str
    archive: Archive | None = None
    until_ms: int | None = None
    failing: dict[str, float] = {}
    seed: int = 0
    records: int = 0


class BacktestErrand(msgspec.Struct, frozen=True, kw_only=True, tag="backtest"):
    """Run a shop over the archive, and compare it with what really happened.

    Attributes:
        campaign: Tell of this one alone; "" for all.
        records: How many records of the run are told one by one.
    """

    content: str
    archive: Archive
    campaign: str = ""
    records: int = 0


class FunnelErrand(msgspec.Struct, frozen=True, kw_only=True, tag="funnel"):
    """How many users did these events one after the other.

    Attributes:
        events: Names, in their order.
        within_ms: How long after the one before each must come at the most.
    """

    archive: Archive
    events: list[str]
    within_ms: int


class DiscoverErrand(msgspec.Struct, frozen=True, kw_only=True, tag="discover"):
    """What goes before a goal.

    Attributes:
        goal: The name of an event.
        within_ms: How long after what is looked at the goal may come.
        cohort: `week` of first being seen, or a trait's name.
        users_max: How many users are looked at: drawn by a hash of their ids where there are more.
    """

    archive: Archive
    goal: str
    within_ms: int
    cohort: str = "week"
    users_max: int = 20_000


Errand: TypeAlias = SimulateErrand | BacktestErrand | FunnelErrand | DiscoverErrand
