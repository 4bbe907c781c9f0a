"""What the journal and its archive hold of everybody's past, gathered a slice at a time.

Inputs lie in the order in which they came and not by user, and there may be a hundred million of
them. They are read through from the oldest to the newest, once for as many users as there is room
for: those whose hash is in the lowest *shards*. Where what is found of them takes too much room the
highest shard is let go of, and left to another reading; few readings are needed where the plan asks
for little of each user, since no more is held than a state would.

Of what lies behind the newest row that there was as all was read through (`catches_up`), only those
who were found already are told: all others have it, since it came after the plan was announced.
Messages that went out are read behind the journal, from the records, once: everybody has those that
came after the announcement.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec
from xxhash import xxh3_64_intdigest

from engine.core.effects import Record
from engine.core.inputs import (
    DeliveryReported,
    EventReceived,
    Input,
    LetterRevived,
    UserErased,
    UserScored,
    UsersMerged,
)
from engine.core.past import found
from engine.core.state import new_user
from engine.store import floors
from engine.store.archive import split

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Container, Iterator, Mapping

    from engine.core.past.coming import Gap
    from engine.core.plan import Plan
    from engine.core.state import User

SHARDS: Final = 256
_SHARD_SHIFT: Final = 64 - 8

SLICE_ROWS: Final = 256
SLICE_BYTES: Final = 32 << 10
SLICE_INPUTS: Final = 128
"""Rows, and bytes of inputs, that a slice reads, and one row more; of a row that holds more inputs
so many, and the rest in the next slices: a commit waits for a millisecond or two."""

HELD_BYTES_MAX: Final = 32 << 20
"""What is found takes up to this, by and large, or one shard."""

_USER_BYTES: Final = 600
_ITEM_BYTES: Final = 250
_VALUE_BYTES: Final = 60
_MESSAGE_BYTES: Final = 300

_SENT: Final = b'"kind":"sent"'

_encode = msgspec.json.Encoder().encode
_decode_input = msgspec.json.Decoder(Input).decode
_decode_record = msgspec.json.Decoder(Record).decode


class Gathering:
    """One reading of the journal, and what it finds of users.

    Args:
        plan: The one in force, widened by the coming one.
        gap: What is to be found.
        announced_at_ms: When the coming plan was.
        first_shard: The first whose users are told.
        bytes_max: As `HELD_BYTES_MAX`.
        aliases: Ids that were merged into others', by now.
        only: Ids of the users who are told; None: everybody.

    Attributes:
        end_shard: The first whose users are left to another reading.
        missed: Ids of users into whom somebody was merged after they were told by a reading before.
        behind: Number behind the last input that was read.
    """

    def __init__(
        self,
        plan: Plan,
        gap: Gap,
        announced_at_ms: int,
        first_shard: int = 0,
        bytes_max: int = HELD_BYTES_MAX,
        aliases: Mapping[str, str] | None = None,
        only: Container[str] | None = None,
    ) -> None:
        self.missed: set[str] = set()
        self._aliases = dict(aliases or {})
        self._only = only
        self.end_shard = SHARDS
        self.behind = 1
        # When the oldest row was written, where that is not the first there ever was: what is older
        # is not in the archive any more.
        self._begins_at_ms = self._records_begin_at_ms = 0
        # The generation of floors that goes with it.
        self._floor: int | None = None
        self._connection: sqlite3.Connection
        self._announced_at_ms = announced_at_ms
        self._plan = plan
        self._gap = gap
        self._first_shard = first_shard
        self._bytes_max = bytes_max
        self._after = 0
        # Inputs of the row that was read last, which are still to be taken in.
        self._rest: list[bytes] = []
        self._catches_up = False
        self._after_record = 0 if gap.sends or gap.places else -1
        self._erased_at_ms: dict[str, int] = {}
        self._shards: list[dict[str, User]] = [{} for _ in range(SHARDS)]
        self._bytes = [0] * SHARDS
        self._held_bytes = 0
        names = set(gap.names).union(
            *(one.events for name, one in plan.collections.items() if name in gap.collections)
        )
        self._names = names
        # A row in which none of these stands is not decoded.
        self._needles = [b'"name":' + _encode(name) for name in sorted(names)]
        self._needles += [b'"model":' + _encode(model) for model in sorted(gap.models)]
        self._needles += [b'"type":"erasure"', b'"type":"merge"']
        if gap.places:
            self._needles += [b'"type":"delivery"', b'"type":"revived"']
        if gap.sessions:
            kinds = (b"event", b"imported_event", b"answered")
            self._needles += [b'"type":"%b"' % kind for kind in kinds]

    def read_some(self, connection: sqlite3.Connection) -> bool:
        """Read a slice; False once it came to the newest row that there was. O(`SLICE_BYTES`).

        Not once there is nothing: while events come there always is one row more.
        """
        self._connection = connection
        if self._rest:
            self._take_in_some()
            return True
        more = self._read_journal(connection)
        if not more and self._after_record >= 0:
            self._read_records(connection)
            return True
        self._catches_up = self._catches_up or not more
        return more

    def _read_journal(self, connection: sqlite3.Connection) -> bool:
        size = count_rows = 0
        rows = connection.execute(
            "SELECT first_input, inputs_count, at_ms, inputs FROM journal WHERE first_input > ? "
            "ORDER BY first_input LIMIT ?",
            (self._after, SLICE_ROWS),
        )
        for first_input, count, at_ms, inputs in rows:
            if not self._after and first_input > 1:
                self._begins_at_ms = at_ms
                self._floor = floors.floor_of(connection, first_input + count)
            self._after, self.behind = first_input, first_input + count
            if any(needle in inputs for needle in self._needles):
                self._rest, self.behind = split(inputs), first_input
                self._take_in_some()
            size += len(inputs)
            count_rows += 1
            if size >= SLICE_BYTES or self._rest:
                break
        rows.close()
        return size >= SLICE_BYTES or count_rows == SLICE_ROWS or bool(self._rest)

    def _read_records(self, connection: sqlite3.Connection) -> None:
        """A slice of the messages that went out; below 0 is behind the newest."""
        rows = connection.execute(
            "SELECT number, record FROM records WHERE number > ? ORDER BY number LIMIT ?",
            (self._after_record, SLICE_ROWS),
        ).fetchall()
        for number, record in rows:
            if not self._after_record and number > 1:
                self._records_begin_at_ms = _decode_record(record).at_ms
            self._after_record = number
            if _SENT in record:
                sent = _decode_record(record)
                if sent.at_ms <= self._erased_at_ms.get(sent.user_id, -1):
                    continue  # it is about to go
                noted = partial(found.note_sent, sent=sent, upto_ms=self._announced_at_ms)
                self._change(self._bearer(sent.user_id), noted)
        if len(rows) < SLICE_ROWS:
            self._after_record = -1

    def found(self) -> Iterator[tuple[str, User]]:
        """Everybody of whom something was found; he is told once, and let go of."""
        for shard in self._shards[self._first_shard : self.end_shard]:
            while shard:
                yield shard.popitem()

    def covers(self, user_id: str) -> bool:
        """Whether what there is of a user is told by this reading, and not by another. O(1)."""
        return self._first_shard <= _shard_of(user_id) < self.end_shard

    def complete(self, one: User, user: User, now_ms: int) -> None:
        """Add to what was found of a user what he knows himself, and the archive does not.

        `now_ms`: until when all was read of him. O(kept).
        """
        plan, gap = self._plan, self._gap
        found.end_session(plan, gap, one, now_ms)
        found.add_own_sends(
            plan, gap, one, user, begins_at_ms=self._records_begin_at_ms,
            upto_ms=self._announced_at_ms,
        )  # fmt: skip
        found.add_emitted(plan.kept, gap, one, user, now_ms)
        if self._begins_at_ms:
            found.add_older(plan.kept, gap, one, user, self._begins_at_ms, now_ms)

    def put_back(self, user_id: str, user: User) -> None:
        """Go on with somebody of whom there is more to read."""
        self._shards[_shard_of(user_id)][user_id] = user

    def _take_in_some(self) -> None:
        """Take in the first of what is left of a row."""
        some, self._rest = self._rest[:SLICE_INPUTS], self._rest[SLICE_INPUTS:]
        first, self.behind = self.behind, self.behind + len(some)
        for number, line in enumerate(some, first):
            happened = _decode_input(line)
            if self._is_asked_for(happened):
                noted = partial(found.note, happened=happened, number=number)
                self._change(self._bearer(happened.user_id), noted, is_input=True)
            elif isinstance(happened, UsersMerged):
                self._merge(self._bearer(happened.user_id), happened.merged_id)
            elif isinstance(happened, UserErased):
                self._shards[_shard_of(happened.user_id)].pop(happened.user_id, None)
                self._erased_at_ms[happened.user_id] = happened.at_ms

    def _is_asked_for(
        self, happened: Input
    ) -> TypeGuard[EventReceived | UserScored | DeliveryReported | LetterRevived]:
        if isinstance(happened, EventReceived):
            if not happened.name:
                return False  # a machine's doing
            if self._gap.sessions:
                return True  # whatever it is, it is something that the user did
            return happened.name in self._names
        if isinstance(happened, DeliveryReported):
            return bool(self._gap.places)
        if isinstance(happened, LetterRevived):  # behind the announcement the user has it himself
            return bool(self._gap.places) and happened.at_ms <= self._announced_at_ms
        return isinstance(happened, UserScored) and happened.model in self._gap.models

    def _bearer(self, user_id: str) -> str:
        """Whom an id means, as far as has been read."""
        while (bearer := self._aliases.get(user_id)) is not None:
            user_id = bearer
        return user_id

    def _merge(self, user_id: str, merged_id: str) -> None:
        """Somebody was merged behind the start of the reading: what was found of him is one's."""
        if merged_id in self._aliases or merged_id == user_id:
            return
        self._aliases[merged_id] = user_id
        other = self._shards[_shard_of(merged_id)].pop(merged_id, None)
        if other is None and self._only is None:
            return
        if other is None or _shard_of(user_id) < self._first_shard:
            self.missed.add(user_id)
            return
        caught_up, self._catches_up = self._catches_up, False  # what is his, was found already
        self._change(user_id, partial(found.join, other=other))
        self._catches_up = caught_up

    def _change(
        self, user_id: str, change: Callable[[Plan, Gap, User], None], *, is_input: bool = False
    ) -> None:
        """Have something noted of a user, and weigh what that makes."""
        shard = _shard_of(user_id)
        if not self._first_shard <= shard < self.end_shard:
            return
        if self._only is not None and user_id not in self._only:
            return
        users = self._shards[shard]
        user = users.get(user_id)
        if user is None:
            if self._catches_up:
                return
            user = users[user_id] = new_user(user_id)
            self._grow(shard, _USER_BYTES)
            if is_input and self._gap.sessions and self._floor is not None:
                seen = floors.seen_at(self._connection, user_id, self._floor)
                found.begin(self._gap, user, *seen)
        before = _weigh(user)
        change(self._plan, self._gap, user)
        self._grow(shard, _weigh(user) - before)

    def _grow(self, shard: int, size: int) -> None:
        self._bytes[shard] += size
        self._held_bytes += size
        while self._held_bytes > self._bytes_max and self.end_shard > self._first_shard + 1:
            self.end_shard -= 1
            self._held_bytes -= self._bytes[self.end_shard]
            self._bytes[self.end_shard] = 0
            self._shards[self.end_shard] = {}


def _shard_of(user_id: str) -> int:
    return xxh3_64_intdigest(user_id.encode("utf-8", "surrogatepass")) >> _SHARD_SHIFT


def _weigh(user: User) -> int:
    """About the bytes that grow with what is found. O(names + collections)."""
    items = sum([len(one.items) for one in user.collections.values()])
    instants = sum([len(packed) for packed in user.history.values()])
    values = sum(
        [
            len(one.rows) + sum([len(column) for column in one.columns.values()])
            for one in user.details.values()
        ]
    )
    messages = len(user.pending)
    return items * _ITEM_BYTES + instants + values * _VALUE_BYTES + messages * _MESSAGE_BYTES
