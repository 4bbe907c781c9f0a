"""Long bodies of many clients at once: one after the other, and never too many in memory."""

from __future__ import annotations

import asyncio
import gzip
import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from engine.core.intake.tracking_plan import TrackingPlan
from engine.runtime.inbox import Unavailable
from engine.server.floor import LONG_FROM_BYTES, WAITING_BYTES_MAX, Floor
from tests.server.house import House

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = 2_000
"""Of a body: many slices of half a millisecond."""

CLIENTS = 8


class Hearing(TrackingPlan):
    """Takes everything, and keeps in mind whose items were read, in that order."""

    def __init__(self) -> None:
        super().__init__({})
        self.heard: list[str] = []

    @override
    def judge(self, happened: Any) -> Any:
        self.heard.append(happened.user_id)
        return happened


def native(user_id: str) -> Any:
    return [{"user_id": user_id, "event": "E", "properties": {"n": n}} for n in range(ITEMS)]


def of_segment(user_id: str) -> Any:
    batch = [{"type": "track", "userId": user_id, "event": "E"} for _ in range(ITEMS)]
    return {"batch": batch}


def of_posthog(user_id: str) -> Any:
    return {"batch": [{"distinct_id": user_id, "event": "E"} for _ in range(ITEMS)]}


@pytest.mark.parametrize(
    ("route", "body"), [("/events", native), ("/v1/batch", of_segment), ("/batch/", of_posthog)]
)
async def test_a_long_body_is_read_to_its_end_before_the_next_one(
    tmp_path: Path, route: str, body: Any
) -> None:
    hearing = Hearing()
    house = await House.start(tmp_path, tracking_plan=lambda: hearing)

    async def send(client: int) -> int:
        # Compressed it is there in one piece, and so are all of them by the time of the first.
        return (
            await house.post(route, gzip.compress(json.dumps(body(f"u{client}")).encode()))
        ).status

    statuses = await asyncio.gather(*map(send, range(CLIENTS)))
    await house.aclose()

    assert statuses == [200] * CLIENTS
    assert len(hearing.heard) == CLIENTS * ITEMS
    assert len([*groupby(hearing.heard)]) == CLIENTS


async def test_a_short_body_waits_for_no_long_one() -> None:
    floor = Floor()
    async with floor.given(LONG_FROM_BYTES), floor.given(LONG_FROM_BYTES - 1):
        pass  # a long one would wait here for ever


async def test_who_came_first_is_first() -> None:
    floor = Floor()
    order: list[int] = []

    async def work(number: int) -> None:
        async with floor.given(LONG_FROM_BYTES):
            for _ in range(3):
                order.append(number)
                await asyncio.sleep(0)

    await asyncio.gather(*map(work, range(3)))
    assert order == [0, 0, 0, 1, 1, 1, 2, 2, 2]


async def test_what_waits_is_bounded_in_bytes_and_one_body_alone_may_be_larger() -> None:
    floor = Floor()
    async with floor.given(WAITING_BYTES_MAX + 1):
        with pytest.raises(Unavailable):
            async with floor.given(LONG_FROM_BYTES):
                pass
    async with floor.given(LONG_FROM_BYTES):
        pass


async def test_who_fails_or_leaves_makes_room() -> None:
    floor = Floor()
    with pytest.raises(ValueError, match="broken"):
        async with floor.given(WAITING_BYTES_MAX):
            raise ValueError("broken")
    async with floor.given(WAITING_BYTES_MAX - LONG_FROM_BYTES):
        waiting = asyncio.create_task(_take(floor))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with floor.given(LONG_FROM_BYTES - 1):
            pass
    async with asyncio.timeout(5), floor.given(WAITING_BYTES_MAX):
        pass


async def _take(floor: Floor) -> None:
    async with floor.given(LONG_FROM_BYTES):
        pass
