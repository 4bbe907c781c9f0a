from __future__ import annotations

import asyncio

import pytest

from engine.core.inputs import EventReceived
from engine.runtime.inbox import Inbox, Unavailable


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
