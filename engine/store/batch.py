"""What one commit carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from engine.core.effects import (
    CancelMessage,
    CloseMessage,
    CountTime,
    QuarantineInput,
    Record,
    ReviveMessage,
    SendMessage,
)
from engine.core.intake.restated import as_item

if TYPE_CHECKING:
    from collections.abc import Iterable

EXCERPT_BYTES = 2_048
"""What is kept of an item that is larger than an item may be: enough to know it by."""

ALIAS, IDENTIFY = "alias", "identify"
"""Sources of what was taken, and then refused by what is known of its users: its message id is
known."""


class Quarantined(msgspec.Struct, frozen=True, gc=False):
    """An item that could not be taken, kept with its reason.

    Attributes:
        received_at_ms: When the socket took it.
        source: The route or source it came by.
        path: Where in the item the fault lies (`$.timestamp`), or "".
        reason: What is wrong with it.
        body: The item as it came; of one that is too large, its first `EXCERPT_BYTES`.
    """

    received_at_ms: int
    source: str
    path: str
    reason: str
    body: bytes


class Retried(msgspec.Struct, frozen=True, gc=False):
    """An item of the quarantine that was taken after all, in this commit; so it goes from there.

    Attributes:
        number: As the quarantine numbers it.
    """

    number: int


QuarantineChange: TypeAlias = Quarantined | Retried
"""What becomes of the quarantine."""


def kept_of(effects: Iterable[QuarantineInput]) -> list[Quarantined]:
    """What its users' states refused, as it is kept: in the native form."""
    return [
        Quarantined(
            effect.identified.received_at_ms,
            ALIAS if effect.is_alias else IDENTIFY,
            effect.path,
            effect.reason,
            as_item(effect.identified),
        )
        for effect in effects
    ]


class KeptChange(msgspec.Struct, frozen=True):
    """An input that users take on one by one, kept until all have (`engine.store.plans`).

    Attributes:
        number: Of the input.
        plan_id: The plan that it brings; "" where it brings none.
        input: The input as a JSON line.
        content: What that plan was compiled from; empty where it is stored already.
    """

    number: int
    plan_id: str
    input: bytes
    content: bytes


class UserLog(msgspec.Struct):
    """What is in the user log.

    Attributes:
        users: Those whose newest saved state is there, with its batch; longest ago first.
        sizes: (batch, bytes) of each of its rows, in order.
    """

    users: dict[str, int]
    sizes: list[tuple[int, int]]


class Batch(msgspec.Struct):
    """Everything that one transaction makes durable, encoded where it could still change.

    Attributes:
        number: Batches count up from 1, over restarts too.
        at_ms: Logical instant at which it was sealed.
        first_input: Number of the first input; inputs are numbered without gaps.
        inputs_count: How many inputs.
        inputs: The inputs as JSON lines.
        hashes: 64-bit hashes of their message ids, in native byte order.
        user_ids: Whose they are; "" where any concerns everybody.
        users: (user id, encoded state) of those whose rows are written.
        states: For the user log: encoded states of whoever has an effect and no row here, and
            marks of rows that are here (`user_log`).
        messages: New outbox rows, in order of sending.
        first_message: Number of the first of them.
        closed: Deliveries that came to an end.
        revived: Dead letters that are to be delivered after all.
        records: What happened, in order; refusals are not stored, users keep their last few.
        cancelled: Messages to take back, once this is durable.
        quarantined: Items that were not taken, and those of before that were now.
        replay_from: Number of the first input that a replay needs.
        log_from: Number of the first batch whose row of the user log a restart needs.
        changes: Inputs among these that users take on one by one.
        settled: Number of the newest such that everybody is saved as of, where this commit makes
            it so; else 0.
        bandits: What was counted of experiments, all of it; b"" where it is as it was.
        times: Of repeats that began, each with how many of `records` came before it; not stored.
    """

    number: int
    at_ms: int
    first_input: int
    inputs_count: int
    inputs: bytes
    hashes: bytes
    user_ids: set[str]
    users: list[tuple[str, bytes]]
    states: list[bytes]
    messages: list[SendMessage]
    first_message: int
    closed: list[CloseMessage]
    records: list[Record]
    cancelled: list[CancelMessage]
    quarantined: list[QuarantineChange]
    replay_from: int
    log_from: int
    changes: list[KeptChange] = []
    settled: int = 0
    bandits: bytes = b""
    revived: list[ReviveMessage] = []
    times: list[tuple[int, CountTime]] = []
