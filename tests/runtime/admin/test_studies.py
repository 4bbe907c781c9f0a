"""Long looks are done once, however many look; what nobody looks at is given up, and goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import HairspringError
from engine.runtime.admin import studies as module
from engine.runtime.admin.studies import KEPT_MAX, Studies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Told = Callable[[int, int], None]


class Work:
    """Goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = asyncio.Event()
        self.cancelled = False

    async def __call__(self, told: Told) -> msgspec.Raw:
        self.begun += 1
        told(1, 4)
        try:
            await self.ended.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return msgspec.Raw(b"[1]")


@pytest.fixture
async def studies() -> AsyncIterator[Studies]:
    made = Studies()
    yield made
    await made.stop()


async def done(told: Told) -> msgspec.Raw:
    told(1, 1)
    return msgspec.Raw(b"[]")


async def test_what_is_asked_twice_is_done_once_and_tells_how_far_it_is(studies: Studies) -> None:
    work = Work()
    first, again = studies.look("a", work), studies.look("a", work, {"text": "later"})
    assert first is again
    await studies.wait(first, 0.01)
    assert (first.done, first.total, first.is_over, work.begun) == (1, 4, False, 1)
    work.ended.set()
    await studies.wait(first, 60)
    assert first.result is not None
    assert bytes(first.result) == b"[1]"
    assert (studies.find("a"), studies.find("b")) == (first, None)


async def test_why_it_failed_is_kept_as_what_came_of_it(studies: Studies) -> None:
    async def fail(_told: Told) -> msgspec.Raw:
        raise HairspringError("no archive", hint="wait a day")

    study = studies.look("a", fail)
    await studies.wait(study, 60)
    assert study.failure is not None
    assert (study.failure.message, study.is_over) == ("no archive", True)


async def test_what_nobody_looks_at_is_given_up(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GIVEN_UP_AFTER_S", -1.0)
    work = Work()
    study = studies.look("a", work)
    await studies.wait(study, 60)
    assert study.failure is not None
    assert work.cancelled


async def test_only_so_many_are_kept_and_those_under_way_stay(studies: Studies) -> None:
    work = Work()
    under_way = studies.look("first", work)
    for number in range(2 * KEPT_MAX):
        await studies.wait(studies.look(str(number), done), 60)
    assert studies.find("first") is under_way
    kept = [number for number in range(2 * KEPT_MAX) if studies.find(str(number)) is not None]
    assert 0 < len(kept) < KEPT_MAX
    assert kept[-1] == 2 * KEPT_MAX - 1
    await studies.stop()
    assert work.cancelled


async def test_what_was_not_looked_at_for_long_goes(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.look("a", done)
    await studies.wait(study, 60)
    assert studies.find("a") is study
    monkeypatch.setattr(module, "KEPT_S", -1.0)
    assert studies.find("a") is None
