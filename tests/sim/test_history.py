from __future__ import annotations

import msgspec

from engine.core.inputs import (
    EventImported,
    EventNoticed,
    EventReceived,
    TraitsDefaulted,
    TraitsImported,
    UserIdentified,
    decode_inputs,
    encode_inputs,
)
from engine.sim.history import CHUNK_BYTES_MAX, CHUNK_MAX, as_history, in_chunks

NOW_MS = 1_000_000


def event(t: int, *, user: str = "u", message: str = "", **properties: object) -> EventReceived:
    raw = msgspec.Raw(msgspec.json.encode(properties))
    return EventReceived(user, "Go", t, t + 1_000, raw, message)


def test_it_is_in_order_of_when_it_happened() -> None:
    late = event(5)
    late.received_at_ms = 99_999
    traits = UserIdentified("u", 7, 7, msgspec.Raw(b'{"a":1}'), "m")
    told = list(as_history([event(9), late, traits], NOW_MS))
    assert [one.occurred_at_ms for one in told] == [5, 7, 9]
    assert [type(one) for one in told] == [EventImported, TraitsImported, EventImported]
    assert told[1].message_id == "m"
    assert told[1].traits == msgspec.Raw(b'{"a":1}')


def test_what_is_passive_or_a_default_stays_so() -> None:
    noticed = EventNoticed("u", "Go", 1, 1)
    first = TraitsDefaulted("u", 2, 2, msgspec.Raw(b'{"a":1}'))
    told = decode_inputs(encode_inputs([*as_history([noticed, event(3), first], NOW_MS)]))
    assert [getattr(one, "passive", None) for one in told] == [True, None, False]
    assert [getattr(one, "default", None) for one in told] == [None, True, None]


def test_what_has_no_id_gets_one_that_follows_from_what_it_says() -> None:
    def ids(*events: EventReceived) -> list[str]:
        return [one.message_id for one in as_history(events, NOW_MS)]

    first = ids(event(5, a=1), event(5, a=1), event(5, a=2), event(6, a=1), event(5, user="v", a=1))
    assert len(set(first)) == 5
    # The same file again, or one that has grown: the same ids.
    again = ids(event(9), event(5, user="v", a=1), event(6, a=1), event(5, a=1), event(5, a=2))
    assert len(set(again) & set(first)) == 4


def test_pieces_are_bounded_in_number_and_in_bytes() -> None:
    small = [*as_history((event(t, message=str(t)) for t in range(CHUNK_MAX + 1)), NOW_MS)]
    assert [len(piece) for piece in in_chunks(small)] == [CHUNK_MAX, 1]
    half = "x" * (CHUNK_BYTES_MAX // 2)
    large = [*as_history((event(t, message=str(t), a=half) for t in range(5)), NOW_MS)]
    assert [len(piece) for piece in in_chunks(large)] == [2, 2, 1]
    assert list(in_chunks([])) == []


def test_nothing_happened_later_than_it_is_brought_in() -> None:
    ahead, again = (list(as_history([event(at)], NOW_MS)) for at in (NOW_MS + 5, NOW_MS + 5))
    assert [(one.occurred_at_ms, one.received_at_ms) for one in ahead] == [(NOW_MS, NOW_MS)]
    assert ahead[0].message_id == again[0].message_id
