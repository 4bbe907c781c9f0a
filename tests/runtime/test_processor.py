from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.core.inputs import EMPTY, EventReceived, UserIdentified, UsersMerged
from engine.core.intake.items import decode_item, read_item
from engine.core.plan import Plan
from engine.core.state import decode_user, encode_user
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from engine.store.user_log import marked
from tests.core.world import DAY, HOUR, START, S, World, campaign, send, wait
from tests.runtime.crashing import Disk


def event(name: str = "Go", at: int = 0, *, user: str = "u", message: str = "") -> EventReceived:
    return EventReceived(user, name, START + at, START + at, message_id=message)


def machine(*campaigns: Any, **more: Any) -> Processor:
    return Processor(Plan("p", campaigns), now_ms=START, **more)


def test_stamps_never_decrease() -> None:
    processor = machine()
    first, second = event(at=10), event(at=11)
    processor.take(first, START + 20)
    processor.take(second, START + 15)
    assert (first.at_ms, second.at_ms) == (START + 20, START + 20)


def test_where_nothing_happened_there_is_nothing_to_commit() -> None:
    assert machine().begin(START) is None


def test_effects_leave_with_the_batch_of_their_cause_and_not_before() -> None:
    processor = machine(campaign("c"))
    processor.take(event(), START)
    first = processor.begin(START)
    processor.take(event(at=1), START + 1)
    second = processor.begin(START + 1)
    assert first is not None
    assert second is not None
    assert [record.at_ms - START for record in processor.finish(first).records] == [0, 0]
    assert [record.at_ms - START for record in processor.finish(second).records] == [1, 1]


def test_whoever_has_an_effect_is_saved_with_it() -> None:
    processor = machine(campaign("c", wait(5)))
    processor.take(event(), START)
    processor.advance(START + 5)
    batch = processor.begin(START + 5)
    assert batch is not None
    assert batch.states == [encode_user(processor.users["u"])]
    assert batch.users == []
    assert [record.kind for record in batch.records] == ["entered", "finished"]


def test_a_sealed_batch_does_not_change_any_more() -> None:
    processor = machine(campaign("c", wait(5)))
    processor.take(event(), START)
    batch = processor.begin(START)
    assert batch is not None
    before = list(batch.states)
    processor.advance(START + 5)
    assert batch.states == before


def test_a_duplicate_changes_nothing_and_waits_for_the_commit_of_its_original() -> None:
    processor = machine(campaign("c"), dedupe=Dedupe(HOUR, 100))
    assert processor.take(event(message="m"), START)
    original = processor.awaited()
    batch = processor.begin(START)
    assert not processor.take(event(message="m"), START + 1)
    assert processor.awaited() == original
    assert batch is not None
    assert processor.begin(START + 1) is None


def test_without_a_message_id_nothing_is_a_duplicate() -> None:
    processor = machine(dedupe=Dedupe(HOUR, 100))
    assert processor.take(event(), START)
    assert processor.take(event(), START)


def test_all_users_are_saved_in_the_end_those_changed_longest_ago_first() -> None:
    processor = machine()
    names = [f"u{number}" for number in range(40)]
    for name in names:
        processor.take(event(user=name), START)
    saved = []
    for at in range(30):
        processor.take(event(user="last"), START + at)
        batch = processor.begin(START + at)
        assert batch is not None
        logged = [decode_user(one).user_id for one in batch.states if not marked(one)]
        saved += [user_id for user_id in logged if user_id != "last"]
    assert saved == names


def test_no_restart_replays_more_than_it_may() -> None:
    processor = machine(max_replay=10)
    for number in range(100):
        processor.take(event(user=f"u{number}"), START)
    batch = processor.begin(START)
    assert batch is not None
    assert batch.replay_from >= 91


def test_a_checkpoint_leaves_nothing_to_replay() -> None:
    processor = machine()
    for number in range(100):
        processor.take(event(user=f"u{number}"), START)
    processor.save_all()
    batch = processor.begin(START)
    assert batch is not None
    assert len({user_id for user_id, _ in batch.users}) + len(batch.states) == 100
    assert batch.replay_from == 101


def test_a_slice_ends_where_its_owner_says_and_the_rest_stays_due() -> None:
    world = World(campaign("c", wait(5)))
    for number in range(3):
        world.event("Go", 0, user=f"u{number}")
    fired = world.processor.advance(START + 9, lambda: False)
    assert fired == 1
    assert world.commit() == ["5 c finished"]
    assert world.processor.advance(START + 9) == 2


@pytest.mark.parametrize("duration", [1, 5 * S, HOUR, 40 * DAY])
def test_a_deadline_survives_a_restart_to_the_millisecond(duration: int) -> None:
    plan = Plan("p", [campaign("c", wait(duration))])
    disk = Disk()
    processor = disk.start(plan)
    processor.take(event(), START)
    batch = processor.begin(START)
    assert batch is not None
    disk.commit(batch)
    processor = disk.start(plan)
    assert processor.advance(START + duration - 1) == 0
    assert processor.advance(START + duration) == 1


