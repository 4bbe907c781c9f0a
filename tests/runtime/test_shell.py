from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

import pytest

from engine.core.plan import Plan
from engine.runtime import clock as clock_module
from engine.runtime import inbox as inbox_module
from engine.runtime import shell as shell_module
from engine.runtime import tidying as tidying_module
from engine.runtime.inbox import Unavailable
from engine.store import CommitFailed, Quarantined
from tests.core.world import HOUR, campaign, wait
from tests.runtime.rig import Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from engine.core.inputs import UserInput

PLAN = Plan("p", [campaign("c", wait(HOUR))])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    opened = await Rig.open(tmp_path / "hairspring.db", PLAN, rate=1.0)
    yield opened
    opened.store.gate.set()
    await opened.close()


async def turns(count: int = 20) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_submit_returns_only_after_the_commit(rig: Rig) -> None:
    rig.start()
    rig.store.gate.clear()
    answer = asyncio.create_task(rig.shell.submit([rig.event()]))
    await rig.store.began.wait()
    await turns()
    assert not answer.done()
    assert rig.records == []
    rig.store.gate.set()
    await answer
    assert await rig.store.count("journal") == 1
    await rig.until("entered")


async def test_the_answer_to_a_duplicate_waits_for_the_commit_of_its_original(rig: Rig) -> None:
    rig.start()
    rig.store.gate.clear()
    answers = [asyncio.create_task(rig.shell.submit([rig.event(message="m")])) for _ in range(2)]
    await rig.store.began.wait()
    late = asyncio.create_task(rig.shell.submit([rig.event(message="m")]))
    await turns()
    assert not any(answer.done() for answer in (*answers, late))
    rig.store.gate.set()
    await asyncio.gather(*answers, late)
    assert len(await rig.until("entered")) == 1


async def test_while_one_commit_is_under_way_the_next_batch_fills(rig: Rig) -> None:
    rig.start()
    rig.store.gate.clear()
    first = asyncio.create_task(rig.shell.submit([rig.event(user="a")]))
    await rig.store.began.wait()
    more = [asyncio.create_task(rig.shell.submit([rig.event(user=f"u{n}")])) for n in range(9)]
    await turns()
    rig.store.gate.set()
    await asyncio.gather(first, *more)
    assert [batch.inputs_count for batch in rig.store.batches] == [1, 9]


async def test_a_body_of_many_is_taken_as_it_comes_and_what_is_behind_it_waits(rig: Rig) -> None:
    rig.start()
    await turns()
    both = asyncio.gather(
        rig.shell.submit([rig.event() for _ in range(30)]), rig.shell.submit([rig.event()])
    )
    await asyncio.sleep(0)
    assert rig.processor.next_input == 31
    await both
    assert rig.processor.next_input == 32


async def test_a_body_of_many_does_not_go_before_a_deadline_that_is_due(rig: Rig) -> None:
    fired: list[int] = []
    rig.processor.on_fired = lambda _due_at_ms, _now_ms: fired.append(rig.processor.next_input)
    rig.start()
    await rig.shell.submit([rig.event()])
    await turns()
    rig.clock.jump(rig.clock.now_ms() + HOUR)
    many = asyncio.gather(rig.shell.submit([rig.event(user="b") for _ in range(30)]))
    await asyncio.sleep(0)
    assert rig.processor.next_input == 2
    await many
    assert fired == [3]  # behind the hour that was skipped, and before the body


async def test_an_input_that_breaks_the_processor_ends_the_work_and_is_not_committed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.start()
    await rig.shell.submit([rig.event()])
    take, left = rig.processor.take, iter(range(20))

    def fail_at_last(happened: UserInput, now_ms: int) -> bool:
        if next(left, None) is None:
            raise ZeroDivisionError
        return take(happened, now_ms)

    monkeypatch.setattr(rig.processor, "take", fail_at_last)
    rig.store.gate.clear()
    under_way = asyncio.create_task(rig.shell.submit([rig.event()]))
    await rig.store.began.wait()
    many = asyncio.gather(rig.shell.submit([rig.event() for _ in range(30)]))
    await asyncio.sleep(0)
    rig.store.gate.set()
    assert rig.working is not None
    with pytest.raises(ZeroDivisionError):
        await rig.working
    for task in (under_way, many):
        task.cancel()
    await asyncio.gather(under_way, many, return_exceptions=True)
    assert {batch.inputs_count for batch in rig.store.batches} == {1}


