from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.core.effects import SendMessage
from engine.runtime.delivery.lane import READ_AT_ONCE, Lane
from engine.store import Store
from tests.core.world import START
from tests.store.batches import EMPTY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BACKLOG = 2 * READ_AT_ONCE - 10


def message(number: int) -> SendMessage:
    snapshot = msgspec.Raw(b"{}")
    return SendMessage(f"m{number}", START, "u", "c", "e", "s", "email", "t", snapshot)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "hairspring.db", sync="normal")
    messages = [message(number) for number in range(1, BACKLOG + 1)]
    await opened.commit(msgspec.structs.replace(EMPTY, messages=messages))
    yield opened
    await opened.close()


async def test_a_backlog_is_read_piece_by_piece_and_in_order(store: Store) -> None:
    lane = Lane("email")
    held = []
    while lane.wants_more():
        await lane.refill(store)
        held.append(len(lane.held))
    assert held == [READ_AT_ONCE, BACKLOG]
    assert [one.message.id for one in lane.unrendered] == [
        message(number).id for number in range(1, BACKLOG + 1)
    ]


async def test_what_is_released_is_left_to_the_reading_until_that_is_at_its_end(
    store: Store,
) -> None:
    lane = Lane("email")
    lane.offer(BACKLOG, message(BACKLOG))
    assert not lane.held
    while lane.wants_more():
        await lane.refill(store)
    lane.offer(BACKLOG + 1, message(BACKLOG + 1))
    assert [one.message.id for one in lane.unrendered][-2:] == [
        message(BACKLOG).id, message(BACKLOG + 1).id,
    ]  # fmt: skip
    assert not lane.wants_more()


async def test_another_channels_messages_are_not_read(store: Store) -> None:
    lane = Lane("push")
    await lane.refill(store)
    assert not lane.held
    assert not lane.wants_more()