def restarted(before: Plan, after: Plan, *, fired: int) -> Processor:
    """Started under `before`, let time pass, gone over to `after` if that is another; crashed."""
    disk = Disk()
    processor = disk.start(before)
    processor.take(event(), START)
    first = processor.begin(START)
    assert first is not None
    disk.commit(first)
    processor.advance(START + fired)
    if after is not before:
        processor.adopt(after, START + fired)
    second = processor.begin(START + fired)
    assert second is not None, "what changed must be saved"
    disk.commit(second)
    return disk.start(before, after)


def test_a_deadline_that_only_led_to_the_next_wait_does_not_fire_again_after_a_crash() -> None:
    plan = Plan("p", [campaign("c", wait(10 * S), wait(60 * S))])
    processor = restarted(plan, plan, fired=10 * S)
    processor.resume(0, 30 * S, START + 50 * S)
    assert processor.advance(START + 70 * S - 1) == 0
    assert processor.advance(START + 70 * S) == 1


def test_an_enrollment_that_took_on_another_plan_keeps_its_place_after_a_crash() -> None:
    before = Plan("p", [campaign("c", wait(10 * S, "w"))])
    after = Plan("q", [campaign("c", send("push"), wait(20 * S, "w"))])
    processor = restarted(before, after, fired=5 * S)
    assert processor.advance(START + 20 * S - 1) == 0
    processor.advance(START + 20 * S)
    batch = processor.begin(START + 20 * S)
    assert batch is not None
    assert [(record.kind, record.at_ms) for record in batch.records] == [
        ("finished", START + 20 * S)
    ]


def test_a_verdict_on_a_message_of_nobody_is_that_nobody_waits_for_it() -> None:
    world = World(campaign("c", send("email")))
    world.reachable()
    world.event("Go", 0)
    (message,) = world.messages
    assert machine().verdict(message, START) is None


def test_a_deadline_that_a_downtime_held_back_counts_as_late_as_it_was() -> None:
    processor = machine(campaign("c", wait(HOUR)))
    late: list[int] = []
    processor.on_fired = lambda due_at_ms, now_ms: late.append(now_ms - due_at_ms)
    processor.take(event(), START)
    processor.resume(START, 30_000, START + 2 * HOUR)
    processor.advance(START + 2 * HOUR + 30_000)
    assert late == [HOUR + 30_000]


def test_a_replay_counts_no_refusal_again() -> None:
    processor = machine(campaign("c", wait(HOUR)), next_input=3)
    tail = []
    for number in (1, 2):
        happened = event()
        happened.at_ms = START
        tail.append((number, happened))
    processor.replay(tail)
    batch = processor.begin(START)
    assert batch is not None
    assert [record.kind for record in batch.records] == ["entered"]
    assert [reason for _, _, reason in processor.users["u"].refusals] == ["active"]


def identify(at: int, **traits: Any) -> UserIdentified:
    raw = msgspec.Raw(msgspec.json.encode(traits))
    return UserIdentified("u", START + at, START + at, raw, message_id=f"m{at}")


def test_traits_without_room_are_quarantined_with_the_commit_that_took_them() -> None:
    processor = machine()
    processor.take(identify(1, a="x" * 60_000), START + 1)
    processor.take(identify(2, b="y" * 9_000), START + 2)
    batch = processor.begin(START + 2)
    assert batch is not None
    (kept,) = batch.quarantined
    assert (kept.received_at_ms, kept.source, kept.path) == (START + 2, "identify", "$.traits")
    assert "more than 65536" in kept.reason
    again = read_item(decode_item(kept.body), kept.received_at_ms)
    assert again == identify(2, b="y" * 9_000)
    assert batch.inputs_count == 2


def test_a_replay_refuses_the_same_traits_and_quarantines_nothing_twice() -> None:
    first = machine()
    inputs: list[tuple[int, Any]] = []
    for number in range(1, 9):
        inputs.append((number, identify(number, **{f"k{number}": "x" * 20_000})))
        first.take(inputs[-1][1], START + number)
    second = machine()
    second.replay(inputs)
    batch = second.begin(second.now_ms)
    assert batch is None or batch.quarantined == []
    assert encode_user(second.users["u"]) == encode_user(first.users["u"])
    assert len(second.users["u"].traits) == 3


def test_whoever_is_meant_by_another_id_is_under_the_plan_in_force_before_it_is_applied() -> None:
    processor = machine(campaign("c", wait(9)))
    processor.take(event(user="ann"), START)
    joined = UsersMerged("ann", START + 1, START + 1, EMPTY, merged_id="old")
    processor.take(joined, START + 1)
    processor.adopt(Plan("q"), START + 2)
    processor.take(event("Other", at=3, user="old"), START + 3)
    batch = processor.begin(START + 3)
    assert batch is not None
    told = [(one.kind, one.at_ms - START, one.user_id) for one in batch.records]
    assert told == [("entered", 0, "ann"), ("exited", 2, "ann")]
    assert not processor.users["ann"].enrollments