async def test_a_full_inbox_refuses_before_anything_is_stamped(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "INBOX_MAX", 3)
    waiting = [asyncio.create_task(rig.shell.submit([rig.event() for _ in range(3)]))]
    await turns()
    with pytest.raises(Unavailable):
        await rig.shell.submit([rig.event(message="m")])
    rig.start()
    await asyncio.gather(*waiting)
    await rig.shell.submit([rig.event(message="m")])
    assert rig.store.batches[0].inputs_count == 3


async def test_a_body_with_more_items_than_may_wait_comes_through_alone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "INBOX_MAX", 3)
    waiting = asyncio.create_task(rig.shell.submit([rig.event()]))
    await turns()
    with pytest.raises(Unavailable):
        await rig.shell.submit([rig.event() for _ in range(4)])
    rig.start()
    await waiting
    await rig.shell.submit([rig.event() for _ in range(4)])
    assert [batch.inputs_count for batch in rig.store.batches] == [1, 4]


async def test_what_could_not_be_taken_fills_the_inbox_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "INBOX_MAX", 3)
    item = Quarantined(rig.event().received_at_ms, "/events", "$", "is bad", b"{}")
    waiting = asyncio.create_task(rig.shell.submit([rig.event()], [item, item]))
    await turns()
    with pytest.raises(Unavailable):
        await rig.shell.submit([], [item])
    rig.start()
    await waiting
    assert rig.shell.inbox.waiting == 0
    await rig.shell.submit([], [item])
    assert await rig.store.count("quarantine") == 3


EACH = 3
"""What an event that enters a campaign adds to a batch: itself, a record, and its user to save."""


async def test_while_a_commit_is_slow_a_batch_fills_no_further_than_its_bound(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "BATCH_MAX", 4 * EACH)
    monkeypatch.setattr(inbox_module, "INBOX_MAX", 6)
    rig.start()
    rig.store.gate.clear()
    answers = [asyncio.create_task(rig.shell.submit([rig.event(user="first")]))]
    await rig.store.began.wait()
    for number in range(5):
        pair = [rig.event(user=f"u{number}"), rig.event(user=f"v{number}")]
        answers.append(asyncio.create_task(rig.shell.submit(pair)))
        await turns()
    assert rig.shell.inbox.waiting == 6
    with pytest.raises(Unavailable):
        await rig.shell.submit([rig.event()])
    rig.store.gate.set()
    await asyncio.gather(*answers)
    assert [batch.inputs_count for batch in rig.store.batches] == [1, 4, 4, 2]
    assert rig.shell.inbox.waiting == 0


async def test_what_a_crowd_of_deadlines_does_is_committed_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await Rig.open(tmp_path / "hairspring.db", PLAN, rate=100_000.0)
    monkeypatch.setattr(shell_module, "BATCH_MAX", 10)
    looks = count(step=shell_module.SLICE_NS // 3)  # a slice ends at the third look at the clock
    rig.shell._monotonic_ns = lambda: next(looks)
    rig.start()
    await rig.shell.submit([rig.event(user=f"u{number}") for number in range(50)])
    await rig.until("finished", 50)
    sizes = [
        sum(record.kind == "finished" for record in batch.records) for batch in rig.store.batches
    ]
    await rig.close()
    assert sum(sizes) == 50
    assert max(sizes) <= 10


async def test_bodies_that_are_not_durable_are_bounded_in_bytes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "HELD_BYTES_MAX", 100)
    rig.start()
    rig.store.gate.clear()
    first = asyncio.create_task(rig.shell.submit([rig.event()], (), 60))
    await rig.store.began.wait()
    second = asyncio.create_task(rig.shell.submit([rig.event()], (), 40))
    await turns()
    with pytest.raises(Unavailable):
        await rig.shell.submit([rig.event()], (), 1)
    rig.store.gate.set()
    await asyncio.gather(first, second)
    assert rig.shell.inbox.held_bytes == 0
    # One body may be larger than all of them together: it comes through alone.
    await rig.shell.submit([rig.event()], (), 101)


