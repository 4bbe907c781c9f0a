"""What the process finds out by itself: of time, of plans, of what it keeps."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class TimeResumed(msgspec.Struct, tag="resumed", omit_defaults=True, gc=False):
    """The process was away: down between two runs, or stalled for a second or more.

    Deadlines up to `stopped_at_ms` had their turn before. What fell due after it and before
    `at_ms` waits until `at_ms + grace_ms`, whatever inputs come meanwhile (durability.md, rule 5).
    """

    stopped_at_ms: int
    grace_ms: int
    at_ms: int = 0


class ClockAdjusted(msgspec.Struct, tag="clock", omit_defaults=True, gc=False):
    """The wall clock was right and logical time went on from it: `at_ms`, after `stopped_at_ms`.

    What fell due in between is judged at `at_ms`, at once.
    """

    stopped_at_ms: int
    at_ms: int = 0
    grace_ms: ClassVar[int] = 0


class PlanChanged(msgspec.Struct, tag="plan", omit_defaults=True, gc=False):
    """From this instant on another configuration holds, or the same under another program.

    Attributes:
        plan_id: Names its stored content.
        engine: The program's version.
        tzdata: The release of its time-zone data; "" where it is not known.
    """

    plan_id: str
    engine: str = ""
    tzdata: str = ""
    at_ms: int = 0


class PlanAnnounced(msgspec.Struct, tag="announced", omit_defaults=True, gc=False):
    """A plan is to come into force: from this instant on, what it asks of the past is kept, too.

    Attributes:
        plan_id: Names its stored content.
    """

    plan_id: str
    at_ms: int = 0


class HistoryFound(msgspec.Struct, tag="found", omit_defaults=True, gc=False):
    """What the archive has of a user's past, for a plan that was announced.

    Attributes:
        found: `found.Found`, encoded: it stands in the place of what was kept of that.
    """

    user_id: str
    found: bytes
    at_ms: int = 0
    is_anonymous: ClassVar[bool] = False
    message_id: ClassVar[str] = ""
    """Never a duplicate by id: what is found twice is the same."""


class InputErased(msgspec.Struct, tag="erased", omit_defaults=True, gc=False):
    """In the place of an input whose user was erased; those behind it keep their numbers."""

    at_ms: int = 0


class UserErased(msgspec.Struct, tag="erasure", omit_defaults=True, gc=False):
    """A user is to be forgotten: all that was known of him is gone from this instant on.

    In the journal until his inputs are taken out of it, this one among them.
    """

    user_id: str
    at_ms: int = 0


class WeightsDrawn(msgspec.Struct, tag="weights", omit_defaults=True, gc=False):
    """From this instant on the variants of a split that is a bandit have other weights.

    Attributes:
        campaign: The campaign's id.
        split: The split's name in it.
        weights: By variant, above 0.
    """

    campaign: str
    split: str
    weights: dict[str, float]
    at_ms: int = 0
