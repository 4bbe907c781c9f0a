"""Recorded events as history for a live state: in order of event time, each under an id.

What is brought in twice is taken once by its message id. An event that has none gets one that
follows from what it says: a file that is brought in again, after a kill say, is known by it. Two
that say the same are two, so that such ids count within one instant.
"""

from __future__ import annotations

from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
from xxhash import xxh3_128_hexdigest

from engine.core.inputs import (
    EMPTY,
    ConsentStated,
    EventImported,
    EventReceived,
    MessageAnswered,
    TraitsDefaulted,
    TraitsImported,
    TriggerReceived,
    UserIdentified,
    UserScored,
    UsersMerged,
)
from engine.sim.ordering import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.core.inputs import Imported, UserInput

CHUNK_MAX = 500
"""Inputs that are handed over at a time: some two milliseconds of work, between which all else goes
on."""

CHUNK_BYTES_MAX = 1 << 18
"""Bytes of properties and traits that are handed over at a time, and one input more."""


def as_history(inputs: Iterable[UserInput], now_ms: int) -> Iterator[Imported]:
    """Recorded inputs as history, oldest first. O(n log n), in bounded memory (`in_order`).

    What happens after `now_ms`, by somebody's wrong clock, happened then: as with live events, no
    event is later than the time it was received. Scores are left out: a model says anew what holds
    now. So are manual starts: nobody enters by history.
    """
    ordered = in_order(_dated(inputs))
    for _, together in groupby(ordered, key=attrgetter("received_at_ms")):
        counts: dict[str, int] = {}
        for imported in chain.from_iterable(map(_imported, together)):
            if not imported.message_id:
                said = _digest(imported)
                counts[said] = count = counts.get(said, -1) + 1
                imported.message_id = f"import-{said}-{count}"
            imported.occurred_at_ms = min(imported.occurred_at_ms, now_ms)
            imported.received_at_ms = imported.occurred_at_ms
            yield imported


def in_chunks(history: Iterable[Imported]) -> Iterator[list[Imported]]:
    """History as it is handed over: in pieces of bounded size."""
    chunk: list[Imported] = []
    size = 0
    for imported in history:
        chunk.append(imported)
        size += len(_raw(imported))
        if len(chunk) >= CHUNK_MAX or size >= CHUNK_BYTES_MAX:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _dated(inputs: Iterable[UserInput]) -> Iterator[UserInput]:
    """When it came in elsewhere says nothing here: it is known from when it happened."""
    for happened in inputs:
        if isinstance(happened, UserScored | TriggerReceived | ConsentStated | MessageAnswered):
            continue
        assert isinstance(happened, EventReceived | UserIdentified)
        happened.received_at_ms = happened.occurred_at_ms
        yield happened


def _imported(happened: UserInput) -> Iterator[Imported]:
    """An input as history; of one that joins two ids, what it says besides stands by itself."""
    assert isinstance(happened, EventReceived | UserIdentified)
    if isinstance(happened, EventReceived):
        event = EventImported(*msgspec.structs.astuple(happened))
        event.passive = happened.passive
        yield event
        return
    message_id = happened.message_id
    if isinstance(happened, UsersMerged):
        yield msgspec.structs.replace(happened, traits=EMPTY, is_history=True)
        if bytes(happened.traits) == bytes(EMPTY):
            return
        message_id = message_id and f"{message_id}-traits"
    instants = (happened.occurred_at_ms, happened.received_at_ms)
    traits = TraitsImported(happened.user_id, *instants, happened.traits, message_id)
    traits.is_anonymous = happened.is_anonymous
    traits.default = isinstance(happened, TraitsDefaulted)
    yield traits


def _raw(imported: Imported) -> bytes:
    raw = imported.properties if isinstance(imported, EventImported) else imported.traits
    return bytes(raw)


def _digest(imported: Imported) -> str:
    name = imported.name if isinstance(imported, EventImported) else ""
    if isinstance(imported, UsersMerged):
        name = imported.merged_id
    said = msgspec.json.encode((imported.user_id, name, imported.occurred_at_ms))
    return xxh3_128_hexdigest(said + _raw(imported))