async def test_a_client_that_is_refused_while_the_journal_fails_holds_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "BATCH_MAX", 1)
    rig.start()
    rig.store.gate.clear()
    rig.store.faults = [full()]
    item = Quarantined(1, "/events", "$", "is bad", b"{}")
    first = asyncio.create_task(rig.shell.submit([rig.event(user="a")], (), 10))
    await rig.store.began.wait()
    second = asyncio.create_task(rig.shell.submit([rig.event(user="b")], (), 20))
    third = asyncio.create_task(rig.shell.submit([rig.event(user="c")], [item], 30))
    await turns()
    assert (rig.shell.inbox.waiting, rig.shell.inbox.held_bytes) == (2, 60)
    rig.store.gate.set()
    with pytest.raises(Unavailable):
        await third
    assert (rig.shell.inbox.waiting, rig.shell.inbox.held_bytes) == (0, 30)
    await asyncio.gather(first, second)
    assert rig.shell.inbox.held_bytes == 0


async def test_what_is_older_than_it_is_kept_goes_between_commits(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying_module, "TIDY_EVERY", 4)
    rig.shell = shell_module.Shell(rig.processor, rig.store, rig.clock, rig.release)
    rig.store.keep_ms = 1

    async def is_kept() -> bool:
        return await rig.store.count("journal") >= 12 or await rig.store.count("records") >= 24

    rig.start()
    numbers = count()
    # However slow the slices are beside the commits: they catch up.
    while (number := next(numbers)) < 30 or await is_kept():
        await rig.shell.submit([rig.event(user=f"u{number}")])
        await turns()


async def test_nothing_goes_by_an_instant_that_a_restart_would_not_know_of(rig: Rig) -> None:
    rig.store.gate.clear()
    rig.start()
    event = asyncio.create_task(rig.shell.submit([rig.event()]))
    await rig.store.began.wait()
    rig.clock.jump(rig.clock.now_ms() + HOUR)
    await turns()
    assert rig.store.pruned_at_ms == []
    rig.store.gate.set()
    await event
    await turns()
    assert set(rig.store.pruned_at_ms) == {rig.store.batches[0].at_ms}


async def test_pruning_that_fails_for_lack_of_room_is_tried_again_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying_module, "TIDY_EVERY", 1)
    rig.shell = shell_module.Shell(rig.processor, rig.store, rig.clock, rig.release)
    rig.store.prune_faults = [full(), full()]
    rig.start()
    for number in range(6):
        await rig.shell.submit([rig.event(user=f"u{number}")])
        await turns()
    assert len(rig.store.pruned_at_ms) > 2


async def test_who_waits_too_long_hears_that_it_is_not_known(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.start()
    await rig.shell.submit([rig.event(user="before", message="0")])
    monkeypatch.setattr(inbox_module, "ANSWER_WITHIN_S", 0.05)
    rig.store.gate.clear()
    waiting = [
        asyncio.create_task(rig.shell.submit([rig.event(user=f"u{number}", message=str(number))]))
        for number in (1, 2)
    ]
    for answer in waiting:
        with pytest.raises(Unavailable, match="takes too long"):
            await answer
    monkeypatch.undo()
    rig.store.gate.set()
    await rig.shell.submit([rig.event(user="u2", message="2")])  # sent again: a duplicate
    assert {one.user_id for one in await rig.until("entered", 3)} == {"before", "u1", "u2"}


async def test_who_has_gone_is_not_waited_for_and_the_next_is_still_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "ANSWER_WITHIN_S", 0.05)
    gone = asyncio.create_task(rig.shell.submit([rig.event(user="gone")]))
    await turns()
    gone.cancel()
    with pytest.raises(Unavailable, match="takes too long"):
        await rig.shell.submit([rig.event(user="stays")])
    rig.start()
    await rig.until("entered", 2)


