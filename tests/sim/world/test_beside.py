"""What the witness takes for a step that went to both of two who are one."""

from __future__ import annotations

import pytest

from engine.core.effects import Record
from engine.core.inputs import Input, LetterRevived, UserErased, UsersMerged
from engine.sim.world.beside import sent_to_both
from engine.sim.world.kin import Kin

MERGED_AT_MS = 50_000
LATER_MS = 60_000


def told(kind: str, user: str, at_ms: int, message: str = "", **more: str) -> Record:
    campaign, reason = more.get("campaign", "browse"), more.get("reason", "")
    step = "banner" if message else ""
    return Record(at_ms, user, campaign, kind, f"e-{user}", step, "", "", reason, message)  # type: ignore[arg-type]


def merged(user: str, other: str, at_ms: int) -> UsersMerged:
    return UsersMerged(user, at_ms, at_ms, at_ms=at_ms, merged_id=other)


def seen(
    *records: Record,
    handed: dict[str, int],
    journal: tuple[Input, ...] = (),
    joined: tuple[Input, ...] = (merged("u", "d", MERGED_AT_MS),),
) -> str:
    kin = Kin()
    for number, happened in enumerate(joined):
        kin.see(number, happened)
    return sent_to_both(journal, records, handed, kin)


def both(
    ends_at_ms: int, delivered_at_ms: int, reason: str = "", campaign: str = "browse"
) -> list[Record]:
    """Known: entered at 1 s, sent at 10 s; device: entered at 20 s, sent at 45 s."""
    records = [
        told("entered", "u", 1_000, campaign=campaign),
        told("sent", "u", 10_000, "m1", campaign=campaign),
        told("entered", "d", 20_000, campaign=campaign),
        told("exited", "u", ends_at_ms, reason=reason, campaign=campaign),
        told("delivered", "u", delivered_at_ms, "m1", campaign=campaign),
        told("sent", "d", 45_000, "m2", campaign=campaign),
    ]
    return sorted(records, key=lambda one: one.at_ms)


def test_a_step_that_the_one_had_is_not_handed_over_of_the_other() -> None:
    assert "had been delivered" in seen(*both(30_000, 11_000), handed={"m2": LATER_MS})
    assert seen(*both(30_000, 11_000), handed={"m2": MERGED_AT_MS - 1}) == ""


def test_whom_an_erasure_has_parted_is_not_joined_with_what_the_other_is_joined_with() -> None:
    joined = merged("x", "d", 0), UserErased("x", 1), merged("u", "x", MERGED_AT_MS)
    records, handed = both(30_000, 11_000), {"m2": LATER_MS}
    assert seen(*records, handed=handed, joined=joined) == ""
    assert seen(*records, handed=handed, joined=(joined[0], joined[2])) != ""


def test_who_came_in_as_the_other_was_out_may_have_it() -> None:
    assert seen(*both(20_000, 11_000), handed={"m2": LATER_MS}) == ""


def test_of_two_messages_that_wait_one_goes() -> None:
    handed = {"m1": LATER_MS, "m2": LATER_MS}
    assert "are both" in seen(*both(30_000, LATER_MS), handed=handed)


@pytest.mark.parametrize("reason", ["event", "goal"])
def test_behind_the_exit_of_the_other_it_is_anew(reason: str) -> None:
    records = both(MERGED_AT_MS, 11_000, reason)
    assert seen(*records, handed={"m2": LATER_MS}) == ""


def test_what_somebody_has_revived_is_his_own_affair() -> None:
    revived = LetterRevived("d", "m2", b"", at_ms=LATER_MS)
    assert seen(*both(30_000, 11_000), handed={"m2": LATER_MS}, journal=(revived,)) == ""


def test_campaigns_that_repeat_or_ask_for_a_value_are_not_told_about() -> None:
    assert seen(*both(30_000, 11_000, campaign="each"), handed={"m2": LATER_MS}) == ""
