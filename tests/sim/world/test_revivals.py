"""What the witness takes for a letter that should have stayed dead."""

from __future__ import annotations

import msgspec
import pytest

from engine.core.effects import SendMessage
from engine.core.inputs import EventReceived, LetterRevived, UserErased, UsersMerged
from engine.sim.world.kin import Kin
from engine.sim.world.revivals import REMEMBERED_MS, Revivals

NOTHING = msgspec.Raw(b"{}")
LETTER = SendMessage("m", 0, "u", "hand", "e", "word", "in_app", "note", NOTHING)
REVIVED = LetterRevived("u", "m", NOTHING, at_ms=100_000)


def seen(*inputs: EventReceived | LetterRevived | UsersMerged | UserErased) -> Revivals:
    revivals, kin = Revivals(), Kin()
    for number, happened in enumerate(inputs, start=1):
        revivals.see(happened, kin, kin.see(number, happened))
    return revivals


def ordered(user_id: str, at_ms: int, name: str = "Order Completed") -> EventReceived:
    return EventReceived(user_id, name, at_ms, at_ms, at_ms=at_ms)


@pytest.mark.parametrize("name", ["Order Completed", "Product Viewed"])
def test_what_ends_a_campaign_keeps_its_letters_dead(name: str) -> None:
    assert name in seen(ordered("u", 95_000, name), REVIVED).should_stay(LETTER, 90_000)


@pytest.mark.parametrize(
    "done",
    [
        ordered("other", 95_000),
        ordered("u", 95_000, "Signed Up"),
        ordered("u", 89_999),
        ordered("u", 100_000 - REMEMBERED_MS - 1),
    ],
)
def test_what_does_not_end_it_for_him_in_it_and_lately_does_not(done: EventReceived) -> None:
    since_ms = 0 if done.at_ms < 89_000 else 90_000
    assert seen(done, REVIVED).should_stay(LETTER, since_ms) == ""


def test_what_came_after_the_letter_was_revived_is_for_the_outbox_to_ask() -> None:
    assert seen(REVIVED, ordered("u", 100_001)).should_stay(LETTER, 90_000) == ""


def test_what_one_did_who_is_he_counts_once_they_are_one_and_nothing_that_was_erased() -> None:
    merged = UsersMerged("u", 96_000, 96_000, at_ms=96_000, merged_id="device")
    done = ordered("device", 95_000)
    assert seen(done, merged, REVIVED).should_stay(LETTER, 90_000)
    assert not seen(done, REVIVED, merged).should_stay(LETTER, 90_000)
    erased = UserErased("u", at_ms=97_000)
    assert not seen(done, merged, erased, REVIVED).should_stay(LETTER, 90_000)