async def test_many_inputs_are_taken_in_order_over_several_slices(rig: Rig) -> None:
    rig.start()
    events = [rig.event(user=f"u{number}") for number in range(3_000)]
    await rig.shell.submit(events)
    stamps = [event.at_ms for event in events]
    assert stamps == sorted(stamps)
    numbers = [rig.processor.users[event.user_id].seen for event in events]
    assert numbers == list(range(1, 3_001))
    assert rig.shell.inbox.waiting == 0


async def test_what_could_not_be_taken_is_kept_with_the_rest(rig: Rig) -> None:
    rig.start()
    item = Quarantined(1, "/events", "$.timestamp", "is no instant", b"{}")
    await rig.shell.submit([rig.event()], [item])
    assert await rig.store.count("quarantine") == 1


def full() -> CommitFailed:
    return CommitFailed("the disk is full", hint="make room", again=True)


async def test_while_a_commit_fails_new_input_is_refused_and_then_all_goes_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "RETRY_COMMIT_S", 0)
    rig.start()
    rig.store.gate.clear()
    taken = asyncio.create_task(rig.shell.submit([rig.event(user="a", message="a")]))
    await rig.store.began.wait()
    rig.store.faults = [full(), full()]
    rig.store.began.clear()
    rig.store.gate.set()
    await rig.store.began.wait()  # tried again
    assert rig.shell.failure
    with pytest.raises(Unavailable, match="the disk is full"):
        await rig.shell.submit([rig.event(user="b", message="b")])
    await taken
    assert rig.shell.failure == ""
    assert rig.store.batches[0] is rig.store.batches[-1], "tried again as it is"
    await rig.shell.submit([rig.event(user="b", message="b")])
    assert {one.user_id for one in await rig.until("entered", 2)} == {"a", "b"}


async def test_pruning_that_fails_for_good_ends_the_work(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying_module, "TIDY_EVERY", 1)
    rig.shell = shell_module.Shell(rig.processor, rig.store, rig.clock, rig.release)
    rig.store.prune_faults = [CommitFailed("the disk is broken", hint="check it", again=False)]
    rig.start()
    assert rig.working is not None
    while not rig.working.done():
        answer = asyncio.create_task(rig.shell.submit([rig.event()]))
        await asyncio.wait({answer, rig.working}, return_when=asyncio.FIRST_COMPLETED)
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)
    with pytest.raises(CommitFailed, match="broken"):
        rig.working.result()


async def test_a_commit_that_fails_for_good_ends_the_work_and_all_hear_of_it(rig: Rig) -> None:
    rig.store.faults = [CommitFailed("the disk is broken", hint="", again=False)]
    rig.store.gate.clear()
    rig.start()
    submissions = [asyncio.create_task(rig.shell.submit([rig.event()]))]
    await rig.store.began.wait()
    submissions.append(asyncio.create_task(rig.shell.submit([rig.event()])))
    await turns()
    rig.store.gate.set()
    assert rig.working is not None
    with pytest.raises(CommitFailed, match="broken"):
        await rig.working
    submissions.append(asyncio.create_task(rig.shell.submit([rig.event()])))
    for submission in submissions:
        with pytest.raises(Unavailable, match="the disk is broken"):
            await submission
    assert rig.records == []


async def test_a_commit_that_fails_is_not_tried_again_once_the_work_was_ended(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "RETRY_COMMIT_S", 0)
    rig.store.faults = [full()] * 1_000
    rig.start()
    waiting = asyncio.create_task(rig.shell.submit([rig.event()]))
    while not rig.shell.failure:
        await turns()
    assert rig.working is not None
    rig.working.cancel()
    await asyncio.gather(rig.working, return_exceptions=True)
    tried = len(rig.store.batches)
    await turns()
    assert len(rig.store.batches) == tried
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_draining_refuses_the_new_takes_the_old_and_saves_everybody(rig: Rig) -> None:
    waiting = [
        asyncio.create_task(rig.shell.submit([rig.event("Other", user=f"u{number}")]))
        for number in range(100)
    ]
    await turns()
    rig.shell.stop_taking()
    with pytest.raises(Unavailable):
        await rig.shell.submit([rig.event()])
    settled = asyncio.create_task(rig.shell.settle())
    await turns()
    rig.start()
    await asyncio.gather(settled, *waiting)
    recovered = await rig.store.recover(HOUR)
    assert len(recovered.users) == 100
    assert recovered.tail == []


