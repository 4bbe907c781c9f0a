from __future__ import annotations

import asyncio

import pytest

from engine.core.inputs import EventReceived
from engine.runtime.inbox import ANSWERS_A_TURN, Inbox, Unavailable


async def test_clients_are_refused_where_nothing_was_taken_and_the_process_itself_is_not() -> None:
    inbox = Inbox()
    event = EventReceived("u", "Go", 1, 1)
    begun = inbox.put([event, event], (), 10)
    inbox.take(1)
    client = inbox.put([event], (), 20)
    own: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    inbox.put_own((), own)
    inbox.put_own([event], None)
    inbox.refuse("the disk is full")
    with pytest.raises(Unavailable, match="the disk is full"):
        await client
    assert not begun.done()
    assert not own.done()
    assert [submission.left for submission in inbox.queue] == [1, 0, 1]
    assert (inbox.waiting, inbox.held_bytes) == (2, 10)


async def test_what_the_process_itself_says_of_one_thing_is_taken_in_one_go() -> None:
    inbox = Inbox()
    event = EventReceived("u", "Go", 1, 1)
    inbox.put([event] * 3, (), 10)
    inbox.put_own([event, event], None)
    taken = []
    while inbox.queue:
        _, some = inbox.take(1)
        taken.append(len(some))
    assert taken == [1, 1, 1, 2]
    assert inbox.waiting == 0


def durable(inbox: Inbox, count: int, batch: int) -> list[asyncio.Future[None]]:
    """So many clients whose one event was taken into a batch."""
    answers = []
    for _ in range(count):
        answers.append(inbox.put([EventReceived("u", "Go", 1, 1)], (), 10))
        inbox.take(1)
        inbox.end(batch)
    return answers


async def test_the_loop_turns_between_answers_to_many_who_waited_for_one_batch() -> None:
    inbox = Inbox()
    answers = durable(inbox, 2 * ANSWERS_A_TURN + 1, batch=1)
    later = durable(inbox, 1, batch=2)
    inbox.answer(1)
    answered = []
    for _ in range(3):
        answered.append(sum(answer.done() for answer in answers))
        await asyncio.sleep(0)
    assert answered == [ANSWERS_A_TURN, 2 * ANSWERS_A_TURN, 2 * ANSWERS_A_TURN + 1]
    assert not later[0].done()
    inbox.answer(2)
    assert later[0].done()
    assert inbox.held_bytes == 0


async def test_who_is_durable_and_not_answered_yet_hears_so_when_others_are_given_up() -> None:
    inbox = Inbox()
    answers = durable(inbox, ANSWERS_A_TURN + 1, batch=1)
    lost = durable(inbox, 1, batch=2)
    inbox.answer(1)
    inbox.abandon("the disk is gone")
    await asyncio.gather(*answers)
    with pytest.raises(Unavailable, match="the disk is gone"):
        await lost[0]
