from __future__ import annotations

from engine.core.inputs import EventReceived, TimeResumed, decode_inputs
from engine.runtime.taking import Taken
from tests.core.world import START


def event(number: int) -> EventReceived:
    return EventReceived(f"u{number % 3}", "Go", START, START, message_id=str(number))


def test_inputs_stay_in_order_however_often_some_are_encoded() -> None:
    taken = Taken()
    given = []
    for number in range(50):
        given.append(event(number))
        taken.fresh.append(given[-1])
        taken.encode(7)
        assert len(taken) == number + 1
        assert len(taken.fresh) < 7
    assert decode_inputs(taken.seal()) == given
    assert taken.user_ids == {"u0", "u1", "u2"}


def test_what_concerns_everybody_is_of_nobody_in_particular() -> None:
    taken = Taken()
    taken.fresh += [event(1), TimeResumed(START, 0, START), event(2)]
    taken.encode()
    assert taken.user_ids == {"u1", "u2", ""}


def test_nothing_taken_is_sealed_as_nothing() -> None:
    taken = Taken()
    assert (len(taken), taken.seal(), taken.user_ids) == (0, b"", set())