async def test_settling_with_nothing_to_do_ends(rig: Rig) -> None:
    rig.start()
    await rig.shell.settle()


async def test_a_deadline_fires_by_itself(tmp_path: Path) -> None:
    rig = await Rig.open(tmp_path / "hairspring.db", PLAN, rate=100_000.0)
    rig.start()
    event = rig.event()
    await rig.shell.submit([event])
    (finished,) = await rig.until("finished")
    assert finished.at_ms == event.occurred_at_ms + HOUR
    await rig.close()


async def test_after_a_downtime_the_grace_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "hairspring.db"
    first = await Rig.open(path, Plan("p", [campaign("c", wait(1))]), rate=1.0)
    event = first.event()
    first.processor.take(event, event.at_ms)
    batch = first.processor.begin(event.at_ms)
    assert batch is not None
    await first.store.commit(batch)
    await first.close()
    second = await Rig.open(path, first.plan, rate=10_000.0)
    second.shell.resume(30_000)
    resumed_at_ms = second.processor.now_ms
    second.start()
    (finished,) = await second.until("finished")
    assert finished.at_ms == event.occurred_at_ms + 1
    assert finished.judged_at_ms == resumed_at_ms + 30_000
    await second.close()


async def test_a_wall_clock_that_stays_ahead_is_adopted_as_an_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "STEER_EVERY_MS", 1)
    monkeypatch.setattr(clock_module, "HELD_FOR_MS", 0)
    wall = [1_767_225_600_000 * 10**6]
    path = tmp_path / "hairspring.db"
    rig = await Rig.open(path, PLAN, rate=1.0, wall_ns=lambda: wall[0])
    rig.start()
    event = rig.event()
    await rig.shell.submit([event])
    wall[0] += 2 * HOUR * 10**6
    (finished,) = await rig.until("finished")
    assert finished.at_ms == event.occurred_at_ms + HOUR
    assert finished.judged_at_ms == wall[0] // 10**6 <= rig.clock.now_ms()
    assert any(b'"type":"clock"' in batch.inputs for batch in rig.store.batches)
    await rig.close()
    again = await Rig.open(path, PLAN, rate=1.0, wall_ns=lambda: wall[0])
    assert again.clock.now_ms() >= finished.judged_at_ms
    assert again.processor.users["u"].enrollments == ()
    await again.close()


async def test_what_was_taken_is_waited_for_without_an_answer_of_its_own(rig: Rig) -> None:
    rig.start()
    rig.store.gate.clear()
    answer = asyncio.create_task(rig.shell.submit([rig.event()]))
    await rig.store.began.wait()
    rig.shell.is_holding = True
    waiting = asyncio.create_task(rig.shell.durable())
    await turns()
    assert not waiting.done()
    rig.store.gate.set()
    await waiting
    await answer
    assert rig.processor.awaited() == rig.processor.finished
    await rig.shell.durable()


async def test_who_waits_for_what_was_taken_hears_that_nothing_more_is_committed(rig: Rig) -> None:
    rig.store.faults = [CommitFailed("the disk is broken", hint="", again=False)]
    rig.store.gate.clear()
    rig.start()
    answer = asyncio.create_task(rig.shell.submit([rig.event()]))
    await rig.store.began.wait()
    waiting = asyncio.create_task(rig.shell.durable())
    await turns()
    rig.store.gate.set()
    for task in (answer, waiting):
        with pytest.raises(Unavailable, match="the disk is broken"):
            await task
