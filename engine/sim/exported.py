"""A live run's journal as lines of JSON: what it took in, with the stamps, and what came of it.

In this order: one `journal` (the head), the `plan`s, then, where the journal was cut, the `floor`
of each user and the `change`s that may still reach him; every `input` with its number; what came of
it, each `record` and each user's last `state`; and one `end`, without which the file is not whole.
Inputs, records and states are as the database has them; states are base64 of their bytes.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from engine.core.effects import Record
from engine.core.inputs import (
    ConsentStated,
    EventReceived,
    Input,
    TriggerReceived,
    UserIdentified,
    UserScored,
)
from engine.core.state import decode_user
from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.core.inputs import UserInput
    from engine.core.state import User
    from engine.sim.reading import Reading

OfUsers = EventReceived | UserIdentified | UserScored | TriggerReceived | ConsentStated
"""What users did, said and were called: the rest is what came of it under the plan of then."""

FORM = 1
"""The version of this form."""

FIRST_BYTES = b'{"type":"journal",'
"""How the file of an export begins, and no line of events does."""


class Head(msgspec.Struct, tag="journal"):
    """What it is an export of.

    Attributes:
        engine: The version of the program that wrote it.
        tzdata: The release of its time-zone data; "" where that is not known.
        last_at_ms: Logical time, as far as the run had come.
        exact_from_ms: Records and states are given from this instant on; 0: all.
        plan_id: The plan in force at the end.
    """

    form: int
    engine: str
    tzdata: str
    last_at_ms: int
    exact_from_ms: int
    plan_id: str


class PlanLine(msgspec.Struct, tag="plan"):
    """A plan's stored content: the shop's files."""

    plan_id: str
    content: msgspec.Raw


class FloorLine(msgspec.Struct, tag="floor"):
    """A user as he was saved where the journal begins."""

    state: bytes


class ChangeLine(msgspec.Struct, tag="change"):
    """A change of the plan or of time from before the first input, which users may lack."""

    number: int
    input: Input


class InputLine(msgspec.Struct, tag="input"):
    """One input, as it was stamped."""

    number: int
    input: Input


class RecordLine(msgspec.Struct, tag="record"):
    """One record, as the run made it."""

    record: Record


class StateLine(msgspec.Struct, tag="state"):
    """A user as he was at the end."""

    user_id: str
    state: bytes


class End(msgspec.Struct, tag="end"):
    """How many lines of each there were."""

    inputs: int
    records: int
    states: int


Line: TypeAlias = (
    Head | PlanLine | FloorLine | ChangeLine | InputLine | RecordLine | StateLine | End
)

encode_lines = msgspec.json.Encoder().encode_lines
"""Lines as they are written."""

_decode = msgspec.json.Decoder(Line).decode


class JournalUnreadable(HairspringError):  # noqa: N818 - the file is; nothing else failed
    """An exported journal that is damaged, cut short, or of a form that is not known here."""

    code = "journal.unreadable"


def decode_lines(lines: Iterable[bytes], label: str) -> Iterator[Line]:
    """The lines of an export, head first and `end` last. Raises JournalUnreadable."""
    last: Line | None = None
    for place, line in enumerate(lines, start=1):
        try:
            last = _decode(line)
        except msgspec.MsgspecError as error:
            hint = "export it again, with this version or the one that ran the shop"
            told = f"{label}:{place}: no line of a journal: {error}"
            raise JournalUnreadable(told, hint=hint) from error
        if isinstance(last, Head) and last.form != FORM:
            told = f"{label} has form {last.form}, this program knows {FORM}"
            raise JournalUnreadable(told, hint="export it again with this version")
        yield last
    if not isinstance(last, End):
        raise JournalUnreadable(f"{label} is cut short", hint="copy or export it again")


def beginning(lines: Iterator[Line]) -> tuple[int, list[User], Iterator[Line]]:
    """Where a journal begins: the instant, everybody as he was there, and the lines behind that.

    0 and nobody where it was not cut. O(users).
    """
    at_ms = 0
    users: list[User] = []
    for line in lines:
        match line:
            case Head():
                at_ms = line.exact_from_ms
            case FloorLine():
                users.append(decode_user(line.state))
            case PlanLine() | ChangeLine():
                pass
            case _:
                return at_ms, users, chain([line], lines)
    return at_ms, users, lines


def seen_by(users: Iterable[User]) -> dict[str, int]:
    """By each of their ids, the last input that users had seen when they were saved."""
    return {user_id: one.seen for one in users for user_id in (one.user_id, *one.aliases)}


def users_inputs(
    lines: Iterable[Line], reading: Reading, seen: Mapping[str, int] | None = None
) -> Iterator[UserInput]:
    """What users did and were called, and what was started for them, each received when stamped.

    What they did with messages among it: one that the other plan does not send has been opened then
    all the same. What they had `seen` when they were saved, they have in them.

    For a run under another plan: what came of the live one, its deliveries and its changes of the
    plan, is left out.
    """
    seen = seen or {}
    for line in lines:
        if not isinstance(line, InputLine):
            continue
        happened = line.input
        if isinstance(happened, OfUsers) and line.number > seen.get(happened.user_id, 0):
            happened.received_at_ms = happened.at_ms
            reading.events += 1
            yield happened
