"""Users are found by what somebody knows of them, a slice at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.core.inputs import UserIdentified
from engine.core.plan import Plan
from engine.runtime.admin.searching import FOUND_MAX, SLICE_USERS, search
from engine.runtime.clock import Clock
from engine.runtime.processor import Processor

if TYPE_CHECKING:
    from collections.abc import Iterable


def knowing(people: Iterable[tuple[str, dict[str, object]]]) -> Processor:
    processor = Processor(Plan("p"))
    for user_id, traits in people:
        processor.take(UserIdentified(user_id, 1, 1, msgspec.Raw(msgspec.json.encode(traits))), 1)
    return processor


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("ada", ["ada", "adam"]),
        ("ADAM", ["adam"]),
        ("lovelace@", ["ada"]),
        ("city = par", ["ada"]),
        ("vip=true", ["adam"]),
        ("age=3", ["adam"]),
        ("nobody", []),
    ],
)
async def test_the_beginning_is_enough_whatever_its_case(said: str, found: list[str]) -> None:
    processor = knowing([
        ("ada", {"email": "Lovelace@example.com", "city": "Paris"}),
        ("adam", {"vip": True, "age": 36}),
    ])  # fmt: skip
    told = await search(processor, Clock(), said)
    assert (told.users, told.next) == (found, None)


async def test_a_search_goes_on_where_it_stopped_and_finds_each_once() -> None:
    processor = knowing((f"user-{number}", {}) for number in range(3 * FOUND_MAX))
    seen: list[str] = []
    start: int | None = 0
    while start is not None:
        told = await search(processor, Clock(), "user", start)
        seen += told.users
        start = told.next
    assert seen == [f"user-{number}" for number in range(3 * FOUND_MAX)]


async def test_a_search_stops_when_its_time_is_over() -> None:
    processor = knowing((f"user-{number}", {}) for number in range(3 * SLICE_USERS))
    nanoseconds = iter(range(0, 10**12, 10**9))
    clock = Clock(monotonic_ns=lambda: next(nanoseconds))
    told = await search(processor, clock, "nobody")
    assert (told.users, told.looked_at, told.next) == ([], SLICE_USERS, SLICE_USERS)
